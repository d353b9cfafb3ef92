"""The command line: exit codes, plain errors, interruptions, and what it does not import."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny import PLUGIN, Answer, command, environment, interruptible, subprocess_call, write_config

from testbed.cli import call
from testbed.runs import Store

HEAVY = {"torch", "numba", "scipy", "matplotlib"}


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


def contents(folder: Path) -> dict[str, str]:
    with Store(folder) as store:
        return {key: json.dumps(one.content(), sort_keys=True) for key, one in store.records().items()}


# ---- what it does ----


def test_run_judges_and_says_where_everything_is(answer, tmp_path) -> None:
    done = answer("run", "tiny.toml", "--scale", "smoke")
    assert done.status == 0, done.err
    assert "entropy  holds  1.03972 nats" in done.out
    assert done.out.splitlines()[-1].split() == ["report", "results/report.html"]
    folder = tmp_path / "results" / "figures" / "tiny" / "smoke"
    assert {path.name for path in folder.iterdir()} == {"entropy.pdf", "entropy.png", "entropy.csv", "verdicts.json"}
    assert (tmp_path / "results" / "report.html").stat().st_size > 1000
    again = answer("run", "tiny.toml", "--scale", "smoke")
    assert "0 cells run, 6 done before, 0 failed" in again.out


def test_overrides_and_grids(answer) -> None:
    done = answer("run", "tiny.toml", "steps=2", "--grid", "seeds=1,2")
    assert done.status == 0
    assert "tiny steps-2-seeds-1: 4 cells run" in done.out
    assert "tiny steps-2-seeds-2: 2 cells run, 4 done before" in done.out
    assert done.out.count("entropy  holds") == 2


def test_figures_report_status_and_gallery_from_records_alone(answer, tmp_path, monkeypatch) -> None:
    answer("run", "tiny.toml", "--scale", "smoke")
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    monkeypatch.setattr("testbed.training.trainer.train", None)
    done = answer("figures", "--gallery", "gallery")
    assert done.status == 0
    assert "entropy  holds" in done.out
    assert (tmp_path / "gallery" / "README.md").is_file()
    assert answer("report").status == 0
    after = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert after == before
    status = answer("status")
    assert "tiny  done  6" in status.out
    assert "run tiny.toml --scale smoke" in status.out


def test_figures_of_a_source_from_a_large_file(answer, tmp_path) -> None:
    np.save(tmp_path / "kernel.npy", np.random.default_rng(0).dirichlet(np.ones(8), size=(8,) * 4))
    write_config(tmp_path, 'lengths = [0]\n[source]\ntype = "markov"\nkernel = "kernel.npy"\n')
    assert answer("run", "tiny.toml").status == 0
    (tmp_path / "kernel.npy").unlink()
    assert "entropy  holds" in answer("figures").out


def test_calibrate_prints_its_table_and_the_report_shows_it(answer, tmp_path) -> None:
    answer("run", "tiny.toml")
    table = answer("calibrate", "tiny.toml", "--draws", 20)
    assert table.status == 0
    assert "20 draws with 2 independent replicates each" in table.out
    answer("report")
    verdicts = json.loads((tmp_path / "results" / "figures" / "tiny" / "laptop" / "verdicts.json").read_text())
    assert verdicts["confusion"]["n_draws"] == 20


def test_dry_run_counts_and_writes_nothing(answer, tmp_path) -> None:
    said = answer("run", "tiny.toml", "--dry-run").out.split()
    assert said[4:6] == ["cells", "6"]
    assert not (tmp_path / "results").exists()


def test_keys_and_list(answer) -> None:
    keys = answer("keys", "tiny.toml").out
    assert re.search(r"inner\.width +integer >= 2, <= 64 +8 +width of the model", keys)
    assert "vocab_size     integer >= 1, <= 65536  needed" in answer("keys", "markov").out
    listed = answer("list").out
    assert all(name in listed for name in ("optimal_context", "markov", "rope", "configs"))


def test_doctor(answer, monkeypatch) -> None:
    monkeypatch.setattr("testbed.commands.doctor.BENCHMARK_SECONDS", 0.01)
    done = answer("doctor")
    assert "torch build" in done.out
    assert done.status == (0 if "all is well" in done.out else 1)


# ---- what goes wrong ----


def test_failed_cells_give_1_and_run_again(answer) -> None:
    done = answer("run", "tiny.toml", "fail_seed=1")
    assert done.status == 1
    assert "2 cells failed: RuntimeError: this seed fails" in done.err
    assert "4 of 6 cells are done" in done.err
    assert "entropy  holds" in done.out
    assert answer("status").out.count("RuntimeError: this seed fails") == 2
    assert answer("run", "tiny.toml").status == 0


def test_the_time_limit_gives_3_and_a_later_run_completes(answer) -> None:
    done = answer("run", "tiny.toml", "--time-limit", "0.000001s")
    assert (done.status, done.out) == (3, "")
    assert "0 of 6 cells done; stopped at the time limit; the same command goes on from here" in done.err
    assert answer("run", "tiny.toml", "--time-limit", "10m").status == 0


WRONG = [
    (["run", "tinny.toml"], "there is no config tinny.toml; "),
    (["run", "optimal_contxt"], "did you mean optimal_context"),
    (["run", "tiny.toml", "stepz=3"], "tiny.toml: stepz: unknown key, did you mean steps?"),
    (["run", "tiny.toml", "steps=many"], "steps: given 'many'; input should be a valid integer"),
    (["run", "tiny.toml", "inner.width=1"], "inner.width: given 1; input should be greater than or equal to 2"),
    (["run", "tiny.toml", "inner.widht=8"], "inner.widht: unknown key, did you mean width?"),
    (["run", "tiny.toml", "steps"], "an override reads key=value"),
    (["run", "tiny.toml", "source.type=markv"], "source.type: there is no source 'markv'; did you mean markov"),
    (["run", "tiny.toml", 'source={type="markov",kernel="no.npy"}'], "source.kernel: there is no file no.npy"),
    (["run", "tiny.toml", 'source={type="markov",kernel=[[0.5,0.6],[0.5,0.5]]}'], "every row must sum to 1"),
    (["run", "tiny.toml", 'source={type="markov",kernel=[[0.5,0.5],[1.0]]}'], "all rows of one length"),
    (["run", "tiny.toml", 'source={type="markov",kernel=[[0.5,0.3,0.2],[1,0,0]]}'], "kernel: 2 rows of 3 are not V^k"),
    (["run", "tiny.toml", "--scale", "smol"], "there is no scale 'smol'"),
    (["run", "tiny.toml", "--device", "tpu"], "--device: given tpu, must be cpu or cuda"),
    (["run", "tiny.toml", "--time-limit", "soon"], "--time-limit: given 'soon', must be a time above 0"),
    (["run", "tiny.toml", "--results", "tiny.toml/x"], "results cannot be written to tiny.toml/x"),
    (["run", "tiny.toml", "--devise", "cpu"], "there is no option --devise; did you mean --device?"),
    (["run"], "Missing argument"),
    (["runn"], "No such command 'runn'"),
    (["calibrate", "tiny.toml", "--draws", "x"], "--draws"),
    (["keys", "makrov"], "there is no study, source, method, norm, activation or loss 'makrov'; did you mean markov"),
    (["status", "--results", "nothing"], "nothing holds no results"),
    (["figures", "--results", "nothing"], "nothing holds no results"),
    (["report", "--results", "nothing"], "nothing holds no results"),
]


@pytest.mark.parametrize("arguments, said", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_errors_are_lines_that_name_what_is_wrong(answer, arguments, said) -> None:
    done = answer(*arguments)
    assert done.status == 2
    assert said in done.err
    assert done.out == ""
    assert len(done.err.splitlines()) <= 2
    assert all(line.startswith("testbed: ") for line in done.err.splitlines())


def test_a_gpu_that_is_not_there(answer) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = answer("run", "tiny.toml", "--device", "cuda")
    assert done.status == 2
    assert "--device: given cuda, but torch finds no GPU" in done.err
    done = answer("run", "tiny.toml", "--device", "cuda", "--dask", "nonsense")  # its workers need one, this does not
    assert "nonsense is no address" in done.err


def test_damaged_and_busy_results(answer, tmp_path) -> None:
    with Store(tmp_path / "results", writable=True):
        done = answer("run", "tiny.toml")
        assert done.status == 2
        assert "results is in use by process" in done.err
    (tmp_path / "results" / "records.sqlite").write_bytes(b"damage" * 1000)
    done = answer("status")
    assert done.status == 2
    assert "records.sqlite cannot be used: file is not a database" in done.err


def test_a_plugin_that_has_moved(answer, tmp_path) -> None:
    moved = tmp_path / "moved" / PLUGIN.name
    answer("run", "tiny.toml")
    with Store(tmp_path / "results", writable=True) as store:
        (run,) = store.runs()
        details = {**run["details"], "plugins": [str(moved)]}
        store.save_run(run["config_key"], "tiny", "laptop", run["config"], (), details)
    done = answer("figures")
    assert done.status == 1
    assert f"its plugin {moved} is gone; say where it is by --plugin FILE" in done.err
    assert answer("figures", "--plugin", PLUGIN).status == 0


def test_a_bug_keeps_its_traceback(answer, monkeypatch) -> None:
    monkeypatch.setattr("testbed.commands.describe.print_table", None)
    with pytest.raises(TypeError):
        answer("list")


# ---- processes of their own
SLOW = ("run", "tiny.toml", "wait=0.15", "seeds=6", "positions_per_ensemble=1")


def started(folder: Path, n_done: int) -> subprocess.Popen:
    write_config(folder)
    process = subprocess.Popen(
        command(*SLOW), cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=interruptible
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (folder / "results" / "records.sqlite").is_file():
            try:
                if len(contents(folder / "results")) >= n_done:
                    return process
            except Exception:  # the very first moments: no table yet
                pass
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    raise AssertionError("the run did not get going")


@pytest.mark.slow  # and twenty times in tests/runs/test_nothing_lost.py
def test_a_killed_run_loses_one_ensemble_at_most(answer, tmp_path) -> None:
    process = started(tmp_path, 5)
    process.kill()
    process.wait()
    process.stderr.close()
    before = contents(tmp_path / "results")
    assert 5 <= len(before) < 14
    done = answer(*SLOW)
    assert done.status == 0
    assert f"{14 - len(before)} cells run, {len(before)} done before" in done.out
    after = contents(tmp_path / "results")
    assert {key: after[key] for key in before} == before
    assert len(after) == 14


def test_ctrl_c_stops_within_seconds_and_gives_130(answer, tmp_path) -> None:
    process = started(tmp_path, 4)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "testbed: interrupted; the same command goes on from here"
    assert "Traceback" not in said
    assert answer(*SLOW).status == 0


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["list"], ["keys", "optimal_context"], ["run", "tiny.toml", "--dry-run"]],
)
def test_light_commands_import_nothing_heavy(tmp_path, arguments) -> None:
    write_config(tmp_path)
    script = f"""
import sys
from testbed.cli import call
status = call({arguments!r})
print("loaded", *sorted({HEAVY!r} & set(sys.modules)))
sys.exit(status)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"


def test_plugins_lie_beside_the_config(tmp_path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "mine.py").write_text(PLUGIN.read_text())
    (tmp_path / "lab" / "mine.toml").write_text('study = "tiny"\nplugins = ["mine.py"]\n')
    done = subprocess_call("run", "lab/mine.toml", "--dry-run", cwd=tmp_path)
    assert done.status == 0, done.err


def test_a_reader_may_stop_early(tmp_path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command("list"), env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
