"""The study `optimal_context`: its grid, its rule for the learning rate, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.predictors import add_constant_law
from testbed.runs import Cell, MeasureContext, Record, pack
from testbed.sources import MarkovSource
from testbed.studies import load_studies
from testbed.studies.optimal_context import OptimalContext
from testbed.studies.optimal_context.grid import (
    TUNING_OFFSET,
    Probe,
    corner_cells,
    tuned_learning_rate,
    untrained_cells,
)
from testbed.studies.optimal_context.mixture import finite_mixture_laws, mixture_excess
from testbed.studies.optimal_context.tables import divergence, table_excess
from testbed.studies.optimal_context.worlds import perturbed_excess
from testbed.training.windows import TargetSet

CONFIG = Path(__file__).parents[2] / "configs" / "optimal_context.toml"


@pytest.fixture(scope="module")
def smoke() -> OptimalContext:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, OptimalContext)
    return study


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_builds_and_its_first_stage_is_named_without_training(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    assert pack(cells, study.positions_per_ensemble)


def test_all_context_lengths_of_a_replicate_share_targets_and_initial_weights(finished):
    by_replicate: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    for record in finished:
        if record.probe["kind"] == "member":
            spec = record.cell["training"]
            p = record.probe
            by_replicate.setdefault((p["arm"], p["kernel"], p["draw"], p["n_targets"]), set()).add(
                (spec["data"]["seed"], spec["data"]["n_targets"], spec["initial_seed"], spec["data"]["max_context"])
            )
    assert by_replicate
    assert all(len(shared) == 1 for shared in by_replicate.values())


def test_replicates_and_tuning_share_no_seed(smoke):
    arm = smoke.arms[0]
    judged = {arm.kernel(k).content_key for k in range(smoke.n_kernels)}
    tuning = {cell.training.source.content_key for cell in corner_cells(smoke, arm, 1e-3)}
    seeds = {cell.training.data.seed for cell in corner_cells(smoke, arm, 1e-3)}
    assert len(judged) == smoke.n_kernels
    assert not judged & tuning
    assert min(seeds) > TUNING_OFFSET


def fake_tuning(study: OptimalContext, losses: dict[float, float]) -> dict[str, Record]:
    """Records of every corner cell, with a held-out loss that depends on the rate alone."""
    finished = {}
    for arm in study.arms:
        for rate, loss in losses.items():
            for cell in corner_cells(study, arm, rate):
                finished[cell.key] = Record(cell.key, "x", cell.resolved(), "done", {"heldout": loss})
    return finished


def test_the_learning_rate_with_least_regret_is_chosen(smoke):
    study = smoke.replace(tuning=smoke.tuning.replace(max_extensions=2))
    arm = study.arms[0]
    assert tuned_learning_rate(study, arm, {})[0] is None
    low, middle, high = study.tuning.learning_rates
    assert tuned_learning_rate(study, arm, fake_tuning(study, {low: 1.2, middle: 1.0, high: 1.1}))[0] == middle
    rate, cells = tuned_learning_rate(study, arm, fake_tuning(study, {low: 1.2, middle: 1.1, high: 1.0}))
    assert rate is None  # the edge was chosen: the grid grows
    assert {cell.training.optimiser.learning_rate for cell in cells} == {low, middle, high, high * 3}
    extended = fake_tuning(study, {low: 1.2, middle: 1.1, high: 1.0, high * 3: 1.3})
    assert tuned_learning_rate(study, arm, extended)[0] == high


def test_a_diverging_learning_rate_is_not_chosen(smoke):
    arm = smoke.arms[0]
    low, middle, high = smoke.tuning.learning_rates
    records = fake_tuning(smoke, {low: 1.2, middle: 1.1, high: 0.9})
    diverging = [c for c in corner_cells(smoke, arm, high) if c.training.data.n_targets == arm.sizes[0]]
    for cell in diverging[-1:]:  # one corner alone, at which the others are sound
        records[cell.key] = Record(cell.key, "x", cell.resolved(), "diverged", {"heldout": 0.9})
    assert tuned_learning_rate(smoke, arm, records)[0] == middle


def test_where_every_rate_is_a_bottleneck_the_least_one_is_chosen(smoke):
    arm = smoke.arms[0]
    low, middle, high = smoke.tuning.learning_rates
    records = fake_tuning(smoke, {low: 1.0, middle: 1.0, high: 1.0})
    for rate, short, long in ((low, 1.0, 1.3), (middle, 1.1, 1.1), (high, 1.3, 1.0)):
        for cell in corner_cells(smoke, arm, rate):
            if cell.training.data.n_targets is None:
                loss = short if cell.training.context_length == 0 else long
                records[cell.key] = Record(cell.key, "x", cell.resolved(), "done", {"heldout": loss})
    assert tuned_learning_rate(smoke, arm, records)[0] == middle


def test_a_rate_at_which_training_is_the_bottleneck_is_not_chosen(smoke):
    """However well it does on the corners: a small rate that generalises by not learning is no tuning."""
    arm = smoke.arms[0]
    low, middle, high = smoke.tuning.learning_rates
    records = fake_tuning(smoke, {low: 1.0, middle: 1.1, high: 1.2})
    assert tuned_learning_rate(smoke, arm, records)[0] == low
    for cell in corner_cells(smoke, arm, low):
        if cell.training.data.n_targets is None:
            records[cell.key] = Record(cell.key, "x", cell.resolved(), "done", {"heldout": 1.2 + smoke.delta})
    assert tuned_learning_rate(smoke, arm, records)[0] == middle


def test_the_smoke_run_splits_every_loss(smoke, finished):
    members = [record for record in finished if record.probe["kind"] == "member"]
    assert len(members) == sum(smoke.n_kernels * len(arm.sizes) * len(arm.lengths) for arm in smoke.arms)
    for record in members:
        m = record.metrics
        assert m["exact_evaluation"] is True
        assert m["excess"] >= 0
        assert m["loss"] == pytest.approx(m["bayes_risk"] + m["excess"])
        assert abs(m["cross_entropy"] - m["loss"]) < 7 * m["cross_entropy_error"]
        assert m["oracle_excess"] <= m["excess"] + 1e-12
        assert len(record.arrays["path_step"]) <= 12


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert {verdict.claim.id for verdict in judgement.verdicts} == {claim.id for claim in smoke.claims()}
    figures = smoke.figures(finished)
    assert {"optimal_context", "excess_against_size", "loss_split_designed"} <= figures.keys()
    for figure in figures.values():
        assert figure.rows
        assert "intervals" in figure.caption or "interval" in figure.caption


def altered(record: Record, **metrics: object) -> Record:
    return Record(
        record.key, record.study, record.cell, record.status, record.metrics | metrics, record.arrays, record.provenance
    )


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge([r for r in finished if r.probe["arm"] != "memoryless"]).verdicts
    spoilt = [altered(r, largest_difference=1e-3) if r.probe["kind"] == "source" else r for r in finished]
    judgement = smoke.judge(spoilt)
    assert [check.name for check in judgement.checks if not check.passed] == ["h_l by a second algorithm"]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_where_training_is_the_bottleneck_nothing_is_decided(smoke, finished):
    limited = [altered(r, excess=0.5) if r.probe["kind"] == "endless" else r for r in finished]
    verdicts = smoke.judge(limited).verdicts
    assert {verdict.verdict for verdict in verdicts} == {"undecided"}
    assert all(verdict.p_decisive == 1.0 for verdict in verdicts)  # nor do they count in the ledger


def test_the_other_estimand_stands_beside_every_verdict(smoke, finished):
    for verdict in smoke.judge(finished).verdicts:
        assert any("Judged by oracle stop (which uses the truth" in note for note in verdict.notes)


def test_perturbed_laws_have_the_mean_excess_asked_for():
    rng = np.random.default_rng(0)
    laws = rng.dirichlet(np.ones(3), size=50)
    weights = np.full(50, 1 / 50)
    values = [perturbed_excess(weights, laws, 0.01, rng) for _ in range(400)]
    assert min(values) > 0
    assert np.mean(values) == pytest.approx(0.01, rel=0.1)


def test_the_table_learner_is_exact(smoke):
    source = smoke.arms[0].kernel(1)
    counts = np.round(1e12 * source.kernel.reshape(-1, source.vocab_size)).astype(np.int64)
    assert divergence(source, source.order, add_constant_law(counts)) == pytest.approx(0.0, abs=1e-9)


def test_the_bayes_mixture_is_bayes_rule_over_whole_windows(smoke):
    """Slow twin: the posterior of every kernel of the family, one window and one token at a time."""
    arm = smoke.arms[0]
    source = arm.kernel(1)
    targets = TargetSet.draw(source, "train", 3, 40, arm.max_context)
    family = [MarkovSource(kernel) for kernel in source.replace(seed=0).family()]
    weights = np.ones(len(family))
    for i, member in enumerate(family):
        for window in targets.tokens[:, : arm.max_context + 1]:
            weights[i] *= np.exp(member.log_probs(window[None]).sum())
    laws = finite_mixture_laws(source, targets, arm.max_context)
    for length in (0, 1, 3):
        contexts = source.context_law(length).contexts
        for row, context in enumerate(contexts):
            seen = np.append(context, 0)[None].astype(np.uint8)
            given = np.array([np.exp(member.log_probs(seen)[0, :length].sum()) for member in family])
            following = np.array([member.predict(seen, positions=[length])[0, 0] for member in family])
            expected = (weights * given) @ following / (weights @ given)
            assert laws[length][row] == pytest.approx(expected, rel=1e-6)


def test_no_table_beats_the_mixture_on_average(smoke):
    """The floor: over draws of the prior its mean excess is below every other learner's at each length."""
    arm = smoke.arms[0]
    mixture, table = [], []
    for kernel in range(40):
        source = arm.kernel(kernel)
        targets = TargetSet.draw(source, "train", kernel + 1, 60, arm.max_context)
        excess, kind = mixture_excess(source, targets, arm)
        assert kind == "exact"
        mixture.append(excess)
        table.append(table_excess(source, targets, arm))
    assert np.all(np.mean(mixture, axis=0) < np.mean(table, axis=0))


@pytest.mark.parametrize("scale", ["laptop", "gpu", "full"])
def test_references_can_be_measured_at_every_scale(scale):
    (study,) = load_studies(CONFIG, scale)
    assert isinstance(study, OptimalContext)
    context = MeasureContext(device="cpu")
    for arm in study.arms:
        cell = next(c for c in untrained_cells(study, arm) if c.probe.kind == "reference")
        (record,) = study.measure([cell], {}, context)
        assert np.isfinite(record.arrays["excess"]).all()
        assert record.arrays["mixture_excess"].shape == record.arrays["excess"].shape


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="role designed, must be one"):
        smoke.replace(arms=smoke.arms[:1] * 2)
    with pytest.raises(ConfigError, match="must rise"):
        smoke.arms[0].replace(sizes=(30, 20))
    constant = smoke.arms[0].replace(source={"type": "markov", "kernel": [[0.9, 0.1], [0.4, 0.6]]})
    with pytest.raises(ConfigError, match=r"arms\.0\.source: its seed changes nothing"):
        smoke.replace(arms=(constant, smoke.arms[1]), n_kernels=3).prepare()


def test_probes_are_part_of_the_key():
    one = Cell("s", 1, Probe(kind="source", arm="a", kernel=0))
    assert one.key != Cell("s", 1, Probe(kind="source", arm="a", kernel=1)).key
    assert one.key == Cell("s", 1, Probe(kind="source", arm="a", kernel=0, draw=0)).key


def test_a_source_that_cannot_be_designed_is_refused_before_training(smoke):
    arm = smoke.arms[0].replace(source={"type": "lag_markov", "vocab_size": 2, "change_points": [1, 2]})
    with pytest.raises(ConfigError, match=r"arms\.0\.source\.change_points: no lag weights"):
        smoke.replace(arms=(arm, smoke.arms[1])).prepare()
    smoke.prepare()


def test_names_of_arms_are_safe_in_file_names(smoke):
    with pytest.raises(ConfigError, match="name: given 'a/b'"):
        smoke.arms[0].replace(name="a/b")
