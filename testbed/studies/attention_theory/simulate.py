"""The simulations: one replicate of each, all laws and lengths on the same random numbers."""

import numpy as np

from testbed.studies.attention_theory.config import GaussianHeads, RandomKeys, SingleKey
from testbed.studies.attention_theory.laws import LAWS, law_factor
from testbed.studies.attention_theory.rows import Floats, blocks, entropy_keeping_factor
from testbed.theory import entropy_invariant_ratio

Arrays = dict[str, Floats]


def gaussian_heads(settings: GaussianHeads, rng: np.random.Generator) -> Arrays:
    """Means over rows of i.i.d. Gaussian logits, axes (sigma, law, n) unless said otherwise.

    entropy         of attention, nats
    originals       mass on the first m keys; `originals_over_fillers`: with the later keys `filler_gap` lower at m
    solved_factor   (solved sigma, n): the factor that keeps this replicate's mean entropy, and `solved_entropy` with it
    second_moment   (n,): mean square of the drawn standard normals
    """
    m, lengths = settings.train_length, settings.lengths
    normals = rng.standard_normal((settings.n_rows, lengths[-1]))
    shape = (len(settings.stds), len(LAWS), len(lengths))
    sums: Arrays = {name: np.zeros(shape) for name in ("entropy", "originals", "originals_over_fillers")}
    for k, n in enumerate(lengths):
        for _rows, block in blocks(normals, n):
            for i, std in enumerate(settings.stds):
                for j, law in enumerate(LAWS):
                    factor = law_factor(law, n, m, settings.head_dim, std)
                    row = block.tilted(factor * std)
                    total, first = row.total, row.weights[:, :m].sum(axis=1)
                    lowered = np.exp(-factor * settings.filler_gap) * (total - first)
                    sums["entropy"][i, j, k] += row.entropy.sum()
                    sums["originals"][i, j, k] += (first / total).sum()
                    sums["originals_over_fillers"][i, j, k] += (first / (first + lowered)).sum()
    means = {name: values / settings.n_rows for name, values in sums.items()}
    means["second_moment"] = np.array([np.mean(normals[:, :n] ** 2) for n in lengths])
    return means | _solved(settings, normals, means["entropy"])


def _solved(settings: GaussianHeads, normals: Floats, entropy: Floats) -> Arrays:
    solved = [(i, std) for i, std in enumerate(settings.stds) if std <= settings.solved_to]
    factors = np.ones((len(solved), len(settings.lengths)))
    found = np.zeros_like(factors)
    for i, std in solved:
        for k, n in enumerate(settings.lengths):
            start = std * float(entropy_invariant_ratio(n, settings.train_length, std))
            target = float(entropy[i, 0, 0])
            factors[i, k] = entropy_keeping_factor(normals, n, target, start) / std
            found[i, k] = sum(b.tilted(std * factors[i, k]).entropy.sum() for _, b in blocks(normals, n))
    return {"solved_factor": factors, "solved_entropy": found / settings.n_rows}


def random_cosines(n_rows: int, n: int, head_dim: int, rng: np.random.Generator) -> Floats:
    """(n_rows, n): cosines of a fixed direction with keys uniform on the sphere in R^d.

    (1 + eta) / 2 is Beta((d-1)/2, (d-1)/2): the law of one coordinate, without drawing the others.
    """
    half = (head_dim - 1) / 2.0
    return 2.0 * rng.beta(half, half, size=(n_rows, n)) - 1.0


def random_keys(settings: RandomKeys, rng: np.random.Generator) -> Arrays:
    """Means over rows of logits alpha cos(q, k), axes (alpha, law, n) unless said otherwise.

    entropy         of attention, nats
    cosine          attended: sum p cos
    divergence      KL(unscaled row || scaled row), nats
    largest_cosine  (n,)
    second_moment   (n,): mean squared cosine, 1/d in truth
    """
    m, lengths, scales = settings.train_length, settings.lengths, settings.scales
    cosines = random_cosines(settings.n_rows, lengths[-1], settings.head_dim, rng)
    shape = (len(scales), len(LAWS), len(lengths))
    sums: Arrays = {name: np.zeros(shape) for name in ("entropy", "cosine", "divergence")}
    for k, n in enumerate(lengths):
        for _rows, block in blocks(cosines, n):
            for i, alpha in enumerate(scales):
                plain = block.tilted(alpha)
                std = alpha / settings.head_dim**0.5
                for j, law in enumerate(LAWS):
                    row = block.tilted(alpha * law_factor(law, n, m, settings.head_dim, std))
                    sums["entropy"][i, j, k] += row.entropy.sum()
                    sums["cosine"][i, j, k] += row.mean.sum()
                    sums["divergence"][i, j, k] += plain.divergence_to(row).sum()
    means = {name: values / settings.n_rows for name, values in sums.items()}
    means["largest_cosine"] = np.array([cosines[:, :n].max(axis=1).mean() for n in lengths])
    means["second_moment"] = np.array([np.mean(cosines[:, :n] ** 2) for n in lengths])
    return means


def single_key(settings: SingleKey, rng: np.random.Generator) -> Arrays:
    """Means over rows with the relevant key first (places are exchangeable), axes (law, n).

    loss            -ln of the weight on the true key, nats
    mass            the weight itself
    entropy         of attention, nats
    divergence      KL(posterior || attention), nats: the loss above Bayes', without the noise of the truth
    """
    m, lengths = settings.train_length, settings.lengths
    logits = settings.noise * rng.standard_normal((settings.n_rows, lengths[-1]))
    logits[:, 0] += settings.shift
    logits *= settings.bayes_scale
    shape = (len(LAWS), len(lengths))
    sums: Arrays = {name: np.zeros(shape) for name in ("loss", "mass", "entropy", "divergence")}
    for k, n in enumerate(lengths):
        for rows, block in blocks(logits, n):
            posterior = block.tilted(1.0)
            for j, law in enumerate(LAWS):
                row = block.tilted(law_factor(law, n, m, settings.head_dim, settings.logit_std))
                log_mass = row.factor * logits[rows, 0] - row.log_normaliser
                sums["loss"][j, k] -= log_mass.sum()
                sums["mass"][j, k] += np.exp(log_mass).sum()
                sums["entropy"][j, k] += row.entropy.sum()
                sums["divergence"][j, k] += posterior.divergence_to(row).sum()
    return {name: values / settings.n_rows for name, values in sums.items()}
