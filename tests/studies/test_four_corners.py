"""The four corners of `dilution_or_position`: which tokens are shown, at which positions, held against slow twins."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.extrapolation import log_laws_at
from testbed.methods import Method, Placement
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources.iid import IIDSource
from testbed.sources.recall.fillers import Fillers
from testbed.sources.recall.needle import Needle
from testbed.sources.recall.reliability_classes import ReliabilityClasses
from testbed.studies import load_studies
from testbed.studies.dilution_or_position.grid import training_spec
from testbed.studies.dilution_or_position.measure import Drawn, corner_log_laws, drawn, positions_in_range
from testbed.studies.dilution_or_position.places import Group, groups_of, needed_sites, reduced
from testbed.training.batches import with_begin
from testbed.training.trainer import train

CONFIG = Path(__file__).parents[2] / "configs" / "dilution_or_position.toml"
FILLERS = Fillers(base=ReliabilityClasses(n_values=2), n_informative=3)
CPU = torch.device("cpu")


# ------------------------------------------------------------------------------------------------ places and positions
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), m=st.integers(6, 20), ratio=st.sampled_from([1, 2, 5]), k=st.integers(0, 3))
def test_groups_keep_what_matters_and_positions_in_range_never_fall(seed, m, ratio, k):
    rng = np.random.default_rng(seed)
    length, n = ratio * m, 23
    needed = np.array([rng.permutation(length - 2)[:k] for _ in range(n)]).reshape(n, k)
    groups = groups_of(needed, length, m, rng)
    assert [i for group in groups for i in range(n)[group.rows]] == list(range(n))
    for group in groups:
        assert len(group.kept) == m - 2
        assert np.all(np.diff(group.kept) > 0)
        assert set(needed[group.rows].ravel()) <= set(group.kept)
        in_range = np.sort(rng.permutation(4 * m)[:m])
        shared = group.shared_positions(in_range, length, rng)
        assert len(shared) == length
        assert np.all(np.diff(shared) >= 0)
        assert np.array_equal(shared[np.concatenate([[0], 1 + group.kept, [length - 1]])], in_range)
        assert set(shared) == set(in_range)
        true = group.true_positions(length)
        assert true[0] == 0 and true[-1] == length - 1  # noqa: PT018
        if ratio == 1:
            assert np.array_equal(shared, in_range)
            assert np.array_equal(true, np.arange(m))


def test_too_many_sites_that_matter_and_unknown_sources_are_refused():
    with pytest.raises(ConfigError, match="train_length"):
        groups_of(np.arange(10)[None], 20, 8, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="iid"):
        needed_sites(IIDSource(vocab_size=2), np.zeros((1, 5), dtype=int))


def test_every_kept_and_added_site_has_uniform_places():
    """What matters is a uniform draw of the kept places, and added sites spread evenly: |z| < 6 in 29 means (6e-8)."""
    rng, m, length, n = np.random.default_rng(0), 10, 40, 6000
    rank, slots = np.zeros(m - 2), np.zeros(m - 2)
    for group in groups_of(rng.integers(0, length - 2, size=(n, 1)), length, m, rng):
        added = np.delete(np.arange(1, length - 1), group.kept)
        shared = group.shared_positions(np.arange(m), length, rng)
        slots += np.bincount(shared[added] - 1, minlength=m - 2)
    needed = rng.integers(0, length - 2, size=(n, 1))
    for group in groups_of(needed, length, m, rng):
        rank += np.bincount(np.searchsorted(group.kept, needed[group.rows, 0]), minlength=m - 2)
    assert np.abs(rank / n - 1 / (m - 2)).max() < 6 * np.sqrt((1 / 8) * (7 / 8) / n)
    n_groups, each = n / 4, (length - m) / (m - 2)  # gaps are nearly geometric: their spread is about their mean
    assert np.abs(slots / n_groups - each).max() < 6 * 1.5 * each / np.sqrt(n_groups)


@pytest.mark.parametrize("source", [Needle(n_keys=4, n_values=3, noise=0.1), FILLERS])
def test_kept_sites_suffice_on_recall_sources(source):
    seen = drawn(source, 48, 12, 20, seed=1)
    assert seen.law_gap < 1e-12
    assert any(len(group.kept) < 46 for group in seen.groups)


def test_kept_sites_do_not_suffice_where_all_count():
    assert drawn(ReliabilityClasses(n_values=3, ratio=1), 48, 12, 20, seed=1).law_gap > 0.05


# ------------------------------------------------------------------------------------------------ the four corners
class OnlyThese(Method):
    """The slow twin: the kept places alone are visible, in every layer."""

    type_name: ClassVar[str] = "only_these"
    visible: tuple[int, ...]

    def mask(self, at: Placement) -> torch.Tensor:
        seen = torch.isin(at.key_order_T, torch.tensor(self.visible))
        return seen[None, :] | (at.query_order_T[:, None] == at.key_order_T[None, :])


def member_of(methods: tuple[object, ...], depth: int, seed: int = 0):
    (study,) = load_studies(CONFIG, "smoke", ["model.width=16", "model.heads=2"])
    arm = study.arms[0].replace(methods=methods, depth=depth)
    task = study.tasks[0].replace(steps=2)
    return train([training_spec(study, task, arm, seed, 1e-2)])[0], task


def corners_by_hand(member, task, seen: Drawn, group: Group, length: int) -> torch.Tensor:
    """Few keys, far: the whole sequence at its true positions, through an oracle mask in every layer."""
    spec = member.spec
    trained = Transformer(spec.model, spec.source.vocab_size, task.train_length)
    weights = trained.layout.views(torch.from_numpy(np.array(member.weights))[None])
    visible = (0, *(1 + group.kept).tolist(), length - 1)
    masked = trained.with_methods([*spec.model.methods, OnlyThese(visible=visible)])
    tokens = torch.from_numpy(seen.tokens[group.rows, :-1].astype(np.int64))[None]
    return masked.logits(weights, with_begin(tokens, trained.begin), "last")


@pytest.mark.parametrize("methods", [("rope",), ("alibi",), ("nope", "no_begin"), ("rerope",)])
def test_few_far_keys_are_an_oracle_mask_on_the_whole_sequence(methods):
    member, task = member_of(methods, depth=2)
    length = 4 * task.train_length
    seen = drawn(task.source, length, task.train_length, 6, seed=0)
    model = Transformer(member.spec.model, task.source.vocab_size, task.train_length)
    weights = model.layout.views(torch.from_numpy(np.array(member.weights))[None])
    found = corner_log_laws(model, weights, seen, 0, CPU)
    for group in seen.groups:
        with torch.no_grad():
            wanted = corners_by_hand(member, task, seen, group, length)[0].double().log_softmax(-1).numpy()
        assert found["position"][group.rows] == pytest.approx(wanted, abs=1e-4)
    judged = np.zeros(seen.tokens.shape, dtype=bool)
    judged[:, -1] = True
    assert found["both"] == pytest.approx(log_laws_at(member, seen.tokens, judged), abs=1e-4)
    few = np.concatenate([reduced(seen.tokens, group) for group in seen.groups])
    assert found["base"] == pytest.approx(log_laws_at(member, few, judged[:, -task.train_length :]), abs=1e-4)


def test_many_near_keys_of_one_layer_read_what_each_key_at_its_place_gives():
    """Slow twin in one layer: each key's logit and value are computed alone, at its position in range."""
    member, task = member_of(("rope",), depth=1)
    length = 2 * task.train_length
    seen = drawn(task.source, length, task.train_length, 3, seed=0)
    model = Transformer(member.spec.model, task.source.vocab_size, task.train_length)
    weights = model.layout.views(torch.from_numpy(np.array(member.weights))[None])
    found = corner_log_laws(model, weights, seen, 5, CPU)["dilution"]
    rng = np.random.default_rng([5, length])
    for group in seen.groups:
        positions = group.shared_positions(np.arange(task.train_length), length, rng)
        for row in range(*group.rows.indices(len(seen.tokens))):
            order = np.append(np.random.default_rng(row).permutation(length - 1), length - 1)  # keys in any order
            tokens = np.append(model.begin, seen.tokens[row, :-1]).astype(np.int64)[order]
            window = torch.from_numpy(tokens)[None, None]
            with torch.no_grad():
                logits = model.logits(weights, window, positions_T=torch.from_numpy(positions[order]))
            assert found[row] == pytest.approx(logits[0, 0].double().log_softmax(-1).numpy(), abs=1e-4)


def test_drawn_training_positions_are_drawn_for_the_corners_too():
    config = ModelConfig(width=16, heads=2, methods=("rope", {"type": "random_positions", "target_length": 64}))
    model = Transformer(config, 5, 8)
    one, other = (positions_in_range(model, 8, i) for i in (0, 1))
    assert not np.array_equal(one, other)
    assert np.all(np.diff(one) > 0) and one[-1] < 64  # noqa: PT018
    assert np.array_equal(positions_in_range(Transformer(ModelConfig(width=16, heads=2), 5, 8), 8, 3), np.arange(8))
