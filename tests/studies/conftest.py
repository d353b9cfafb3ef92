"""What the tests of all studies share."""

import pytest

from testbed.runs import Record, Store, finished_records, run


@pytest.fixture(scope="module")
def finished(smoke, tmp_path_factory) -> list[Record]:
    """The records of a module's `smoke` study, run once; run again, nothing is left to do."""
    with Store(tmp_path_factory.mktemp("results"), writable=True) as store:
        outcome = run(smoke, store)
        assert not outcome.failed
        assert run(smoke, store).ran == 0
        return list(finished_records(store, smoke).values())
