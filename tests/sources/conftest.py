"""`source`: every example of every registered source, one after the other; what it has computed goes with it."""

import pytest

from testbed.sources import Source, available
from testbed.sources.source import sources

EXAMPLES = [(name, number) for name in available() for number in range(len(sources.find(name).examples()))]

IN_EVERY_RUN = {"test_every_source.py": 1, "test_every_source_transformed.py": 1, "test_masked_laws.py": 1}
"""Examples of each type that are tested without --all; elsewhere all of them are."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The other examples are left out here, not marked as slow: thousands of items cost seconds to make."""
    itself = any("source" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "source" not in metafunc.fixturenames or itself:
        return
    found = EXAMPLES
    if not metafunc.config.getoption("--all"):
        most = IN_EVERY_RUN.get(metafunc.definition.path.name, len(EXAMPLES))
        found = [one for one in EXAMPLES if one[1] < most]
    ids = [f"{name}-{number}" for name, number in found]
    metafunc.parametrize("source", found, ids=ids, indirect=True, scope="module")


@pytest.fixture(scope="module")
def source(request: pytest.FixtureRequest) -> Source:
    """Of module scope, so that the tests of one example follow each other and share its truths."""
    name, number = request.param
    return sources.find(name).examples()[number]
