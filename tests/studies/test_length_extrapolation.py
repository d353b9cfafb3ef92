"""The study `length_extrapolation`: its grid and the tuning of learning rates."""

from pathlib import Path

import pytest

from testbed.core import ConfigError
from testbed.methods import methods
from testbed.runs import Record, pack
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.length_extrapolation import LengthExtrapolation
from testbed.studies.length_extrapolation.config import NONE, Arm, Change
from testbed.studies.length_extrapolation.grid import MemberProbe, tuned_rate, tuning_cells
from testbed.studies.length_extrapolation.measure import late_places
from testbed.studies.tuning import TUNING_OFFSET, Tuning
from testbed.training import Shape

CONFIG = Path(__file__).parents[2] / "configs" / "length_extrapolation.toml"
SCALES = ["smoke", "laptop", "gpu", "full"]
CLAIMS = [
    *("no_op", "no_op_read", "control", "order", "sphere", "tax"),
    *("positions", "gain_in_range", "gain_drawn", "gain_hidden"),
    *("best", "added_infoscale", "added_cosscale", "only_rope", "boundary"),
    *("reach_bound", "within_reach", "reach_cost"),
    *("flat", "relative", "frozen", "focus", "shape", "mass", "mass_loss", "not_best"),
]
ROLES = {"local", "averaging", "classes", "evidence", "recall", "argmax", "lag"}
PILOTS = {*range(500), *range(500, 512), *range(700, 708), *range(900, 941)}
"""Replicates that the design was settled on, or that an earlier one was judged on."""


def load(scale: str, *overrides: str) -> LengthExtrapolation:
    (study,) = load_studies(CONFIG, scale, overrides)
    assert isinstance(study, LengthExtrapolation)
    return study


@pytest.fixture(scope="module")
def laptop() -> LengthExtrapolation:
    return load("laptop")


@pytest.fixture(scope="module")
def untuned() -> LengthExtrapolation:
    """One learning rate, so that members are known at once."""
    return load("laptop", "tuning.learning_rates=[6e-3]", "n_seeds=2")


# ------------------------------------------------------------------------------------------------ the grid
@pytest.mark.parametrize("scale", [*SCALES[:-1], pytest.param(SCALES[-1], marks=pytest.mark.slow)])
def test_every_scale_builds_with_every_change_on_every_arm(scale):
    assert load(scale).ratios[-1] == {"smoke": 4, "laptop": 4}.get(scale, 64)
    study = load(scale, "n_seeds=2", "ratios=[1, 4]", "tuning.learning_rates=[6e-3]")  # keys of all cells take seconds
    study.prepare()
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    assert pack(cells, study.positions_per_ensemble)
    assert [claim.id.rpartition(".")[2] for claim in study.claims()] == CLAIMS
    if scale in ("gpu", "full"):
        more = {"fillers", "far", "pairs"} if scale == "full" else set()
        assert {task.role for task in study.tasks} == ROLES | more


def test_the_full_scale_has_every_method():
    study = load("full")
    used = {method.type_name for one in (*study.arms, *study.changes) for method in one.methods}
    assert any(one.band for one in study.changes), "bands are named by their reach"
    assert any(one.masked for task in study.tasks for one in study.arms_of(task)), "as in the paper: hidden tokens"
    # fixed names: a new method need not be in this study
    in_paper = {"infoscale", "cosscale", "pi", "pose", "yarn", "alibi", "streaming", "lm_infinite", "rerope"}
    rivals = {"log_n", "chiang_cholak", "ssmax", "critical_scale", "gap_counting", "sphere_limit", "ssa", "asentmax"}
    others = {"adaptive_temperature", "affine", "sigma_reparam", "scale_invariant", "llama4_temperature", "selective"}
    positions = {"ntk", "dynamic_ntk", "leaky_rerope", "self_extend", "random_positions", "cream", "nope", "rope"}
    assert used >= in_paper | rivals | others | positions | {
        "headwise_lambda",
        "sphere_infoscale",
        "qk_norm",
        "entmax15",
    }


def test_training_free_changes_share_one_member(untuned):
    members: dict[tuple[str, str, int], set[str]] = {}
    for cell in untuned.cells({}):
        if isinstance(cell.probe, MemberProbe):
            p = cell.probe
            members.setdefault((p.task, p.arm, p.seed), set()).add(cell.training.training_key)
    assert all(len(keys) == 1 for keys in members.values())
    assert len({key for keys in members.values() for key in keys}) == len(members)
    assert len({change.name for change in untuned.changes}) >= 12


def test_arms_of_a_replicate_see_the_same_tokens_from_seeds_of_its_own(untuned):
    for cell in untuned.cells({}):
        if cell.training is not None:
            spec, p = cell.training, cell.probe
            assert spec.data.seed == spec.initial_seed == p.seed
            assert p.seed not in PILOTS, "pilot runs used these"
            assert p.length == p.ratio * (spec.data.max_context + 1)


def test_members_of_a_task_and_arm_train_together(untuned):
    shapes = {(c.probe.task, c.probe.arm): set() for c in untuned.cells({}) if c.training is not None}
    for cell in untuned.cells({}):
        if cell.training is not None and cell.probe.change == NONE and cell.probe.ratio == 1:
            shapes[cell.probe.task, cell.probe.arm].add(Shape.of(cell.training).key)
    assert all(len(keys) == 1 for keys in shapes.values())


def test_every_arm_is_tuned_alike_on_replicates_of_its_own(laptop):
    cells = [cell for cell in laptop.cells({}) if isinstance(cell.probe, MemberProbe)]
    assert {cell.probe.kind for cell in cells} == {"tuning"}
    tried: dict[tuple[str, str], set[tuple[float, int]]] = {}
    for cell in cells:
        assert cell.training.optimiser.learning_rate == cell.probe.learning_rate
        assert cell.probe.seed >= TUNING_OFFSET
        assert (cell.probe.change, cell.probe.ratio, cell.probe.heads) == (NONE, 1, False)
        tried.setdefault((cell.probe.task, cell.probe.arm), set()).add((cell.probe.learning_rate, cell.probe.seed))
    assert tried.keys() == {(task.name, arm.name) for task in laptop.tasks for arm in laptop.arms_of(task)}
    grid = {(rate, TUNING_OFFSET + i) for rate in laptop.tuning.learning_rates for i in range(laptop.tuning.n_seeds)}
    assert all(one == grid for one in tried.values())
    assert laptop.tuning.n_seeds >= 2


@pytest.mark.parametrize(
    ("excess", "rate"),
    [
        ([0.03, 0.03, 0.01, 0.03, 0.02, 0.03], 6e-3),
        ([0.01, 0.0101, 0.01, 0.01, 0.03, 0.03], 3e-3),  # a tie: the smaller rate
        ([0.03, 0.03, 0.02, 0.02, 0.01, None], 6e-3),  # a replicate that diverged
        ([0.03, 0.03, 0.02, 0.02, 0.01, 0.01], 1.2e-2),
    ],
)
def test_the_rate_is_that_of_least_mean_excess(laptop, excess, rate):
    laptop = laptop.replace(tuning=Tuning(learning_rates=(3e-3, 6e-3, 1.2e-2)))
    task = laptop.tasks[0]
    arm = laptop.arms_of(task)[0]
    finished = {
        cell.key: Record(
            cell.key, cell.study, cell.resolved(), "diverged" if x is None else "done", {"excess": x or 0.0}
        )
        for cell, x in zip(tuning_cells(laptop, task, arm), excess, strict=True)
    }
    assert tuned_rate(laptop, task, arm, finished)[0] == rate
    finished.popitem()
    assert tuned_rate(laptop, task, arm, finished)[0] is None


def test_both_studies_of_length_tune_by_one_rule_on_one_grid(laptop):
    """What they say of hiding the begin symbol is comparable only so."""
    (other,) = load_studies(CONFIG.with_name("dilution_or_position.toml"), "laptop", ())
    assert isinstance(other.tuning, Tuning)
    assert other.tuning == laptop.tuning


def test_scopes_name_what_a_scale_runs():
    for scale in SCALES:
        study = load(scale)
        trained = {task.name for task in study.tasks if task.arms}
        names = {task.name for one in SCALES for task in load(one).tasks}
        for claim in study.claims():
            assert {name for name in names if f"{name} (" in claim.scope} <= trained, claim.id
    assert "does not run" in next(one.scope for one in load("smoke").claims() if one.id.endswith("best"))
    assert "n up to 32 m" in next(one.scope for one in load("laptop").claims() if one.id.endswith("best"))


def test_a_change_adds_or_replaces():
    rope, log_n = methods.build("rope"), methods.build("log_n")
    names = lambda chosen: [one.type_name for one in chosen]  # noqa: E731
    assert names(Change(name="a", kind="length", methods=["log_n"]).on((rope,), 64)) == ["rope", "log_n"]
    assert names(Change(name="a", kind="position", methods=["rerope"]).on((rope, log_n), 64)) == ["log_n", "rerope"]
    band = Change(name="a", kind="mask", band=0.5).on((rope,), 64)
    assert names(band) == ["rope", "banded"]
    assert band[1].reach == 32


def test_fewer_than_256_judged_places_beyond_4_m_are_refused(laptop):
    for scale in SCALES[1:]:
        study = load(scale)
        for task in study.tasks:
            for ratio in study.ratios_of(task) if task.arms and scale == "laptop" else ():
                judged = task.sequences_at(ratio) * late_places(task.source, ratio * task.train_length, 64)
                assert ratio <= 4 or judged >= 256, (scale, task.name, ratio)
    recall = next(task for task in laptop.tasks if task.role == "recall")
    with pytest.raises(ConfigError, match="T2_recall has 255 judged places in the second halves at 8 m"):
        laptop.replace(tasks=(recall.replace(n_beyond=255),)).prepare()
    with pytest.raises(ConfigError, match="must be at least 256"):
        laptop.replace(tasks=(recall.replace(n_beyond=None),)).prepare()
    near = recall.replace(n_beyond=2, ratios=(1, 4))
    laptop.replace(tasks=(near,)).prepare()
    assert (near.sequences_at(4), near.sequences_at(8)) == (near.n_sequences, 2)


def test_configs_that_make_no_sense_are_refused(laptop):
    with pytest.raises(ConfigError, match="must rise from 1"):
        laptop.replace(ratios=(2, 4))
    with pytest.raises(ConfigError, match="T5_local is there twice"):
        laptop.replace(tasks=laptop.tasks[:1] * 2)
    with pytest.raises(ConfigError, match="names the arm alibi"):
        laptop.replace(tasks=(laptop.tasks[0].replace(arms=("alibi",)),))
    bare = {name: tuple(one.replace(changes=None) for one in getattr(laptop, name)) for name in ("arms", "tasks")}
    with pytest.raises(ConfigError, match="there is none called rerope"):
        laptop.replace(changes=laptop.changes[:10], **bare)
    with pytest.raises(ConfigError, match="T5_local names the change yarn 2, which is not there"):
        laptop.replace(tasks=(laptop.tasks[0].replace(changes=("yarn 2",)),))
    pairs = build({"type": "key_value_recall", "n_keys": 32, "n_values": 2, "n_queries": 4})
    with pytest.raises(ConfigError, match="writes no sequences of 31"):
        laptop.replace(tasks=(laptop.tasks[0].replace(source=pairs, train_length=31),), ratios=(1, 3))
    with pytest.raises(ConfigError, match="must be positive and rise"):
        laptop.replace(tuning={"learning_rates": (2e-3, 1e-3)})
    with pytest.raises(ConfigError, match="is there already"):
        Change(name=NONE, kind="length", methods=["log_n"])
    with pytest.raises(ConfigError, match=r"twice.*infoscale and log_n exclude each other"):
        Change(name="twice", kind="row", methods=["infoscale", "log_n"])


def test_a_change_is_tried_where_it_fits(laptop):
    recall, local = (next(task for task in laptop.tasks if task.role == role) for role in ("recall", "local"))
    rope, nope = laptop.arm("rope"), laptop.arm("nope")
    ssmax = Arm(name="ssmax", methods=["rope", "ssmax"])
    rerope, log_n, on_recall = (laptop.change(name) for name in ("rerope", "log n", "ntk + infoscale"))
    assert rerope.applies_to(local, rope)
    assert not rerope.applies_to(local, nope), "there are no rotary positions to change"
    assert log_n.applies_to(local, nope)
    assert not log_n.applies_to(local, ssmax), "which has a scale of its own"
    assert on_recall.applies_to(recall, rope)
    assert not on_recall.applies_to(local, rope)
    assert not log_n.applies_to(local, rope.replace(changes=()))
    assert not log_n.applies_to(local, rope.replace(changes=("rerope",)))
    assert not log_n.applies_to(local.replace(changes=("rerope",)), rope)
    again, inverse = laptop.change("rope again"), Arm(name="inverse", methods=[{"type": "leaky_rerope", "k": 0.1}])
    assert again.applies_to(local, inverse)
    assert not again.applies_to(local, rope)
    assert not rerope.applies_to(local, inverse)
