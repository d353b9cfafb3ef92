"""The closed forms, computed once and recorded like everything else."""

import numpy as np

from testbed.studies.attention_theory.config import ClosedForms
from testbed.studies.attention_theory.laws import LAWS, Law, law_factor
from testbed.studies.attention_theory.rows import Floats
from testbed.theory import (
    aligned_weights,
    cosscale_peak,
    infoscale_ratio,
    log_ratio,
    mass_on_one,
    rotary_decay,
    sphere_ratio,
    window_mass,
    yarn_temperature,
)

DENSITIES: dict[str, float] = {"d-3": -3.0, "d-2": -2.0, "d": 0.0}
"""c of eq. 18, less d: the mode of the density in the cosine, in the angle, and the formula's large-d form."""


def closed_forms(settings: ClosedForms) -> dict[str, Floats]:
    """Axes:

    infoscale_factor, sphere_factor   (d, n)
    log_factor, yarn_factor           (n,)
    peak            (c, d, alpha): eta_1*
    remoteness      (alpha,): 1 - eta_1* less its bound c / (2 alpha), d = head_dim, at scales up to 10^6; never above 0
    window_mass     (alpha, reach, n); window_entropy (alpha, n), of aligned attention under RoPE; window_peak alike
    decay           (distance,)
    gap_mass        (gap, law, n): weight of one key against equal distractors, logits scaled by each law
    """
    m, d, lengths = settings.train_length, settings.head_dim, np.array(settings.factor_lengths, dtype=np.float64)
    far = np.geomspace(1.0, 1e6, 25)
    weights = [[aligned_weights(alpha, n, d) for n in settings.window_lengths] for alpha in settings.alphas]
    return {
        "infoscale_factor": np.array([infoscale_ratio(lengths, m, dim) for dim in settings.factor_dims]),
        "sphere_factor": np.array([sphere_ratio(lengths, m, dim) for dim in settings.factor_dims]),
        "log_factor": np.asarray(log_ratio(lengths, m)),
        "yarn_factor": np.asarray(yarn_temperature(lengths, m)),
        "peak": np.array(
            [
                [cosscale_peak(settings.alphas, dim, exponent=dim + less) for dim in settings.peak_dims]
                for less in DENSITIES.values()
            ]
        ),
        "remoteness": 1.0 - np.asarray(cosscale_peak(far, d)) - (d - 3.0) / (2.0 * far),
        "window_mass": np.array(
            [
                [[window_mass(alpha, n, d, reach) for n in settings.window_lengths] for reach in settings.reaches]
                for alpha in settings.alphas
            ]
        ),
        "window_entropy": np.array([[float(-np.sum(w * np.log(w))) for w in row] for row in weights]),
        "window_peak": np.array([[float(w.max()) for w in row] for row in weights]),
        "decay": np.asarray(rotary_decay(settings.distances, d)),
        "gap_mass": np.array(
            [[[_mass(settings, gap, law, n) for n in settings.gap_lengths] for law in LAWS] for gap in settings.gaps]
        ),
    }


def _mass(settings: ClosedForms, gap: float, law: Law, n: int) -> float:
    """Weight of one key that stands `gap` above equal ones at m, at n keys under the law."""
    share = 1.0 / settings.train_length
    std = gap * (share * (1.0 - share)) ** 0.5  # of the logits within a row of m
    return float(mass_on_one(gap * law_factor(law, n, settings.train_length, settings.head_dim, std), n))
