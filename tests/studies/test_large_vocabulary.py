"""The study `large_vocabulary`: flows against slow twins, numbers of the claims, a smoke run."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.large_vocabulary import LargeVocabulary
from testbed.studies.large_vocabulary.claims import HOLDS, STUDY, claims, evidence
from testbed.studies.large_vocabulary.config import ARMS, FORMS, PRODUCTS, Flow, Network, zipf
from testbed.studies.large_vocabulary.data import gather
from testbed.studies.large_vocabulary.flow import Labels, descended, from_the_law, gradient
from testbed.studies.large_vocabulary.grid import all_cells, member_cell, tuned
from testbed.studies.large_vocabulary.measure import bin_edges, by_bin, by_decile
from testbed.training.losses.cut_cross_entropy import CutCrossEntropy

CONFIG = Path(__file__).parents[2] / "configs" / "large_vocabulary.toml"


@pytest.fixture(scope="module")
def smoke() -> LargeVocabulary:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, LargeVocabulary)
    return study


# ------------------------------------------------------------------------------------------------ flows
FLOW = Flow(threshold=0.04, targets_per_step=12, block_targets=4, block_tokens=5, steps=8)


def slow_gradient(form, q, tokens):
    """Target by target and entry by entry, with blocks looked through one by one."""
    size, v = len(tokens), len(q)
    full = np.tile(q, (size, 1))
    full[np.arange(size), tokens] -= 1.0
    rows, columns = {"whole": (size, v), "entries": (1, 1), "blocks": (4, 5)}[form]
    total = np.zeros(v)
    for i in range(0, size, rows):
        for a in range(0, v, columns):
            block = full[i : i + rows, a : a + columns]
            if form == "whole" or np.abs(block).max() >= FLOW.threshold:
                total[a : a + columns] += block.sum(axis=0)
    return total / size


@pytest.mark.parametrize("form", FORMS)
def test_a_step_is_the_filtered_gradient_of_every_target(form):
    """The labels of the fast path, by the same generator; a label's own entry is q - 1, above any threshold here."""
    p, rng = zipf(18, 1.0), np.random.default_rng(2)
    for seed in range(6):
        q = rng.dirichlet(np.full(18, 0.5))
        labels = Labels(p, FLOW, seed)
        uniforms = np.random.default_rng([seed, 4096]).random(12)
        tokens = np.array([int((u * p.sum() > np.cumsum(p)).sum()) for u in uniforms])
        shares, hits = labels.draw()
        np.testing.assert_allclose(gradient(form, q, shares, labels, hits), slow_gradient(form, q, tokens), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_the_exact_step_is_the_mean_of_sampled_ones(form):
    """Of 4,000 draws, within 6 standard errors in every coordinate: false alarm below 1e-6."""
    p, q = zipf(18, 1.0), np.random.default_rng(1).dirichlet(np.full(18, 0.5))
    exact, sampled = Labels(p, FLOW, None), Labels(p, FLOW, 0)
    found = np.array([gradient(form, q, *(lambda n, h: (n, sampled, h))(*sampled.draw())) for _ in range(4_000)])
    shares, hits = exact.draw()
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - gradient(form, q, shares, exact, hits)) < 6 * error + 1e-12).all()
    if form == "entries":
        field = CutCrossEntropy(threshold=FLOW.threshold).field(p, q)
        np.testing.assert_allclose(gradient(form, q, shares, exact, hits), field, atol=1e-12)


def test_the_exact_descent_comes_to_the_fixed_point():
    p = zipf(64, 1.0)
    flow = FLOW.replace(threshold=1 / 256, steps=4000, rate=6.0, points=2)
    *_, (_, laws) = descended(p, flow, None)
    np.testing.assert_allclose(laws[0], p, atol=1e-4)
    assert np.abs(laws[1] - CutCrossEntropy(threshold=1 / 256).fixed_point(p)).sum() < 1e-3
    flow = flow.replace(threshold=1 / 32)
    times, excess = from_the_law(p, flow, 64, 20)
    assert times.tolist() == [1, 2, 4, 8, 16, 20, 32, 64]
    assert (np.diff(excess) > 0).all()


def test_tenths_and_ranges_are_means_over_ranks():
    values = np.random.default_rng(0).standard_normal((3, 57))
    edges = bin_edges(57, 7)
    assert edges[0] == 0
    assert edges[-1] == 57
    slow = [values[:, a:b].mean(axis=1) for a, b in pairwise(edges)]
    np.testing.assert_allclose(by_bin(values, 7), np.transpose(slow))
    np.testing.assert_allclose(by_decile(values)[:, 0], values[:, :6].mean(axis=1))


# ------------------------------------------------------------------------------------------------ cells
def test_every_context_of_the_sources_has_a_zipf_law():
    network = Network(iid_vocab=16, bigram_vocab=20, kinds=3)
    for name in ARMS:
        law = network.source(name, 5).context_law(1).laws
        np.testing.assert_allclose(
            -np.sort(-law, axis=1), np.tile(zipf(network.vocab_size(name), 1.0), (len(law), 1)), atol=1e-8
        )
        assert len(np.unique(law.round(9), axis=0)) == (1 if name == "iid" else 3)
        assert network.source(name, 5) != network.source(name, 6)


def test_losses_of_a_replicate_differ_in_the_loss_alone_and_never_means_never(smoke):
    for source, arms in ARMS.items():
        specs = [member_cell(smoke, source, arm, 3, 1e-2).training for arm in arms]
        assert len({spec.training_key for spec in specs}) == len(specs)
        assert len({spec.replace(objective="cross_entropy") for spec in specs}) == 1
    for scale in ("laptop", "gpu", "full"):
        network = load_studies(CONFIG, scale)[0].network
        assert zipf(network.iid_vocab, network.exponent).min() > PRODUCTS["never"] / network.iid_vocab


def test_the_rate_of_every_loss_is_that_of_its_least_excess(smoke):
    study = smoke.replace(tuning=smoke.tuning.replace(learning_rates=(1e-3, 1e-2, 1e-1), tie=0.01))
    _, cells = tuned(study, "iid", "four", {})
    left = {1e-3: 0.3, 1e-2: 0.105, 1e-1: 0.1}
    finished = {
        cell.key: Record(cell.key, cell.study, cell.resolved(), "done", {"excess": left[cell.probe.learning_rate]})
        for cell in cells
    }
    assert tuned(study, "iid", "four", finished)[0] == 1e-2


@pytest.mark.parametrize("scale", ["laptop", "gpu", "full"])
def test_verdicts_come_from_seeds_that_development_did_not_see(scale):
    (study,) = load_studies(CONFIG, scale)
    assert study.n_seeds >= 8
    assert min(study.seeds) >= 300


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
def test_every_scale_names_its_flows_and_its_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = list(all_cells(study, {}))
    losses = sum(map(len, ARMS.values()))
    expected = 1 + 4 * (1 + study.n_seeds) + losses * len(study.tuning.learning_rates) * study.tuning.n_seeds
    assert len({cell.key for cell in cells}) == len(cells) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("flat={vocab_size=4096, exponent=1.0}", "must be above the threshold"),
        ("flow.targets_per_step=30", "multiple of block_targets"),
        ("network.bigram_vocab=4", "bigram_vocab"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke" if "flow" in override else "laptop", [override])


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    failed = [check.name for check in judged.checks if not check.passed]
    assert [one for one in failed if not one.startswith("by the fixed point")] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["tail", "cost", "path"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    lost = smoke.judge([one for one in finished if one.probe["kind"] != "extras"])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_the_numbers_of_the_claims_are_those_of_slow_loops(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    numbers = {name.partition(".")[2]: one.estimate for name, one in evidence(smoke, data).items()}
    found = {tuple(r.probe.get(k) for k in ("kind", "role", "source", "arm", "seed")): r for r in finished}
    lost, blocks, helped, off = [], [], [], []
    for seed in smoke.seeds:
        flow = found["flow", "large", None, None, seed].arrays
        lost.append(flow["excess"][1] - flow["excess"][0])
        blocks.append(flow["excess"][2] - flow["excess"][0])
        exact = found["flow", "large", None, None, None].arrays["decile"][1]
        off.append(max(abs(a - b) for a, b in zip(flow["decile"][1], exact, strict=True)))
        four, full = (found["member", None, "bigram", arm, seed].metrics["excess"] for arm in ("four", "full"))
        helped.append(four - full)
    assert numbers["no_loss_large"] == pytest.approx(np.mean(lost))
    assert numbers["no_loss_blocks_large"] == pytest.approx(np.mean(blocks))
    assert numbers["full_helps_bigram"] == pytest.approx(np.mean(helped))
    assert numbers["path_large"] == pytest.approx(np.mean(off))


def test_where_plain_cross_entropy_is_not_at_rest_nothing_is_decided(finished):
    (strict,) = load_studies(CONFIG, "smoke", ["bounds.gate=1e-9"])
    decided = {one.claim.id for one in strict.judge(finished).verdicts if one.verdict != "undecided"}
    assert decided <= {f"{STUDY}.no_loss_tuned"}
    assert {one.id for one in claims(strict)} == {f"{STUDY}.{name}" for holding in HOLDS.values() for name in holding}
