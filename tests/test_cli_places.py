"""The command line where files cannot be written, or Ctrl-C comes at an odd moment: plain words and the right code."""

import errno
import os
import shutil
import subprocess
import sys

import pytest
from tiny import Answer, environment, write_config

from testbed.cli import call


@pytest.fixture
def answer(tmp_path, monkeypatch, capsys):
    """Call the command line in this process, in a folder of its own with the tiny study's config."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)

    def ask(*arguments: object) -> Answer:
        status = call([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return ask


def test_ctrl_c_in_the_middle_of_an_import_leaves_with_130(tmp_path) -> None:
    """Modules exec strings (dataclasses, say), and Python kills itself by the signal where one was interrupted."""
    script = (
        "from testbed import cli\ndef app(*_, **__):\n    exec('raise KeyboardInterrupt')\ncli.app = app\ncli.main()\n"
    )
    (tmp_path / "interrupted.py").write_text(script)
    given = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(given, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "testbed: interrupted; the same command goes on from here\n")


def test_a_place_that_cannot_be_written_to_is_named(answer, tmp_path, monkeypatch) -> None:
    answer("run", "tiny.toml", "seeds=1")
    figures = tmp_path / "results" / "figures"
    shutil.move(figures, tmp_path / "aside")
    figures.touch()
    done = answer("figures")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "figures/tiny" in done.err
    assert "Not a directory; what is stored is kept" in done.err
    figures.unlink()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("testbed.report.write_figures", full)
    done = answer("figures")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "No space left on device; what is stored is kept" in done.err
