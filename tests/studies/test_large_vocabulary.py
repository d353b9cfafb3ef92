"""The study `large_vocabulary`: flows against slow twins, numbers of the claims, a smoke run."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.sources.iid import zipf_law
from testbed.studies import load_studies
from testbed.studies.large_vocabulary import LargeVocabulary
from testbed.studies.large_vocabulary.claims import COMPARED, HOLDS, STUDY, evidence, predicted_tenths
from testbed.studies.large_vocabulary.config import ARMS, FORMS, PRODUCTS, Flow, Network
from testbed.studies.large_vocabulary.data import gather
from testbed.studies.large_vocabulary.flow import Labels, descended, from_the_law, gradient
from testbed.studies.large_vocabulary.grid import all_cells, member_cell, tuned
from testbed.studies.large_vocabulary.judgement import unsettled
from testbed.studies.large_vocabulary.measure import bin_edges, by_bin, by_decile
from testbed.studies.large_vocabulary.worlds import planted
from testbed.training.losses.cut_cross_entropy import CutCrossEntropy

CONFIG = Path(__file__).parents[2] / "configs" / "large_vocabulary.toml"

SMALL = ["n_seeds=2", "network.steps=1", "network.warmup_steps=0", "network.iid_vocab=32", "evaluation.n_heldout=8"]


@pytest.fixture(scope="module")
def smoke() -> LargeVocabulary:
    """Of two replicates and one step: what is trained is not judged here, planted laws are."""
    (study,) = load_studies(CONFIG, "smoke", SMALL)
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
    p, rng = zipf_law(1.0, 18), np.random.default_rng(2)
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
    p, q = zipf_law(1.0, 18), np.random.default_rng(1).dirichlet(np.full(18, 0.5))
    exact, sampled = Labels(p, FLOW, None), Labels(p, FLOW, 0)
    found = np.array([gradient(form, q, *(lambda n, h: (n, sampled, h))(*sampled.draw())) for _ in range(4_000)])
    shares, hits = exact.draw()
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - gradient(form, q, shares, exact, hits)) < 6 * error + 1e-12).all()
    if form == "entries":
        field = CutCrossEntropy(threshold=FLOW.threshold).field(p, q)
        np.testing.assert_allclose(gradient(form, q, shares, exact, hits), field, atol=1e-12)


def test_the_exact_descent_comes_to_the_fixed_point():
    p = zipf_law(1.0, 64)
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
            -np.sort(-law, axis=1), np.tile(zipf_law(1.0, network.vocab_size(name)), (len(law), 1)), atol=1e-8
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
        assert zipf_law(network.exponent, network.iid_vocab).min() > PRODUCTS["never"] / network.iid_vocab


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
        ("network.kinds=300", "must be at most bigram_vocab 128"),
        ("small={vocab_size=16384}", "small: .* some token of its 16384 starves, must be none"),
        ("large={vocab_size=1024}", "large: .* no token of its 1024 starves, must be some"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke" if "flow" in override else "laptop", [override])


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
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


@pytest.mark.parametrize("gate", [0.02, 1e-9])
def test_where_what_is_compared_is_not_at_rest_nothing_is_decided(smoke, finished, gate, monkeypatch):
    """Planted numbers, all at rest by a gate of 0.02, through the judgement."""
    trained, world = gather(smoke, finished), "at the fixed point"
    assert trained is not None
    study = smoke.replace(bounds=smoke.bounds.replace(gate=gate), network=smoke.network.replace(iid_vocab=256))
    data = planted(study, world, np.random.default_rng(0), 8)
    data = replace(
        data,
        exact={role: {**one, **data.exact.get(role, {})} for role, one in trained.exact.items()},
        extras=trained.extras,
        tried={key: {1e-3: {"excess": np.ones(3)}, 2e-3: {"excess": np.full(3, 1.01)}} for key in data.members},
        rates=dict.fromkeys(data.members, 1e-3),
    )
    monkeypatch.setattr("testbed.studies.large_vocabulary.judgement.gather", lambda *_: data)
    judged = study.judge(finished)
    assert all(one.passed for one in judged.checks)
    verdicts = {one.claim.id.removeprefix(f"{STUDY}."): one for one in judged.verdicts}
    assert set(verdicts) == {name for holding in HOLDS.values() for name in holding}
    for name, one in verdicts.items():
        assert one.verdict == ("undecided" if gate < 0.01 else "holds" if name in HOLDS[world] else "fails")
        assert (gate < 0.01) == ("not at rest" in one.reason)
        assert "fewer than" not in one.reason
    # one arm that still moves leaves undecided what compares it, and nothing else
    data.tried["iid", "four"][2e-3]["excess"] += 0.3
    again = {one.claim.id.removeprefix(f"{STUDY}."): one.verdict for one in study.judge(finished).verdicts}
    late = {name for name in again if again[name] != verdicts[name].verdict}
    compared = {name for name, (source, arms) in COMPARED.items() if source == "iid" and "four" in arms}
    assert late == (compared if gate > 0.01 else set())
    assert {"tail_iid", "no_loss_four", "full_helps_iid"} == compared


@pytest.mark.parametrize("beside", [0.01, 0.3])
def test_transformers_are_at_rest_where_a_neighbouring_rate_gives_the_same(smoke, beside):
    """All arms by one rule, however large their excess; rates that diverged, or are alone, say nothing."""
    data = planted(smoke, "at the fixed point", np.random.default_rng(0), 8)
    tried = {key: {1e-3: 0.5, 2e-3: 0.2, 4e-3: np.inf} for key in data.members}
    tried["iid", "four"] = {1e-3: 0.9, 2e-3: 0.2, 4e-3: 0.2 + beside}
    tried["bigram", "full"] = {2e-3: 0.2}
    of_rates = {key: {rate: {"excess": np.full(3, x)} for rate, x in one.items()} for key, one in tried.items()}
    rates = dict.fromkeys(data.members, 1e-3) | {("iid", "four"): 2e-3, ("bigram", "full"): 2e-3}
    found = unsettled(smoke, replace(data, tried=of_rates, rates=rates))
    assert set(found) == set(data.members) - ({("iid", "four")} if beside < smoke.bounds.gate else set())
    assert "0.300 nats" in found["iid", "plain"]


def test_the_share_of_the_way_is_of_what_the_filter_moves_and_of_no_single_tenth():
    (study,) = load_studies(CONFIG, "laptop")
    data = planted(study, "the filter changes nothing", np.random.default_rng(0), 8)
    rng, aim = np.random.default_rng(1), predicted_tenths(study)
    off = rng.standard_normal((8, 10))  # plain training's own error
    for share in (0.0, 0.8, 1.0):
        members = dict(data.members)
        members["iid", "plain"] = {**members["iid", "plain"], "decile": off}
        members["iid", "quarter"] = {**members["iid", "quarter"], "decile": off + share * aim}
        found = evidence(study, replace(data, members=members))[f"{STUDY}.rest_iid"].estimate
        assert found == pytest.approx(share, abs=1e-12)
    members["iid", "quarter"]["decile"] = off + np.where(np.arange(10) == 9, aim, 0.0)
    alone = evidence(study, replace(data, members=members))[f"{STUDY}.rest_iid"].estimate
    assert alone == pytest.approx(abs(aim[9]) / sum(abs(a) for a in aim))
    assert alone < 0.5
