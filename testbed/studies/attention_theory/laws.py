"""The scaling laws that are a function of the number of visible keys alone."""

from typing import Literal

from testbed.theory import entropy_invariant_ratio, infoscale_ratio, log_ratio, sphere_ratio, yarn_temperature

Law = Literal["none", "infoscale", "sphere_exact", "sphere_limit", "log_n", "yarn", "headwise"]
LAWS: tuple[Law, ...] = ("none", "infoscale", "sphere_exact", "sphere_limit", "log_n", "yarn", "headwise")

NAMES: dict[str, str] = {
    "none": "unscaled",
    "infoscale": "InfoScale",
    "sphere_exact": "sphere-exact",
    "sphere_limit": "sphere limit",
    "log_n": "log n",
    "yarn": "YaRN temperature",
    "headwise": "head-wise $\\lambda^*$",
}
"""As they stand in figures."""


def law_factor(law: Law, n: int, train_length: int, head_dim: int, logit_std: float) -> float:
    """What the law multiplies logits by, n keys being visible and m = train_length >= 2; 1 at n = m for every law.

        none            1
        infoscale       I(n) / I(m),  I(x) = sqrt(1 - x^(-2/d))
        sphere_exact    I(n) n^(2/d) / (I(m) m^(2/d))
        sphere_limit    (n/m)^(2/(d-1)), the critical scale of keys uniform on a sphere (2605.08505)
        log_n           ln n / ln m
        yarn            (0.1 ln(n/m) + 1)^2
        headwise        sqrt(1 + 2 ln(n/m) / sigma^2), sigma the true standard deviation of the head's logits at m

    >>> [round(law_factor(law, 4096, 64, 128, 2.0), 3) for law in ("infoscale", "log_n", "headwise")]
    [1.392, 2.0, 1.755]
    """
    if law == "none":
        return 1.0
    if law == "infoscale":
        return float(infoscale_ratio(n, train_length, head_dim))
    if law == "sphere_exact":
        return float(sphere_ratio(n, train_length, head_dim))
    if law == "sphere_limit":
        return float((n / train_length) ** (2.0 / (head_dim - 1)))
    if law == "log_n":
        return float(log_ratio(n, train_length))
    if law == "yarn":
        return float(yarn_temperature(n, train_length))
    return float(entropy_invariant_ratio(n, train_length, logit_std))
