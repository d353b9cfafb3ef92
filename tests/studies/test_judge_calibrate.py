"""The confusion table on planted worlds."""

import json

import numpy as np
import pytest

from testbed.studies.judge import Claim, Exact, Mean, Region, Replicates, Student, World, calibrate, clopper_pearson


def claim(id: str) -> Claim:
    return Claim(
        id=id,
        statement="positive",
        paper="Author 2025",
        place="section 3",
        reading="quoted",
        scope="all",
        control="negative",
        region=Region(lower=0),
        margin=0.0,
        decided_at="smoke",
    )


def world(name: str, mean: float, expected: str | None) -> World:
    def draw(rng: np.random.Generator, n: int):
        design = Replicates.grid({"kernel": n}, seed=0)
        return [(claim("drawn"), Mean(rng.normal(mean, 1.0, size=n), design)), (claim("exact"), Exact(mean))]

    return World(name, {"drawn": expected, "exact": None}, draw)  # type: ignore[dict-item]


def test_planted_worlds():
    """alpha bounds the wrong rate (false alarm 1e-4); power where the effect is large; equal seeds, equal tables."""
    worlds = [world("positive", 2.0, "holds"), world("negative", -2.0, "fails"), world("none", -1e-9, "fails")]
    table = calibrate(worlds, n_replicates=6, n_draws=300, seed=1)
    rows = {(row.world, row.claim): row for row in table.rows}
    assert rows["positive", "drawn"].power > 0.8
    assert rows["negative", "drawn"].power > 0.8
    assert rows["none", "drawn"].counts["undecided"] > 250
    assert rows["positive", "exact"].power is None
    assert rows["positive", "exact"].wrong == 0
    for name in ("positive", "negative", "none"):
        assert clopper_pearson(table.family[name], 300, 2e-4)[0] <= 0.05
    assert table == calibrate(worlds, n_replicates=6, n_draws=300, seed=1)
    assert table != calibrate(worlds, n_replicates=6, n_draws=300, seed=2)


def test_an_overconfident_evidence_is_caught():
    """Spread reported at a fifth of what it is: the table shows wrong verdicts far beyond alpha."""

    def draw(rng: np.random.Generator, n: int):
        return [(claim("c"), Student(float(rng.normal(-1e-9, 1 / np.sqrt(n))), 0.2, n))]

    table = calibrate([World("lie", {"c": "fails"}, draw)], n_replicates=6, n_draws=200, seed=0)
    assert table.family_interval("lie")[0] > 0.05


def test_renderings():
    table = calibrate([world("positive", 9.0, "holds")], n_replicates=5, n_draws=20, seed=0)
    text = table.to_text()
    assert text.splitlines()[0] == "20 draws with 5 independent replicates each; alpha = 0.05"
    assert "0.000 (0.000 to 0.168)" in text
    assert "(any claim)" in text
    data = json.loads(json.dumps(table.to_dict()))
    assert data["rows"][0]["holds"] == 20
    assert data["rows"][0]["power"] == 1
    assert data["family"]["positive"]["wrong_rate"] == 0


def test_clopper_pearson_is_scipys():
    from scipy.stats import binomtest

    for successes, trials in [(0, 7), (3, 7), (7, 7), (40, 1000)]:
        expected = binomtest(successes, trials).proportion_ci(0.95, "exact")
        assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high))


def test_what_is_refused():
    with pytest.raises(ValueError, match="names of their own"):
        calibrate([world("a", 0.0, None), world("a", 1.0, None)], 5, 1, seed=0)
    lost = World("lost", {"drawn": None, "missing": None}, world("a", 0.0, None).draw)
    with pytest.raises(ValueError, match="draws the claims"):
        calibrate([lost], 5, 1, seed=0)
    with pytest.raises(ValueError, match="successes"):
        clopper_pearson(3, 2)
