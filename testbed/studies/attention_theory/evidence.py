"""The number of each claim, from labelled arrays. H_n is the mean entropy over rows at n keys, N the largest n.

    c1_entropy, c1_frozen   max over heads of |b|, b the least-squares slope of H_n on ln n, under InfoScale
    p1_ratio        min over annealed heads of f r H_m - |H_N - r H_m| and H_N - (1+f) H_m, with r = ln N / ln m
    p2_flat         min over frozen heads of f H_m - |H_N - H_m|, and over the others of H_N - (1+f) H_m
    headwise        min over InfoScale and log n of b(sigma = least), less max over heads of |b| under lambda*
    log_n_nearer    min over heads of (H_N - H_m under InfoScale) - |H_N - H_m under log n|
    combined        as p2_flat, over alpha >= 64 and alpha <= 32
    p9_sharp        min of 1 - H_n at alpha = 128, and of KL_N(alpha = 32) - KL_N(alpha = 128)
    p11_small_heads min over d of H_N under InfoScale less H_N sphere-exact
    c2_focus        min over heads of the mass on the first m keys at N
    p3_gap          min over gaps and steps of n of: the fall under InfoScale less the margin; the rise under log n and
                    YaRN plus the margin
    p4_loss         min over n > m of KL under InfoScale, and KL under log n less it
    p4_mass         min of mass(InfoScale) - mass(unscaled), mass(log n) - mass(InfoScale) at N
    c3_peak         min over d and steps of alpha of the rise of eta_1*
    p6_follows      max over alpha <= 32 of |cosine - eta_1*| at N;  p6_saturates: over alpha >= 64 of |cosine - 0.31|
    c4_window       min over n of the mass within distance 4 at alpha = 128
    p7_threshold    min of 0.9 - mass at the alpha before, mass at alpha = 16 - 0.9, over n
    p7_length_free  max over alpha >= 16 of the largest less the smallest mass over n

All means are over replicates of paired contrasts; a maximum is of true numbers (see `judge.extremes`).
"""

from typing import Any

import numpy as np

from testbed.studies.attention_theory.claims import STUDY
from testbed.studies.attention_theory.config import Bounds
from testbed.studies.attention_theory.cosine_claims import WINDOW
from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.rows import Floats
from testbed.studies.judge import Evidence, Exact, Max, Min
from testbed.studies.tables import Table


def evidence(bounds: Bounds, data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _of_entropy(bounds, data) | _of_focus(bounds, data) | _of_cosines(bounds, data) | _closed(bounds, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def slopes(table: Table, **labels: Any) -> Floats:
    """(n_replicates,): least-squares slope on ln n of the numbers at these labels."""
    x = np.log(np.array(table.axes["n"], dtype=np.float64))
    x -= x.mean()
    return np.asarray(table.at(**labels) @ x / (x @ x))


def within(stds: tuple[float, ...], lowest: float, highest: float) -> list[float]:
    return [std for std in stds if lowest <= std <= highest]


def worst_slope(data: Data, table: Table, stds: list[float], **labels: Any) -> Evidence:
    """The largest |slope| over heads."""
    found = [slopes(table, std=std, **labels) for std in stds]
    return Max([data.mean(sign * one) for one in found for sign in (1.0, -1.0)])


def _of_entropy(b: Bounds, data: Data) -> dict[str, Evidence]:
    entropy, mean = data.arms["gaussian_heads"]["entropy"], data.mean
    stds, lengths = entropy.axes["std"], entropy.axes["n"]
    m, most = lengths[0], lengths[-1]
    ratio = float(np.log(most) / np.log(m))
    warm, frozen = within(stds, 0.0, b.entropy_above_one_to), within(stds, b.frozen_from, np.inf)
    annealed = [std for std in stds if std < b.annealed_to]

    def at(std: float, law: str, n: int) -> Floats:
        return entropy.at(std=std, law=law, n=n)

    p1: list[Evidence] = []
    for std in annealed:
        first, last = at(std, "infoscale", m), at(std, "infoscale", most)
        kept = b.flat * ratio * first
        p1 += [mean(kept - (last - ratio * first)), mean(kept + (last - ratio * first))]
        p1.append(mean(last - (1 + b.flat) * first))
    p2 = [part for std in frozen for part in _flat(data, entropy.at(std=std, law="infoscale"), b.flat)]
    p2 += [_not_flat(data, entropy.at(std=s, law="infoscale"), b.flat) for s in within(stds, 0.0, b.diffuse_to)]
    rivals = [slopes(entropy, std=stds[0], law=law) for law in ("infoscale", "log_n")]
    own = [sign * slopes(entropy, std=std, law="headwise") for std in warm for sign in (1.0, -1.0)]
    nearer: list[Evidence] = []
    for std in warm:
        risen = at(std, "infoscale", most) - at(std, "infoscale", m)
        moved = at(std, "log_n", most) - at(std, "log_n", m)
        nearer += [mean(risen - moved), mean(risen + moved)]
    return {
        "c1_entropy": worst_slope(data, entropy, warm, law="infoscale"),
        "c1_frozen": worst_slope(data, entropy, frozen, law="infoscale"),
        "p1_ratio": Min(p1),
        "p2_flat": Min(p2),
        "headwise": Min([mean(rival - one) for rival in rivals for one in own]),
        "log_n_nearer": Min(nearer),
        "combined": _combined(b, data),
        "p9_sharp": _sharp(b, data),
        "p11_small_heads": _small_heads(data),
    }


def _flat(data: Data, by_length: Floats, share: float) -> list[Evidence]:
    """share x H_m - |H_N - H_m|, as its two sides; `by_length` (n_replicates, n_lengths)."""
    kept, moved = share * by_length[:, 0], by_length[:, -1] - by_length[:, 0]
    return [data.mean(kept - moved), data.mean(kept + moved)]


def _not_flat(data: Data, by_length: Floats, share: float) -> Evidence:
    """H_N - (1 + share) H_m: the entropy has risen by more than the share."""
    return data.mean(by_length[:, -1] - (1 + share) * by_length[:, 0])


def _combined(b: Bounds, data: Data) -> Evidence:
    entropy = data.arms["random_keys"]["entropy"]
    parts: list[Evidence] = []
    for alpha in entropy.axes["alpha"]:
        by_length = entropy.at(alpha=alpha, law="infoscale")
        if alpha >= b.combined_from:
            parts += _flat(data, by_length, b.combined)
        elif alpha <= b.follows_to:
            parts.append(_not_flat(data, by_length, b.combined))
    return Min(parts)


def _sharp(b: Bounds, data: Data) -> Evidence:
    arm = data.arms["random_keys"]
    most = arm["entropy"].axes["n"][-1]
    sharp = arm["entropy"].at(alpha=b.large_alpha, law="none")
    moved = [arm["divergence"].at(alpha=a, law="infoscale", n=most) for a in (b.follows_to, b.large_alpha)]
    return Min([*(data.mean(1.0 - one) for one in sharp.T), data.mean(moved[0] - moved[1])])


def _small_heads(data: Data) -> Evidence:
    parts: list[Evidence] = []
    for name, arm in data.arms.items():
        if name.startswith("random_keys_small"):
            entropy = arm["entropy"]
            where = {"alpha": entropy.axes["alpha"][0], "n": entropy.axes["n"][-1]}
            parts.append(data.mean(entropy.at(law="infoscale", **where) - entropy.at(law="sphere_exact", **where)))
    return Min(parts)


def _of_focus(b: Bounds, data: Data) -> dict[str, Evidence]:
    originals, key = data.arms["gaussian_heads"]["originals"], data.arms["single_key"]
    most = originals.axes["n"][-1]
    loss: list[Evidence] = []
    for n in key["divergence"].axes["n"][1:]:
        info, log = (key["divergence"].at(law=law, n=n) for law in ("infoscale", "log_n"))
        loss += [data.mean(info), data.mean(log - info)]
    mass = [key["mass"].at(law=law, n=key["mass"].axes["n"][-1]) for law in ("none", "infoscale", "log_n")]
    return {
        "c2_focus": Min([data.mean(originals.at(std=s, law="infoscale", n=most)) for s in originals.axes["std"]]),
        "p4_loss": Min(loss),
        "p4_mass": Min([data.mean(mass[1] - mass[0]), data.mean(mass[2] - mass[1])]),
    }


def _of_cosines(b: Bounds, data: Data) -> dict[str, Evidence]:
    cosine = data.arms["random_keys"]["cosine"]
    most = cosine.axes["n"][-1]
    follows: list[Evidence] = []
    saturates: list[Evidence] = []
    for alpha in cosine.axes["alpha"]:
        found = cosine.at(alpha=alpha, law="none", n=most)
        if alpha <= b.follows_to:
            follows += _distance(data, found, float(data.theory_peak.at(alpha=alpha)))
        elif alpha >= b.combined_from:
            saturates += _distance(data, found, b.saturated)
    return {"p6_follows": Max(follows), "p6_saturates": Max(saturates)}


def _distance(data: Data, values: Floats, target: float) -> list[Evidence]:
    """|mean - target|, as its two sides."""
    return [data.mean(values - target), data.mean(target - values)]


def _closed(b: Bounds, data: Data) -> dict[str, Evidence]:
    peak, window, gap = data.closed["peak"], data.closed["window_mass"], data.closed["gap_mass"]
    alphas = window.axes["alpha"]
    mass = window.at(reach=WINDOW)  # (alpha, n)
    at = alphas.index(b.windowed_from)
    below = mass[at - 1] if at else np.zeros_like(mass[0])
    falls = -np.diff(gap.at(law="infoscale"), axis=-1) - b.mass
    rises = np.stack([np.diff(gap.at(law=law), axis=-1) for law in ("log_n", "yarn")]) + b.mass
    return {
        "p3_gap": Exact(float(min(falls.min(), rises.min()))),
        "c3_peak": Exact(float(np.diff(peak.at(c="d-3"), axis=-1).min())),
        "c4_window": Exact(float(window.at(alpha=b.large_alpha, reach=WINDOW).min())),
        "p7_threshold": Exact(float(min((b.window - below).min(), (mass[at] - b.window).min()))),
        "p7_length_free": Exact(float(np.ptp(mass[at:], axis=1).max())),
    }
