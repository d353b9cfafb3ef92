"""Figures are drawn once for all tests of the room: drawing is what takes time."""

from pathlib import Path

import pytest
from report_fake import fake_entry

from testbed.report import Entry


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, as the command line makes it."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="session")
def entry(results: Path) -> Entry:
    """The fake study at laptop scale, its figures in `results/figures/fake`."""
    return fake_entry(results / "figures" / "fake")
