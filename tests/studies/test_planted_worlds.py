"""The judge of every shipped study on its planted worlds, whose right verdicts are known.

Each study is judged as often as its laptop config plans replicates. The draws are seeded: that no verdict is wrong is a
fact about these draws; how often one is wrong is measured by `testbed calibrate` and stands beside the verdicts.
"""

import re
from pathlib import Path

import pytest

from testbed.studies.configs import load_studies
from testbed.studies.judge import calibrate

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
DEAR = {
    "bayes_risk_law", "estimator_court", "length_extrapolation", "mep_extension", "optimal_context",
    "optimal_context_laws",
}  # fmt: skip
"""Studies whose draws take seconds."""

NEVER_TRUE = {
    "optimal_context_laws": (
        "horizon_power_distance", "tabular_on_lags", "tabular_on_sharp", "tabular_on_keys", "tabular_on_pairs",
        "parameter_on_table", "parameter_on_sharp", "horizon_on_blunt", "horizon_on_sharp", "horizon_on_pairs",
        "quanta_on_table", "quanta_on_blunt",
    ),
    "parity_replication": ("a3",),
}  # fmt: skip
"""Controls: a law on what it was not made for, which no planted world makes true."""

TOO_FEW_REPLICATES = {
    "approximation_law": ("c6_power_network",),
    "attention_sharpness": ("coin_collapsed",),
    "irreducible_loss": ("trained", "trained_floor"),
    "linear_attention_entropy": ("hyper_copies",),
    "optimal_context": ("no_fall",),
    "optimal_context_laws": ("grows_pairs",),
    "positional_prior": ("exponential_rest", "power_rest", "single_rope"),
}
"""Claims that the laptop's replicates, or windows, leave undecided, even where they are true; larger scales decide."""


@pytest.mark.parametrize(
    "config",
    [pytest.param(path, marks=[pytest.mark.slow] * (path.stem in DEAR), id=path.stem) for path in CONFIGS],
)
def test_planted_worlds_are_recognised(config):
    """No verdict is wrong, each claim is seen to hold in one world and to fail in another, and a world that it names as
    its control is one in which it fails."""
    (study,) = load_studies(config, "laptop")
    confusion = calibrate(study.worlds(), study.n_replicates, n_draws=2, seed=1, alpha=study.alpha)
    assert [(row.world, row.claim) for row in confusion.rows if row.wrong] == []
    worlds = {row.world for row in confusion.rows}
    one_sided = {f"{config.stem}.{name}": "holds" for name in NEVER_TRUE.get(config.stem, ())}
    weak = {f"{config.stem}.{name}" for name in TOO_FEW_REPLICATES.get(config.stem, ())}
    for claim in study.claims():
        failing = {row.world for row in confusion.rows if row.claim == claim.id and row.expected == "fails"}
        named = worlds & set(re.findall(r"'([^']+)'", claim.control))
        assert not named or named & failing, (claim.id, claim.control)
        for word in ("holds", "fails"):
            rows = [row for row in confusion.rows if row.claim == claim.id and row.expected == word]
            assert bool(rows) == (one_sided.get(claim.id) != word), (claim.id, word)
            if rows and claim.id not in weak:
                assert any(row.counts[word] for row in rows), (claim.id, word)
