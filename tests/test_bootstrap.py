"""The decisions of `run`, the bootstrap file: no network, nothing installed.

Each test works on a copy of `run` in a folder of its own, so that the real .venv is out of reach.
"""

import ast
import importlib.metadata
import importlib.util
import itertools
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def run(tmp_path) -> ModuleType:
    """`run` as a module, in a folder without .venv."""
    for name in ("run", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    loader = SourceFileLoader("bootstrap", str(tmp_path / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bootstrap", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def bare(run, monkeypatch):
    """`run` started by a Python that has no packages, on Linux without an NVIDIA driver, with pip a recording.

    `bare.calls` lists what pip was asked; `bare.answers` gives the exit statuses, 0 once they are used up.
    """
    calls, answers = [], []

    def make_venv(command, **_):
        assert command[1:] == ["-m", "venv", str(run.VENV)]
        run.PYTHON.parent.mkdir(parents=True)
        run.PYTHON.symlink_to(sys.executable)
        return 0

    def call(command, **_):
        if "pip" not in command:  # asks .venv for its torch
            return SimpleNamespace(returncode=0, stdout="\n")
        calls.append(command[command.index("install") + 1 :])
        status = answers.pop(0) if answers else 0
        return SimpleNamespace(returncode=status, stderr="pip's complaint\n" if status else "")

    monkeypatch.setattr(run, "installed", lambda name: "")
    monkeypatch.setattr(run, "has_nvidia_driver", lambda: False)
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.subprocess, "call", make_venv)
    monkeypatch.setattr(run.subprocess, "run", call)
    run.calls, run.answers = calls, answers
    return run


def change(path):
    path.write_text(path.read_text() + "# changed\n")


# ---- usage, and Pythons that will not do ----


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_usage_installs_nothing(run, arguments):
    before = sorted(run.ROOT.iterdir())
    script = [sys.executable, "-B", str(run.ROOT / "run"), *arguments]
    done = subprocess.run(script, cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == run.USAGE + "\n"
    assert done.stderr == ""
    assert sorted(run.ROOT.iterdir()) == before


def test_old_python_is_told_in_one_line(run):
    complaint = run.unsupported((3, 10, 13, "final", 0), "linux")
    assert "3.11 or newer" in complaint
    assert "this is 3.10" in complaint
    assert "\n" not in complaint


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 0), (4, 0, 0)])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_supported(run, version, platform):
    assert run.unsupported(version, platform) is None


def test_windows_is_pointed_to_wsl(run):
    assert "WSL" in run.unsupported((3, 12, 0), "win32")


def test_old_python_can_read_the_file_and_is_stopped_before_anything_is_done(run, monkeypatch):
    ast.parse((REPOSITORY / "run").read_text(), feature_version=(3, 6))
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(run, "python_for", lambda extra: pytest.fail("went on"))
    with pytest.raises(SystemExit, match="this is 3.9"):
        run.main(["demo"])


def test_python_without_venv_is_told_what_to_install(bare, monkeypatch):
    monkeypatch.setattr(bare.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt install python3\.\d+-venv"):
        bare.python_for("runtime")


# ---- what each word stands for ----


def test_test_passes_arguments_to_pytest(run):
    extra, [invocation] = run.invocations_for(["test", "--all", "-k", "markov"])
    assert extra == "dev"
    assert invocation[:2] == ["-m", "pytest"]
    assert invocation[-3:] == ["--all", "-k", "markov"]


def test_workers_follow_the_cores_and_stay_few(run):
    assert run.spread([], 2)[:2] == ["-n", "2"]
    assert run.spread([], 128)[:2] == ["-n", "8"]
    assert run.spread(["--pdb"], 2) == []


def test_any_other_word_is_a_command_of_testbed(run):
    assert run.invocations_for(["keys", "markov"]) == ("runtime", [["-P", "-m", "testbed", "keys", "markov"]])


def test_bench_knows_its_names(run):
    (run.ROOT / "benchmarks").mkdir()
    for name in ("__init__.py", "sampler.py", "training.py"):
        (run.ROOT / "benchmarks" / name).touch()
    assert run.invocations_for(["bench", "sampler", "--quick"])[1] == [["-m", "benchmarks.sampler", "--quick"]]
    with pytest.raises(SystemExit, match="sampler, training; not 'smapler'"):
        run.invocations_for(["bench", "smapler"])


def test_lint_fails_where_any_check_fails(run, monkeypatch):
    statuses = {"ruff": 0, "mypy": -9}  # killed: negative
    monkeypatch.setattr(run, "python_for", lambda extra: "python")
    monkeypatch.setattr(run.subprocess, "call", lambda command: statuses[command[2]])
    monkeypatch.setattr(run.os, "environ", {})
    monkeypatch.setattr(run.os, "chdir", lambda folder: None)
    assert run.main(["lint"]) == -9
    statuses["mypy"] = 0
    assert run.main(["lint"]) == 0


def test_environment_puts_this_checkout_first_and_respects_the_users_threads(run):
    assert run.environment("list", {"PYTHONPATH": "/mine"}) == {"PYTHONPATH": f"{run.ROOT}:/mine"}
    variables = run.environment("test", {"OMP_NUM_THREADS": "4"})
    assert variables["PYTHONPATH"] == str(run.ROOT)
    assert variables["OMP_NUM_THREADS"] == "4"
    assert variables["MKL_NUM_THREADS"] == "1"
    # Else each of hundreds of processes would compile each module anew.
    assert run.environment("test", {"PYTHONDONTWRITEBYTECODE": "1"})["PYTHONDONTWRITEBYTECODE"] == ""


# ---- which torch ----


@pytest.mark.parametrize("present", ["", "2.10.1", "1.13.0+cu117"])
def test_without_a_driver_only_cpu_builds_are_asked_for(run, present):
    attempts = run.torch_attempts("linux", False, present)
    assert attempts == [["torch==2.13.0+cpu"], ["torch==2.13.0+cpu", "--extra-index-url", run.CPU_INDEX]]


def test_other_machines(run):
    assert run.torch_attempts("darwin", False, "") == [["torch==2.13.0"]]
    assert run.torch_attempts("linux", True, "") == [["torch>=2.11"]]


@pytest.mark.parametrize("driver", [True, False])
@pytest.mark.parametrize("present", ["2.11.0", "2.12.1+cu130", "2.13.0+cpu", "2.12.0a0+git1234567", "3.0"])
def test_a_torch_that_is_there_is_kept(run, driver, present):
    assert run.torch_attempts("linux", driver, present) == [[f"torch=={present}"]]


def test_no_host_but_pytorchs_own(run):
    assert re.findall(r"https?://[^\s\"/]+", (REPOSITORY / "run").read_text()) == ["https://download.pytorch.org"]


def test_pip_is_asked_for_torch_first_and_for_the_same_torch_again(bare):
    assert bare.python_for("dev") == str(bare.PYTHON)
    pins = ["--disable-pip-version-check", "-c", "constraints.txt"]
    torch = "torch==2.13.0+cpu"
    assert bare.calls == [[*pins, torch], [*pins, torch, "--editable", ".[dev]"]]


def test_pytorchs_own_index_comes_second(bare):
    bare.answers[:] = [1]
    bare.python_for("runtime")
    assert [call[3:] for call in bare.calls] == [
        ["torch==2.13.0+cpu"],
        ["torch==2.13.0+cpu", "--extra-index-url", bare.CPU_INDEX],
        ["torch==2.13.0+cpu", "--editable", "."],
    ]


def test_without_a_cpu_build_the_installation_fails_and_never_takes_cuda(bare):
    bare.answers[:] = [1, 2]
    with pytest.raises(SystemExit, match="pip's complaint\n.*a CUDA build is not taken in its place"):
        bare.python_for("runtime")
    assert len(bare.calls) == 2
    assert all("torch==2.13.0+cpu" in call for call in bare.calls)
    assert not bare.ready("runtime")


# ---- which python ----


def test_a_python_that_has_everything_is_used_as_it_is(bare, monkeypatch):
    monkeypatch.setattr(bare, "installed", lambda name: "9999.0")
    assert bare.python_for("dev") == sys.executable
    assert bare.calls == []
    assert not bare.VENV.exists()


def test_lacking_compares_versions_as_numbers(run, monkeypatch):
    have = {"numpy": "2.10.0", "torch": "2.11.0a0+git", "scipy": "1.9.3", "jinja2": ""}
    monkeypatch.setattr(run, "installed", have.get)
    wanted = ["numpy>=2.9", "torch>=2.11", "scipy>=1.13", "jinja2>=3.1"]
    assert run.lacking(wanted) == ["scipy>=1.13", "jinja2>=3.1"]


def test_installed_reads_this_interpreter(run):
    assert run.installed("pytest") == pytest.__version__
    assert run.installed("no-such-package-anywhere") == ""


def test_requirements_are_in_the_form_that_run_reads():
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"dev", "cluster", "analysis", "oracles", "tokens"}
    for requirement in [*PROJECT["dependencies"], *extras["dev"]]:
        assert re.fullmatch(r"[a-z0-9-]+>=\d+(\.\d+)*", requirement), requirement


def test_every_direct_requirement_but_torch_is_pinned():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {name.lower() for name in pins}
    direct = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]
    assert {each.split(">=")[0] for each in direct} - pinned == {"torch"}
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda", "triton"))]


# ---- the stamp ----


def test_ready_after_installing_and_nothing_is_done_twice(bare):
    bare.python_for("dev")
    calls = len(bare.calls)
    bare.python_for("dev")
    bare.python_for("runtime")  # dev includes it
    assert len(bare.calls) == calls


def test_the_dev_extra_is_added_to_a_runtime_and_kept_by_updates(bare):
    bare.python_for("runtime")
    assert not bare.ready("dev")
    bare.python_for("dev")
    assert bare.calls[-1][-1] == ".[dev]"
    change(bare.ROOT / "pyproject.toml")
    bare.python_for("runtime")
    assert bare.calls[-1][-1] == ".[dev]"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_asks_for_an_update(bare, name):
    bare.python_for("runtime")
    change(bare.ROOT / name)
    assert not bare.ready("runtime")
    bare.python_for("runtime")
    assert bare.ready("runtime")


def test_another_python_behind_the_environment_asks_for_an_update(bare, tmp_path):
    bare.python_for("runtime")
    other = tmp_path / "python3.99"
    other.touch()
    bare.PYTHON.unlink()
    bare.PYTHON.symlink_to(other)
    assert not bare.ready("runtime")
    other.unlink()  # gone altogether
    assert not bare.ready("runtime")


def test_an_installation_killed_half_way_is_begun_afresh(bare):
    bare.answers[:] = [0, -9]  # pip is killed while it installs the packages
    with pytest.raises(SystemExit, match="killed by signal 9"):
        bare.python_for("runtime")
    leftover = bare.VENV / "half-a-package"
    leftover.touch()
    assert not bare.ready("runtime")
    bare.python_for("runtime")
    assert bare.ready("runtime")
    assert not leftover.exists()


def test_a_failed_update_leaves_the_environment_in_place(bare):
    bare.python_for("dev")
    change(bare.ROOT / "constraints.txt")
    package = bare.VENV / "a-package"
    package.touch()
    bare.answers[:] = [0, 1]  # no network, say
    with pytest.raises(SystemExit, match="pip could not install testbed"):
        bare.python_for("dev")
    bare.python_for("dev")
    assert package.exists()
    assert bare.calls[-1][-1] == ".[dev]"


def test_the_torch_of_a_gpu_machine_is_borrowed(bare, monkeypatch):
    monkeypatch.setattr(bare, "installed", lambda name: "2.12.0+cu130" if name == "torch" else "")
    place = SimpleNamespace(locate_file=lambda path: "/elsewhere/site-packages")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: place)
    site_packages = bare.VENV / "lib" / "python3.11" / "site-packages"
    site_packages.mkdir(parents=True)
    bare.python_for("runtime")
    assert (site_packages / "borrowed-torch.pth").read_text() == "/elsewhere/site-packages\n"


# ---- two at the same time ----


def test_the_second_waits_for_the_first_and_says_so(run, capfd):
    entered = threading.Event()

    def second():
        with run.one_at_a_time():
            entered.set()

    with run.one_at_a_time():
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
    thread.join(timeout=5)
    assert entered.is_set()
    assert "waiting for it to end" in capfd.readouterr().err


def test_two_first_uses_install_once(bare, monkeypatch):
    pip = bare.subprocess.run

    def slow_pip(command, **options):
        time.sleep(0.1)
        return pip(command, **options)

    monkeypatch.setattr(bare.subprocess, "run", slow_pip)
    threads = [threading.Thread(target=bare.python_for, args=["runtime"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(bare.calls) == 2  # torch, then the rest: one installation
    assert bare.ready("runtime")


# ---- the process that takes over ----


def test_the_command_takes_over_with_its_exit_status_and_the_users_folder(run, tmp_path):
    package = run.ROOT / "testbed"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import json, os, sys\nprint(json.dumps([os.getcwd(), sys.argv[1:]]))\nsys.exit(3)\n"
    )
    users_folder = tmp_path / "elsewhere"
    users_folder.mkdir()
    (users_folder / "json.py").write_text("raise ImportError('a file of the user shadows a module')")
    as_if_this_python_had_everything = f"""
run = {{"__name__": "bootstrap", "__file__": {str(run.ROOT / "run")!r}}}
exec(open(run["__file__"]).read(), run)
run["lacking"] = lambda wanted: []
run["main"](["status", "a b"])
"""
    start = [sys.executable, "-P", "-c", as_if_this_python_had_everything]
    done = subprocess.run(start, cwd=users_folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout) == [str(users_folder), ["status", "a b"]]
