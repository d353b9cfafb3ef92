"""What may differ between members of one ensemble: iterates over every field, so that a new one cannot be forgotten."""

import pytest

from testbed.core import Config, ConfigError, Tagged
from testbed.models import ModelConfig
from testbed.sources import IIDSource, MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, Shape, TrainingSpec
from testbed.training.ensemble import Ensemble

BASE = TrainingSpec(source=IIDSource(vocab_size=3), context_length=1, data=DataConfig(max_context=2))

CHANGED = {
    "source": MarkovSource.random(vocab_size=3, order=1),
    "context_length": 2,
    "data.n_targets": 50,
    "data.max_context": 4,
    "data.targets_per_sequence": 3,
    "data.batch": "distinct",
    "data.targets_per_step": 7,
    "data.masked_sites": 2,
    "data.masked_share": 0.5,
    "data.seed": 9,
    "model.block": "gau",
    "model.causal": False,
    "model.mask_symbol": None,  # goes with data.batch = masked, never alone
    "model.width": 48,
    "model.depth": 3,
    "model.heads": 1,
    "model.mlp_ratio": 2,
    "model.activation": "selu",
    "model.norm": "layer",
    "model.key_size": 8,
    "model.expansion": 3,
    "model.key_scales": "normal",
    "model.tied_head": True,
    "model.head_scale": 1.0,
    "model.head_bias": True,
    "model.initial_std": 0.1,
    "model.embedding_std": 0.1,
    "model.shrink_writers": False,
    "model.methods": ("nope",),
    "optimiser.learning_rate": 0.5,
    "optimiser.weight_decay": 0.5,
    "optimiser.clip": None,
    "optimiser.steps": 5,
    "optimiser.warmup_steps": 5,
    "optimiser.final_fraction": 0.5,
    "optimiser.beta1": 0.5,
    "optimiser.beta2": 0.5,
    "optimiser.epsilon": 0.5,
    "optimiser.project": True,
    "optimiser.precision": "bfloat16",
    "optimiser.compile": None,  # a remark: no part of any key
    "evaluation.evaluation_budget": 5,
    "evaluation.n_contexts": 5,
    "evaluation.n_heldout": 5,
    "evaluation.path_points": 5,
    "evaluation.path_spacing": "even",
    "evaluation.keep_weights": True,
    "loss": "all",
    "objective": "brier",
    "initial_seed": 5,
}
"""Another value for every field. A new field must be given one here, and a decision in TrainingSpec.member_fields."""

GATED = BASE.replace(model=ModelConfig(block="gau"))
MASKED = TrainingSpec(
    source=IIDSource(vocab_size=3),
    context_length=2,
    data=DataConfig(max_context=2, batch="masked"),
    model=ModelConfig(causal=False, mask_symbol=True),
)
START = {
    "model.head_scale": BASE.replace(model=ModelConfig(tied_head=True)),
    "model.key_size": GATED,
    "model.expansion": GATED,
    "model.key_scales": GATED,
    "data.masked_sites": MASKED,
    "data.masked_share": MASKED,
}
"""Where a field is changed that the base cannot have."""
ALONE = [path for path in CHANGED if path not in ("optimiser.compile", "model.mask_symbol")]
"""Fields that can be changed while all others stay."""


def leaf_fields(config: type[Config], prefix: str = "") -> list[str]:
    leaves = []
    for name, field in config.model_fields.items():
        nested = field.annotation
        is_table = isinstance(nested, type) and issubclass(nested, Config)
        if is_table and not issubclass(nested, Tagged):  # sources, losses and the like are one choice each
            leaves += leaf_fields(nested, f"{prefix}{name}.")
        else:
            leaves.append(prefix + name)
    return leaves


def changed(spec: TrainingSpec, path: str) -> TrainingSpec:
    head, _, tail = path.partition(".")
    value = getattr(spec, head).replace(**{tail: CHANGED[path]}) if tail else CHANGED[path]
    return spec.replace(**{head: value})


def test_every_field_has_another_value_here():
    assert set(leaf_fields(TrainingSpec)) == set(CHANGED)
    assert set(CHANGED) >= TrainingSpec.member_fields


@pytest.mark.parametrize("path", ALONE)
def test_shapes_are_equal_exactly_where_a_member_field_differs(path):
    base = START.get(path, BASE)
    other = changed(base, path)
    assert other != base
    assert other.training_key != base.training_key
    assert (Shape.of(other) == Shape.of(base)) == (path in TrainingSpec.member_fields)


def test_any_number_of_member_fields_may_differ_at_once():
    spec = BASE
    for path in sorted(TrainingSpec.member_fields):
        spec = changed(spec, path)
    assert Shape.of(spec) == Shape.of(BASE)


def test_the_vocabulary_is_part_of_the_shape():
    assert Shape.of(BASE.replace(source=IIDSource(vocab_size=4))) != Shape.of(BASE)


def test_fields_written_out_at_their_defaults_change_nothing():
    written = BASE.replace(optimiser=OptimiserConfig(learning_rate=3e-3), evaluation=EvaluationConfig(path_points=12))
    assert written == BASE
    assert (Shape.of(written), written.training_key) == (Shape.of(BASE), BASE.training_key)


def test_other_shapes_are_refused_by_the_ensemble():
    with pytest.raises(ValueError, match="one shape"):
        Ensemble([BASE, changed(BASE, "model.width")])


@pytest.mark.parametrize(
    "fault, message",
    [
        ({"context_length": 3}, "context_length: given 3, must be at most data.max_context 2"),
        ({"loss": "all", "data": DataConfig(max_context=2, batch="distinct")}, "loss: distinct batches score the last"),
        ({"width": 8}, "width: unknown key"),
    ],
)
def test_impossible_specs_are_refused(fault, message):
    with pytest.raises(ConfigError, match=message):
        BASE.replace(**fault) if "width" not in fault else TrainingSpec(**BASE.resolved() | fault)
