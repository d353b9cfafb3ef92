"""What tests of the runner and of the command line share: the tiny study, its config, and the command line called."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed.core import load_plugin
from testbed.studies import Study, studies

PLUGIN = Path(__file__).with_name("tiny_study.py")
CHECKOUT = PLUGIN.parent.parent


def tiny(**settings: object) -> Study:
    """The study itself."""
    load_plugin(PLUGIN)
    return studies.build({"type": "tiny", **settings})


def write_config(folder: Path, text: str = "") -> Path:
    """A config of the study in this folder."""
    path = folder / "tiny.toml"
    path.write_text(f'study = "tiny"\nplugins = ["{PLUGIN}"]\n{text}')
    return path


@dataclass
class Answer:
    """What a command line answered."""

    status: int
    out: str
    err: str


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "testbed", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}


def interruptible() -> None:
    """For `preexec_fn`: Ctrl-C reaches the process also where a shell started the tests in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def subprocess_call(*arguments: object, cwd: Path | None = None) -> Answer:
    """The command line in a process of its own."""
    done = subprocess.run(command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120)
    return Answer(done.returncode, done.stdout, done.stderr)
