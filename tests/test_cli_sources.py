"""`testbed source` and `testbed sample`: what they print, what they write, and what they refuse."""

import csv
import hashlib
import json
import math
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from tiny import Answer, environment

from testbed.cli import call
from testbed.sources import build
from testbed.sources.source import sources

PLUGIN = '''
from testbed.sources.iid import IIDSource
from testbed.sources.source import source

@source("three_letters")
class ThreeLetters(IIDSource):
    """Three letters, equally likely."""

    vocab_size: int = 3
'''

CONFIG = """
study = "optimal_context"
[source]
type = "markov"
kernel = "kernel.csv"
[[scales.smoke.arms]]
source = { type = "iid", probabilities = [0.5, 0.5] }
"""


@pytest.fixture
def answer(tmp_path, monkeypatch, capsys):
    """Call the command line in this process, in a folder of its own with a study's config and a plain one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernel.csv").write_text("0.9,0.1\n0.3,0.7\n")
    (tmp_path / "study.toml").write_text(CONFIG)
    (tmp_path / "plain.toml").write_text('type = "iid"\nprobabilities = [0.9, 0.1]\n')
    (tmp_path / "letters.py").write_text(PLUGIN)

    def ask(*arguments: object) -> Answer:
        status = call([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return ask


def line_of(done: Answer, name: str) -> list[str]:
    """The cells of the line that begins with this name."""
    (line,) = [one.strip() for one in done.out.splitlines() if one.strip().startswith(f"{name}  ")]
    return line.removeprefix(name).split()


# ---- testbed source ----


def test_the_card_says_what_is_known(answer) -> None:
    done = answer("source", "random_hierarchy", "vocab_size=4", "depth=2", "--max-context", "3")
    assert done.status == 0, done.err
    assert done.out.startswith("random_hierarchy: Random hierarchy model")
    assert line_of(done, "vocab_size") == ["4"]
    assert line_of(done, "stationary") == ["no"]
    rate = 5 * math.log(2) / 4
    assert line_of(done, "entropy rate") == [f"{rate:.6f}", f"{rate / math.log(2):.6f}", "exact"]
    source = build({"type": "random_hierarchy", "vocab_size": 4, "depth": 2})
    assert line_of(done, "fingerprint") == [source.fingerprint]
    for l, h in enumerate(source.conditional_entropies(3).lower):
        assert line_of(done, f"h_{l}")[:2] == [f"{h:.6f}", f"{h / math.log(2):.6f}"]
    assert "h_4" not in done.out
    assert line_of(done, "two-point correlation, lag 1")[-1] == "exact"


def test_infinities_brackets_errors_and_refusals_are_shown(answer) -> None:
    assert line_of(answer("source", "biased_coin"), "excess entropy") == ["inf", "inf", "exact"]
    bracket = answer("source", "simple_nonunifilar")
    assert line_of(bracket, "entropy rate")[-1] == "bracket"
    assert "statistical complexity: refused: C_mu" in bracket.out
    sampled = answer("source", "random_hierarchy", "--max-context", "9")
    assert line_of(sampled, "h_9")[1] == "±"
    assert "[-] two standard errors each way" in sampled.out
    question = answer("source", "associative_recall")
    assert question.status == 0
    assert "h_l, excess entropy: refused" in question.out
    assert "loss at 11 of 12" in question.out


def test_the_plot_has_an_honest_axis(answer) -> None:
    rows = answer("source", "golden_mean", "--max-context", "2").out.splitlines()
    at = next(i for i, row in enumerate(rows) if row.strip().startswith("l +"))
    axis, zero, one = (row[9:] for row in (rows[at], rows[at + 1], rows[at + 2]))
    assert rows[at - 1].split() == ["0", "0.636514", "nats"]
    assert zero.index("o") == len(axis) - 1
    assert one.index("o") == pytest.approx(0.462098 / 0.636514 * (len(axis) - 1), abs=0.5)
    assert zero.index(":") == one.index("o")
    narrow = answer("source", "markov", "kernel=[[0.5,0.5],[0.52,0.48]]").out
    assert "(does not start at 0)" in narrow


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_figure_and_its_numbers(answer, tmp_path, suffix) -> None:
    done = answer("source", "golden_mean", "--figure", f"golden{suffix}", "--max-context", "2")
    assert done.status == 0, done.err
    first = (tmp_path / f"golden{suffix}").read_bytes()
    rows = list(csv.DictReader((tmp_path / "golden.csv").open()))
    assert [row["quantity"] for row in rows] == ["conditional_entropies"] * 3 + ["entropy_rate", "excess_entropy"]
    assert float(rows[3]["lower_nats"]) == pytest.approx(2 / 3 * math.log(2), abs=1e-9)
    assert answer("source", "golden_mean", "--figure", f"golden{suffix}", "--max-context", "2").status == 0
    assert (tmp_path / f"golden{suffix}").read_bytes() == first
    assert answer("source", "associative_recall", "--figure", "losses.png").status == 0
    assert answer("source", "iid", "vocab_size=2", "--figure", "flat.png").status == 0


def test_a_figure_never_replaces_a_file_of_numbers_that_is_none_of_its_own(answer, tmp_path) -> None:
    done = answer("source", "study.toml", "--figure", "kernel.png")
    assert done.status == 2
    assert "--figure: kernel.csv, where its numbers go, is there already and holds something else" in done.err
    assert (tmp_path / "kernel.csv").read_text() == "0.9,0.1\n0.3,0.7\n"


# ---- which source ----


def test_sources_of_configs_tables_and_plugins(answer, monkeypatch) -> None:
    sources.names()
    monkeypatch.setattr(sources, "_classes", dict(sources._classes))  # what the plugin registers stays in this test
    assert line_of(answer("source", "plain.toml"), "probabilities") == ["[0.9,", "0.1]"]
    assert line_of(answer("source", "plain.toml", "probabilities=[0.25,0.75]"), "probabilities") == ["[0.25,", "0.75]"]
    study = answer("source", "study.toml")
    assert line_of(study, "entropy rate")[0] == f"{0.75 * 0.325083 + 0.25 * 0.610864:.6f}"
    place = answer("source", "study.toml", "--table", "scales.smoke.arms.0.source")
    assert line_of(place, "entropy rate")[0] == "0.693147"
    shipped = answer("source", "optimal_context", "--table", "scales.smoke.arms.0.source", "--max-context", "0")
    assert shipped.out.startswith("lag_markov")
    nested = answer("source", "mixture", 'components=[{type="iid",vocab_size=2},"golden_mean"]', "components.1.p=0.25")
    assert "golden_mean(p = 0.25)" in nested.out
    assert answer("source", "three_letters", "--plugin", "letters.py").out.startswith("three_letters: Three letters")


WRONG = [
    (["source", "markv"], "there is no source or config 'markv'; did you mean markov"),
    (["source", "none.toml"], "there is no config none.toml"),
    (["source", "markov"], "markov: vocab_size: this key is needed"),
    (["source", "iid", "vocab_size"], "an override reads key=value"),
    (["source", "plain.toml", "vocab_sise=2"], "plain.toml: vocab_sise: unknown key, did you mean vocab_size?"),
    (["source", "iid", "--table", "source"], "--table: given source, but iid is a type"),
    (["source", "study.toml", "--table", "arms"], "say one by --table: source, scales.smoke.arms.0.source"),
    (["source", "optimal_context"], "no table of a source at 'source'; say one by --table: scales.smoke.arms.0.source"),
    (["source", "golden_mean", "--figure", "a.jpg"], "--figure: given a.jpg; the name must end in .pdf or .png"),
    (["source", "golden_mean", "--figure", "no/a.png"], "--figure: there is no folder no"),
    (["source", "mixture", 'components=["golden_mean"]', "components.3.p=1"], "given '3' for a list of 1; need a"),
    (["source", "golden_mean", "--plugin", "no.py"], "there is no file no.py"),
    (["sample", "golden_mean", "-n", "2", "-l", "2", "--out", "a.txt"], "the name must end in .npz or .parquet"),
    (["sample", "golden_mean", "-n", "2", "-l", "2", "--out", "no/a.npz"], "--out: there is no folder no"),
    (["sample", "golden_mean", "-n", "2", "-l", "-2", "--out", "a.npz"], "--length"),
    (["sample", "associative_recall", "-n", "2", "-l", "7", "--out", "a.npz"], "near it 4, 6, 8, 10"),
    (["sample", "golden_mean", "-l", "2", "--out", "a.npz"], "--sequences"),
]


@pytest.mark.parametrize("arguments, said", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_errors_are_lines_that_name_what_is_wrong(answer, tmp_path, arguments, said) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    done = answer(*arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert all(line.startswith("testbed: ") for line in done.err.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == before


# ---- testbed sample ----


def test_npz_holds_tokens_their_log_probabilities_and_the_truths(answer, tmp_path) -> None:
    key = ("broadcast_tree", "depth=2", "-n", 6, "-l", 10, "--seed", 3, "--first-sequence", 5, "--out", "b.npz")
    done = answer("sample", *key)
    assert done.status == 0, done.err
    source = build({"type": "broadcast_tree", "depth": 2})
    batch = source.batch(6, 10, seed=3, first_sequence=5)
    with np.load(tmp_path / "b.npz", allow_pickle=False) as file:
        assert np.array_equal(file["tokens"], batch.tokens)
        assert file["tokens"].dtype == batch.tokens.dtype
        assert np.array_equal(file["log_probs"], source.log_probs(batch.tokens))
        assert file["judged"].all()
        assert np.array_equal(file["conditional_entropies_lower"], source.conditional_entropies(12).lower)
        assert np.array_equal(file["position_losses_lower"], source.position_losses(10).lower)
        metadata = json.loads(str(file["metadata"]))
    assert metadata["fingerprint"] == source.fingerprint
    assert build(metadata["config"]) == source
    assert (metadata["seed"], metadata["first_sequence"]) == (3, 5)
    assert metadata["truths"]["entropy_rate"]["lower"] == source.entropy_rate().lower
    assert f"mean -ln p    {-source.log_probs(batch.tokens).mean():.6g} nats over 60 judged positions" in done.out


def test_files_do_not_depend_on_chunks_and_repeat_to_the_byte(answer, tmp_path, monkeypatch) -> None:
    key = ("sample", "golden_mean", "-n", 7, "-l", 5, "--out")
    answer(*key, "whole.npz")
    monkeypatch.setattr("testbed.commands.sample.CHUNK_BYTES", 200)  # two sequences at a time
    answer(*key, "parts.npz")
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("whole.npz", "parts.npz")}
    assert len(digests) == 1
    assert not list(tmp_path.glob(".*"))
    with zipfile.ZipFile(tmp_path / "parts.npz") as archive:
        assert archive.testzip() is None


def test_inputs_judged_positions_and_infinite_truths_are_written(answer, tmp_path) -> None:
    assert answer("sample", "scalar_argmax", "-n", 3, "-l", 9, "--out", "s.npz").status == 0
    source = build("scalar_argmax")
    batch = source.batch(3, 9)
    with np.load(tmp_path / "s.npz") as file:
        assert np.array_equal(file["inputs"], batch.inputs)
        assert np.array_equal(file["judged"], batch.judged)
        assert "conditional_entropies_lower" not in file
        assert "asks about all sites" in json.loads(str(file["metadata"]))["refused"]["conditional_entropies"]
    assert answer("sample", "biased_coin", "-n", 0, "-l", 9, "--out", "c.npz").status == 0
    with np.load(tmp_path / "c.npz") as file:
        assert file["tokens"].shape == (0, 9)
        assert file["excess_entropy_lower"] == math.inf
        assert json.loads(str(file["metadata"]))["truths"]["excess_entropy"]["lower"] == "inf"


def test_files_are_replaced_only_by_force(answer, tmp_path) -> None:
    key = ("sample", "iid", "vocab_size=2", "-n", 2, "-l", 3, "--out", "a.npz")
    assert answer(*key).status == 0
    before = (tmp_path / "a.npz").read_bytes()
    refused = answer(*key, "--seed", 1)
    assert refused.status == 2
    assert "--out: a.npz is there already; --force replaces it" in refused.err
    assert (tmp_path / "a.npz").read_bytes() == before
    assert answer(*key, "--seed", 1, "--force").status == 0
    assert (tmp_path / "a.npz").read_bytes() != before


def test_parquet_without_pyarrow_says_what_is_needed(answer, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = answer("sample", "golden_mean", "-n", 2, "-l", 3, "--out", "a.parquet")
    assert done.status == 2
    assert "pip install 'testbed[analysis]'" in done.err
    assert not list(tmp_path.glob("*parquet*"))


def test_parquet_has_a_row_for_each_token(answer, tmp_path, monkeypatch) -> None:
    import pyarrow.parquet as parquet

    monkeypatch.setattr("testbed.commands.sample_files.ROWS_PER_GROUP", 18)
    key = ("sample", "scalar_argmax", "-n", 5, "-l", 9, "--first-sequence", 2**63)
    assert answer(*key, "--out", "a.parquet").status == 0
    assert answer(*key, "--out", "a.npz").status == 0
    table = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    with np.load(tmp_path / "a.npz") as file:
        assert table["token"] == file["tokens"].reshape(-1).tolist()
        assert table["log_prob"] == file["log_probs"].reshape(-1).tolist()
        assert table["judged"] == file["judged"].reshape(-1).tolist()
        assert table["input_0"] == file["inputs"][..., 0].reshape(-1).tolist()
        text = parquet.read_schema(tmp_path / "a.parquet").metadata[b"testbed"].decode()
        assert json.loads(text) == json.loads(str(file["metadata"]))
    assert table["sequence"][::9] == [2**63 + i for i in range(5)]
    assert table["position"] == list(range(9)) * 5
    assert answer("sample", "golden_mean", "-n", 0, "-l", 9, "--out", "none.parquet").status == 0
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


# ---- what is imported ----


@pytest.mark.parametrize("arguments", [["source", "--help"], ["sample", "--help"]])
def test_help_imports_nothing_heavy(arguments) -> None:
    script = f"""
import sys
from testbed.cli import call
status = call({arguments!r})
print("loaded", *sorted({{"numpy", "torch", "numba", "scipy", "matplotlib"}} & set(sys.modules)))
sys.exit(status)
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"


def test_a_card_imports_no_torch() -> None:
    script = "import sys; from testbed.cli import call; call(['source', 'golden_mean']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
