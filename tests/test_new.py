"""`testbed new` writes what works, and the guides of CONTRIBUTING.md run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import environment

from testbed.cli import app, call
from testbed.commands.new import KINDS, class_name

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
GUIDES = dict(zip(("source", "method", "study"), BLOCKS, strict=True))


def run_line(line: str, folder: Path) -> None:
    words = line.replace("testbed ", f"{sys.executable} -m testbed ", 1) if line.startswith("testbed ") else line
    words = re.sub(r"^python ", f"{sys.executable} ", words)
    done = subprocess.run(words.split(), cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_every_kind_has_a_guide() -> None:
    assert GUIDES.keys() == KINDS.keys()
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    for kind, guide in GUIDES.items():
        lines = guide.splitlines()
        assert lines[0].startswith(f"testbed new {kind} ")
        assert {line.split()[1] for line in lines if line.startswith("testbed ")} <= known


@pytest.mark.parametrize("kind", ["source", pytest.param("method", marks=pytest.mark.slow)])
def test_the_files_and_their_tests(tmp_path, kind, capsys) -> None:
    assert call(["new", kind, "my_own_2", "--into", str(tmp_path / "lab")]) == 0
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {"my_own_2.py", "test_my_own_2.py", "my_own_2.toml"}
    assert "class MyOwn2(" in (tmp_path / "lab" / "my_own_2.py").read_text()
    for path in (tmp_path / "lab").iterdir():
        assert not re.search(r"\bNAME\b|CAMEL", path.read_text())
    run_line("python -m pytest -q -p no:cacheprovider .", tmp_path / "lab")


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(GUIDES))
def test_the_guides_run_as_written(tmp_path, kind) -> None:
    for line in GUIDES[kind].splitlines():
        run_line(line, tmp_path)


@pytest.mark.slow
def test_what_is_written_passes_the_linters(tmp_path) -> None:
    for kind in KINDS:
        call(["new", kind, f"some_{kind}", "--into", str(tmp_path)])
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["check", "--ignore", "I001"], ["format", "--check"]):  # which packages are one's own differs there
        command = [*ruff, *words, "--config", str(ROOT / "pyproject.toml"), "."]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["sauce", "x"], "given 'sauce'; there are source, method, study"),
        (["source", "My Coin"], "given 'My Coin', must be small letters, digits and _"),
        (["source", "class"], "given 'class', must be"),
        (["source", "markov"], "there is a source markov already"),
        (["method", "random"], "random.py would hide the module random"),
        (["study", "numpy"], "numpy.py would hide the module numpy"),
    ],
)
def test_what_is_refused(tmp_path, capsys, arguments, said) -> None:
    assert call(["new", *arguments, "--into", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path, capsys) -> None:
    (tmp_path / "mine.toml").write_text("kept")
    assert call(["new", "source", "mine", "--into", str(tmp_path)]) == 2
    assert "mine.toml is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_a_folder_that_cannot_be(tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert call(["new", "source", "mine", "--into", str(tmp_path / "file" / "lab")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_class_names() -> None:
    assert class_name("a_b2c") == "AB2c"
