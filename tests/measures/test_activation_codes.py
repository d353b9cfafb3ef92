"""Codes of ReLU units: against a model written out by hand, Hamming distances and votes by loops."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.features.activation_codes import (
    activation_codes,
    hamming_distances,
    neighbour_votes,
    redundancy_ratio,
)
from testbed.models import ModelConfig
from testbed.models.activations.relu import Relu
from testbed.models.transformer import Transformer

seeds = st.integers(0, 10_000)


def codes_of(rng, n, m):
    return rng.random((n, m)) < 0.5


# ------------------------------------------------------------------------------------------------ of a model
def opened(**changed):
    config = ModelConfig(width=4, depth=2, heads=2, mlp_ratio=2, activation=Relu()).replace(**changed)
    model = Transformer(config, vocab_size=3, train_length=6)
    return model, model.layout.views(model.layout.initial_row(1)[None])


def test_codes_are_what_the_activation_is_given():
    """The same model, its activation keeping what it is shown."""
    model, weights = opened()
    shown = []

    class Kept(Relu):
        def apply(self, x_EMD, parameters):
            shown.append(x_EMD[0].clone())
            return super().apply(x_EMD, parameters)

    tokens = np.random.default_rng(0).integers(0, 3, (5, 6))
    watched = Transformer(model.config, 3, 6)
    object.__setattr__(watched.config, "activation", Kept.model_construct(power=1))
    begin = torch.full((5, 1), 3)
    watched.logits(weights, torch.cat([begin, torch.from_numpy(tokens)], dim=1)[None], "all")
    codes = activation_codes(*opened(), tokens)
    assert codes.shape == (5, 7, 16)
    assert np.array_equal(codes.reshape(35, 16), (torch.cat(shown, dim=1) > 0).numpy())
    assert 0.1 < codes.mean() < 0.9


def test_a_code_knows_no_later_token():
    tokens = np.array([[0, 1, 2, 0], [0, 1, 1, 2]])
    codes = activation_codes(*opened(), tokens)
    assert np.array_equal(codes[0, :3], codes[1, :3])


@pytest.mark.parametrize("changed", [{"activation": "gelu"}, {"mlp_ratio": 0, "activation": "gelu"}])
def test_other_models_are_refused(changed):
    with pytest.raises(ConfigError, match="codes are those of standard blocks with ReLU"):
        activation_codes(*opened(**changed), np.zeros((1, 2), dtype=int))


# ------------------------------------------------------------------------------------------------ of codes
@given(seeds, st.integers(1, 8), st.integers(1, 8), st.integers(1, 40))
def test_hamming_distances_by_loops(seed, n, m, k):
    rng = np.random.default_rng(seed)
    a, b = codes_of(rng, n, k), codes_of(rng, m, k)
    slow = [[sum(x != y for x, y in zip(one, other, strict=True)) for other in b] for one in a]
    assert hamming_distances(a, b).tolist() == slow


@given(seeds, st.integers(1, 30), st.integers(1, 12))
def test_redundancy_by_a_set(seed, n, m):
    codes = codes_of(np.random.default_rng(seed), n, m)
    assert redundancy_ratio(codes) == pytest.approx(1 - len({tuple(one) for one in codes.tolist()}) / n)
    assert redundancy_ratio(codes) <= 1 - 1 / n


@given(seeds, st.integers(1, 12), st.integers(2, 4), st.integers(1, 12))
def test_votes_by_counting(seed, m, n_labels, k):
    """Every way to fill the last places from those equally near is one; a label has their mean number."""
    rng = np.random.default_rng(seed)
    k = min(k, m)
    known, labels, asked = codes_of(rng, m, 4), rng.integers(0, n_labels, m), codes_of(rng, 5, 4)
    said = neighbour_votes(known, labels, asked, n_labels, k)
    for code, label in zip(asked, said, strict=True):
        distances = [(one != code).sum() for one in known]
        last = sorted(distances)[k - 1]
        votes: Counter[int] = Counter()
        tied = [i for i in range(m) if distances[i] == last]
        for i in range(m):
            if distances[i] < last:
                votes[labels[i]] += 1.0
        rest = k - sum(votes.values())
        for i in tied:
            votes[labels[i]] += rest / len(tied)
        assert votes[label] == pytest.approx(max(votes.values()))


@given(seeds)
def test_the_order_of_the_known_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    known, labels, asked = codes_of(rng, 20, 5), rng.integers(0, 3, 20), codes_of(rng, 10, 5)
    order = rng.permutation(20)
    first = neighbour_votes(known, labels, asked, 3, 6)
    assert np.array_equal(first, neighbour_votes(known[order], labels[order], asked, 3, 6))


def test_bad_arguments_are_named():
    codes = np.ones((3, 2), dtype=bool)
    with pytest.raises(ConfigError, match="n_neighbours: given 4"):
        neighbour_votes(codes, [0, 1, 0], codes, 2, 4)
    with pytest.raises(ConfigError, match="labels: need 3"):
        neighbour_votes(codes, [0, 1, 2], codes, 2, 1)
    with pytest.raises(ConfigError, match="codes of 2 and 1 units"):
        hamming_distances(codes, np.ones((1, 1), dtype=bool))
    with pytest.raises(ConfigError, match="codes: need codes"):
        redundancy_ratio(np.ones((2, 2)))
