"""The study `length_extrapolation`: what multipliers cost attention that is exact without them."""

from pathlib import Path

import numpy as np
import pytest

from testbed.methods import methods
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.length_extrapolation.grid import OracleProbe
from testbed.studies.length_extrapolation.oracle import excess_of, has_oracle, logit_std, power_of, tempered_laws

CONFIG = Path(__file__).parents[2] / "configs" / "length_extrapolation.toml"

ORACLES = [
    {"type": "dirichlet_iid", "vocab_size": 4, "concentration": "1/4"},
    {"type": "dirichlet_iid", "vocab_size": 2, "concentration": 3},
    {"type": "reliability_classes", "n_values": 3, "ratio": 8, "noise": 0.1},
    {"type": "noisy_retrieval", "n_values": 3, "signal": [0.1, 0.3, 0.6], "background": [0.6, 0.3, 0.1], "noise": 0.1},
]


@pytest.mark.parametrize("config", ORACLES, ids=lambda config: config["type"])
def test_oracles_are_exact_at_multiplier_one(config):
    source = build(config)
    assert has_oracle(source)
    for length in source.lengths(60)[-1:]:
        tokens = source.sample(50, length, seed=3)
        exact = source.predict(tokens, positions=[length - 1])[:, 0]
        assert tempered_laws(source, tokens, 1.0) == pytest.approx(exact, abs=1e-6)  # channel and prior are dyadic
        excess, error = excess_of(source, tokens, np.array([1.0, 1.5]))
        assert excess[0] < 1e-6
        assert error.shape == (2,)


def test_oracles_are_one_softmax_row():
    """The slow twin: attention of one query over the past, its logits multiplied, sequence by sequence."""
    source = build(ORACLES[3])
    tokens = source.sample(20, 22, seed=1).astype(int)
    ratio = np.array([0.1, 0.3, 0.6]) / np.array([0.6, 0.3, 0.1])
    found = tempered_laws(source, tokens, 2.5)
    for row, law in zip(tokens, found, strict=True):
        logits = [2.5 * np.log(ratio[row[2 * j] - 3]) for j in range(10)]
        w = np.exp(logits) / np.exp(logits).sum()
        wanted = sum(w[j] * source.channel_law[row[2 * j + 1]] for j in range(10))
        assert law[:3] == pytest.approx(wanted, abs=1e-7)


def test_the_averaging_source_is_an_exact_no_op_only_where_the_begin_symbol_counts_one():
    for config, exact in ((ORACLES[0], True), (ORACLES[1], False)):
        source = build(config)
        excess, _ = excess_of(source, source.sample(200, 32, seed=2), np.array([1.3, 30.0]))
        assert bool(excess.max() < 1e-12) is exact


def test_multipliers_are_the_methods_own():
    log_n, headwise = methods.build("log_n"), methods.build("headwise_lambda")
    assert power_of(log_n, 256, 16, 64, std=1.0) == pytest.approx(np.log(256) / np.log(64))
    assert power_of(headwise, 256, 16, 64, std=2.0) == pytest.approx(np.sqrt(1 + 2 * np.log(4) / 4))
    source = build(ORACLES[2])
    share = (source.sample(4000, 62, seed=0)[:, :-2] >= 6).mean()
    assert logit_std(source, source.sample(4000, 62, seed=0)) == pytest.approx(
        np.log(8) * np.sqrt(share * (1 - share)), rel=0.05
    )


@pytest.mark.parametrize("scale", ["laptop", "gpu"])
def test_the_negative_controls_can_produce_what_the_verdict_asks_for(scale):
    """At the longest length every multiplier costs exact attention well over the margin: T7b, and T1."""
    (study,) = load_studies(CONFIG, scale, ())
    for task in study.tasks:
        if task.role in ("classes", "evidence"):
            probe = next(
                cell.probe
                for cell in study.cells({})
                if isinstance(cell.probe, OracleProbe)
                and (cell.probe.task, cell.probe.ratio) == (task.name, study.largest(task))
            )
            powers = [power_of(one, probe.length, probe.head_dim, probe.train_length, 1.0) for one in probe.methods]
            excess, error = excess_of(task.source, task.source.sample(400, probe.length, 5), np.array(powers))
            assert np.all(excess - 5 * error > study.margin), task.name
