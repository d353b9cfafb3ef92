"""The certificate of a source, and that it would notice a wrong one."""

import numpy as np
import pytest

from testbed.core import Truth
from testbed.measures import check_source
from testbed.sources import LagMarkovSource, MarkovSource


@pytest.mark.parametrize(
    "source",
    [
        MarkovSource.random(3, 2, seed=1),
        MarkovSource([[0.5, 0.5], [1.0, 0.0]]),
        LagMarkovSource(vocab_size=3, change_points=(100, 600), base_entropy=0.7),
    ],
)
def test_three_routes_agree(source):
    check = check_source(source, 4, 50_000, seed=3)
    assert check.largest_difference < 1e-12
    assert check.largest_z < 5.3  # 5 means, false alarm under 1e-6


def test_a_wrong_truth_is_noticed(monkeypatch):
    source = MarkovSource.random(3, 1, seed=1)
    wrong = Truth.exact(np.asarray(source.conditional_entropies(3).value) + 0.02)
    monkeypatch.setattr(MarkovSource, "conditional_entropies", lambda self, n: wrong)
    check = check_source(source, 3, 50_000, seed=3)
    assert check.largest_difference == pytest.approx(0.02, abs=1e-9)
    assert check.largest_z > 6
