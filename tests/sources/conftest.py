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
