"""`source`: every example of every registered source, one after the other; what it has computed goes with it."""

import pytest

from testbed.sources import Source, available
from testbed.sources.source import sources

EXAMPLES = [(name, number) for name in available() for number in range(len(sources.find(name).examples()))]


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda one: f"{one[0]}-{one[1]}")
def source(request: pytest.FixtureRequest) -> Source:
    """Of module scope, so that the tests of one example follow each other and share its truths."""
    name, number = request.param
    return sources.find(name).examples()[number]


IN_EVERY_RUN = {"test_every_source.py": 1, "test_every_source_transformed.py": 1}
"""Examples of each type that are tested without --all."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The other examples are slow."""
    for item in items:
        most = IN_EVERY_RUN.get(item.path.name)
        if most is not None and isinstance(item, pytest.Function) and "source" in item.fixturenames:
            _, number = item.callspec.params["source"]
            if number >= most:
                item.add_marker(pytest.mark.slow)
