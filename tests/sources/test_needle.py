"""Needle: the strings are the story's, order and length change nothing of the answer, leaving out keeps the source."""

import numpy as np
import pytest
from generated_strings import Draw, alike, assert_same_law
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.recall.needle import Needle

Z = 5.5
"""Standard errors allowed: a false alarm of 4e-8 for each comparison."""


def story_of(n: int, n_keys: int, n_values: int, noise: float):
    def story(draw: Draw) -> list[int]:
        asked, site = draw(alike(n_keys)), draw(alike(n))
        keys, values = [], []
        for j in range(n):
            others = [k for k in range(n_keys) if k != asked]
            keys.append(asked if j == site else others[draw(alike(n_keys - 1))])
            values.append(draw(alike(n_values)))
        said = [1 - noise if x == values[site] else noise / (n_values - 1) for x in range(n_values)]
        statements = [n_values * (1 + k) + x for k, x in zip(keys, values, strict=True)]
        return [*statements, n_values * (1 + n_keys) + asked, draw(said)]

    return story


@pytest.mark.parametrize("n, n_keys, noise", [(1, 3, 0.1), (2, 2, 0.25), (2, 3, 0.0)])
def test_every_string_has_its_storys_probability(n, n_keys, noise):
    assert_same_law(Needle(n_keys=n_keys, n_values=2, noise=noise), n + 2, story_of(n, n_keys, 2, noise))


def test_the_nearest_statements_alone_tell_the_answer_or_nothing():
    source = Needle(n_keys=4, n_values=3, noise=0.2)
    tokens = source.sample(200, 12, seed=1).astype(int)
    sites = source.asked_sites(tokens)
    for l in (0, 3, 10):
        law = source.predict(tokens, context=l, positions=[11])[:, 0, :3]
        seen = sites >= 10 - l
        value = (tokens[np.arange(200), sites] - 3) % 3
        assert law[seen] == pytest.approx(source.channel_law[value[seen]], abs=1e-12)
        assert law[~seen] == pytest.approx(np.full((int((~seen).sum()), 3), 1 / 3), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_order_and_left_out_distractors_change_nothing_of_the_answer(seed, n):
    source = Needle(n_keys=5, n_values=4, noise=0.3)
    tokens = source.sample(3, n + 2, seed=seed)
    whole = source.predict(tokens, positions=[n + 1])[:, 0]
    rng = np.random.default_rng(seed)
    shuffled = np.concatenate([tokens[:, rng.permutation(n)], tokens[:, n:]], axis=1)
    assert np.array_equal(source.predict(shuffled, positions=[n + 1])[:, 0], whole)
    for row, site, law in zip(tokens, source.asked_sites(tokens), whole, strict=True):
        kept = np.sort(np.append(rng.permutation(np.delete(np.arange(n), site))[: n // 2], site))
        few = np.concatenate([row[kept], row[n:]])[None]
        assert np.array_equal(source.predict(few, positions=[len(kept) + 1])[0, 0], law)


def test_asked_keys_and_their_places_are_uniform_and_stand_once():
    source = Needle(n_keys=4, n_values=2)
    tokens = source.sample(20_000, 8, seed=3).astype(int)
    keys = source.keys_of(tokens[:, :6])
    asked = tokens[:, 6] - 10
    assert np.all((keys == asked[:, None]).sum(axis=1) == 1)
    for counts, n in ((np.bincount(asked, minlength=4), 4), (np.bincount(source.asked_sites(tokens), minlength=6), 6)):
        error = np.sqrt(20_000 * (1 / n) * (1 - 1 / n))
        assert np.abs(counts - 20_000 / n).max() < Z * error


def test_long_sequences_keep_their_laws_finite():
    """Far more repeats of a key than float64 could hold as one product."""
    source = Needle(n_keys=3, n_values=2)
    law = source.predict(source.sample(2, 4002, seed=0), positions=[3999, 4000, 4001])
    assert np.isfinite(law).all()
    assert law.sum(axis=2) == pytest.approx(np.ones((2, 3)))


def test_one_key_is_refused():
    with pytest.raises(ConfigError, match="n_keys"):
        Needle(n_keys=1)
