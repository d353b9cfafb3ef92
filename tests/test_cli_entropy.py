"""`testbed entropy`: what it prints, what it draws, and what it refuses."""

import csv
import math

import numpy as np
import pytest
from tiny import Answer

from testbed.cli import call
from testbed.measures.entropy import ESTIMATORS, conditional_entropies
from testbed.sources.hidden import GoldenMean


@pytest.fixture
def answer(tmp_path, monkeypatch, capsys):
    """Call the command line in this process, in a folder of its own with a sample of a known source."""
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "golden.npy", GoldenMean().sample(1, 5000, seed=1)[0])
    np.save(tmp_path / "one.npy", np.array([1], np.uint8))

    def ask(*arguments: object) -> Answer:
        status = call([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return ask


def table(done: Answer, after: str) -> dict[str, dict[str, str]]:
    """Cells by order and column of the table that follows the line with these words."""
    lines = done.out.splitlines()
    start = next(i for i, line in enumerate(lines) if after in line) + 1
    names = lines[start].split()
    rows = {}
    for line in lines[start + 1 :]:
        cells = line.replace("*", " ").split()
        if not cells:
            break
        rows[cells[0]] = dict(zip(names, cells, strict=True))
    return rows


def test_the_table_has_every_estimator_the_interval_and_the_truth(answer, tmp_path) -> None:
    done = answer("entropy", "golden.npy", "--max-order", 3, "--against", "golden_mean")
    assert (done.status, done.err) == (0, "")
    assert "5000 tokens, V = 2" in done.out
    assert "4-grams and all shorter ones, table of 16 bins" in done.out
    assert "trust limit   not reached" in done.out
    values, widths = table(done, "conditional entropy h_k"), table(done, "half-width of the 95% intervals")
    assert set(values["0"]) == {"k", "unseen", "truth", *ESTIMATORS}
    tokens = np.load(tmp_path / "golden.npy")
    for name in ("nsb", "zhang"):
        profile = conditional_entropies(tokens, 3, name)
        for k in range(4):
            assert values[str(k)][name] == f"{profile.values[k]:.5f}"
            assert widths[str(k)][name] == f"{(profile.upper[k] - profile.lower[k]) / 2:.5f}"
    assert values["2"]["truth"] == f"{2 / 3 * math.log(2):.5f}"
    assert ": entropy rate" in done.out


def test_orders_beyond_the_trust_limit_are_marked(answer, tmp_path) -> None:
    np.save(tmp_path / "coin.npy", np.random.default_rng(0).integers(0, 2, 300, dtype=np.uint8))
    done = answer("entropy", "coin.npy", "--interval", "none")
    marked = [line.split()[1] for line in done.out.splitlines() if line.startswith("* ")]
    limit = conditional_entropies(np.load(tmp_path / "coin.npy"), 8).trust_limit
    assert marked == [str(k) for k in range(limit + 1, 9)]
    assert f"trust limit   k = {limit}; at k = {limit + 1}" in done.out
    assert "half-width" not in done.out


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_figure_and_its_numbers(answer, tmp_path, suffix) -> None:
    key = ("golden.npy", "--max-order", 2, "--blocks", 3, "--against", "golden_mean", "--figure", f"h{suffix}")
    assert answer("entropy", *key).status == 0
    first = (tmp_path / f"h{suffix}").read_bytes()
    assert first.startswith(b"\x89PNG" if suffix == ".png" else b"%PDF")
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert len(rows) == 3 * len(ESTIMATORS) + 3 + 1
    assert {row["estimator"] for row in rows} == {*ESTIMATORS, "truth:conditional_entropies", "truth:entropy_rate"}
    assert all(float(row["lower_nats"]) <= float(row["value_nats"]) <= float(row["upper_nats"]) for row in rows)
    if suffix == ".png":
        assert answer("entropy", *key).status == 0
        assert (tmp_path / "h.png").read_bytes() == first


def test_a_figure_never_replaces_numbers_that_are_none_of_its_own(answer, tmp_path) -> None:
    (tmp_path / "h.csv").write_text("a,b\n")
    done = answer("entropy", "golden.npy", "--figure", "h.png")
    assert done.status == 2
    assert "h.csv, where its numbers go, is there already and holds something else" in done.err


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_sample_of_rows_is_read_as_sequences(answer, tmp_path, suffix) -> None:
    rows = GoldenMean().sample(20, 50, seed=1)
    (np.save if suffix == ".npy" else np.savez)(tmp_path / f"rows{suffix}", rows)
    done = answer("entropy", f"rows{suffix}", "--max-order", 1, "--array", "arr_0")
    assert "1000 tokens in 20 sequences of 50" in done.out
    assert table(done, "conditional entropy h_k")["1"]["nsb"] == f"{conditional_entropies(rows, 1).values[1]:.5f}"


def test_texts_raw_files_and_long_codes(answer, tmp_path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 20)
    text = answer("entropy", "text.txt", "--interval", "none")
    assert "(text, bytes): 840 tokens, V = 15" in text.out
    assert "9-grams and all shorter ones, sorted 64-bit codes" in text.out
    np.arange(3000, dtype=np.uint16).tofile(tmp_path / "raw.bin")
    raw = answer("entropy", "raw.bin", "--interval", "none")
    assert "trust limit   none: even single tokens are mostly unseen" in raw.out
    assert "5-grams" in raw.out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["none.npy"], "none.npy: there is no such file"),
        (["golden.npy", "--vocab-size", "1"], "golden.npy: token "),
        (["golden.npy", "--against", "golden_mean", "--vocab-size", "3"], "given 3, but golden_mean has 2 symbols"),
        (["golden.npy", "p=0.5"], "p=0.5: keys are those of a source; name it by --against TYPE"),
        (["one.npy"], "one.npy: 1 windows of 1 tokens are too few for 20 blocks; fewer --blocks, or --interval none"),
        (["one.npy", "--max-order", "1"], "one.npy: sequences of 1 tokens have no 2-grams; --max-order 0"),
        (["golden.npy", "--max-order", "70"], "max_order: 71-grams of 2 symbols take 71 bits"),
        (["golden.npy", "--interval", "no"], "there is no 'no'"),
        (["golden.npy", "--figure", "a.jpg"], "--figure: given a.jpg; the name must end in .pdf or .png"),
        (["golden.npy", "--against", "goldn"], "there is no source or config 'goldn'"),
    ],
)
def test_errors_are_lines_that_name_what_is_wrong(answer, arguments, said) -> None:
    done = answer("entropy", *arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert all(line.startswith("testbed: ") for line in done.err.splitlines())


@pytest.mark.parametrize("shape, order", [((25,), 5), ((20,), 0), ((4, 7), 2), ((60, 1), 0), ((400,), 8)])
def test_short_files_are_asked_for_what_they_can_say(answer, tmp_path, shape, order) -> None:
    np.save(tmp_path / "short.npy", np.random.default_rng(0).integers(0, 2, shape, dtype=np.uint8))
    done = answer("entropy", "short.npy")
    assert (done.status, done.err) == (0, "")
    assert f"{order + 1}-grams and all shorter ones" in done.out
