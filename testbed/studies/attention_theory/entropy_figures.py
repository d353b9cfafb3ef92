"""Figures of the entropy of attention: Gaussian heads, random keys on the sphere, small heads."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_theory.claims import STUDY
from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.drawing import (
    curve,
    interval_words,
    law_curves,
    law_style,
    legend_panel,
    length_axis,
    table_rows,
)
from testbed.studies.attention_theory.laws import LAWS, NAMES
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Table
from testbed.theory import freezing_std

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.attention_theory.study import AttentionTheory


def gaussian_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """H against n for every law, one panel a head."""
    import matplotlib.pyplot as plt

    arm = data.arms["gaussian_heads"]
    entropy, stds = arm["entropy"], study.gaussian_heads.stds
    columns = -(-(len(stds) + 1) // 2)
    figure, axes = plt.subplots(2, columns, figsize=(7, 3.9), sharex=True, sharey="row", squeeze=False)
    panels = axes.ravel()
    for std, axis in zip(stds, panels, strict=False):
        law_curves(axis, data, entropy, std=std)
        axis.set_title(f"$\\sigma$ = {std:g}")
        length_axis(axis, entropy.axes["n"])
    _finish(panels, len(stds), columns, "n (keys)", "entropy H (nats)")
    rows = [row for name in ("entropy", "solved_factor", "solved_entropy") for row in table_rows(data, name, arm[name])]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Entropy of attention with i.i.d. Gaussian logits",
        caption=(
            f"Mean entropy of softmax over n i.i.d. Gaussian logits, of standard deviation sigma at m ="
            f" {study.gaussian_heads.train_length}, scaled by each law (d = {study.gaussian_heads.head_dim}). A law"
            " that keeps entropy would be flat. The head-wise factor knows sigma. The two rows have scales of their"
            f" own. In the CSV also the factor that is solved to keep the entropy. {interval_words(data)}"
        ),
        claims=(f"{STUDY}.c1_entropy", f"{STUDY}.c1_frozen"),
    )


def _finish(panels: "np.ndarray", n_panels: int, columns: int, x: str, y: str) -> None:
    """Legend in the spare panel, labels at the edges."""
    legend_panel(panels[n_panels], panels[0])
    for spare in panels[n_panels + 1 :]:
        spare.axis("off")
    for axis in panels[max(0, n_panels - columns) : n_panels]:
        axis.tick_params(labelbottom=True)
    figure = panels[0].figure
    figure.supxlabel(x, fontsize=8)
    figure.supylabel(y, fontsize=8)


def change_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """What is kept from n = m to the longest rows: H, or H / ln n."""
    import matplotlib.pyplot as plt

    entropy, stds = data.arms["gaussian_heads"]["entropy"], study.gaussian_heads.stds
    m, most = study.gaussian_heads.train_length, study.gaussian_heads.lengths[-1]
    ratio = {law: entropy.at(law=law, n=most) / entropy.at(law=law, n=m) for law in LAWS}
    shares = {"H": 1.0, "H / ln n": float(np.log(m) / np.log(most))}
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.9), sharex=True)
    rows = []
    for axis, (name, share) in zip(axes, shares.items(), strict=True):
        flat = study.bounds.flat
        axis.axhspan(1 - flat, 1 + flat, color="0.9", zorder=0)
        axis.axvline(float(freezing_std(m)), color="0.5", linewidth=0.7, linestyle="-", marker="")
        for law in LAWS:
            curve(axis, data, stds, share * ratio[law], NAMES[law], **law_style(law))
        axis.set_title(name)
        axis.set_xlabel("$\\sigma$ at m (nats)")
        table = Table({"law": LAWS, "std": stds}, np.stack([share * ratio[law] for law in LAWS], axis=1))
        rows += table_rows(data, f"{name} at n = {most} over its value at m", table)
    axes[0].set_ylabel(f"value at n = {most} / value at m")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What stays: the entropy, or its ratio to ln n",
        caption=(
            f"Gaussian heads, n = {most} against m = {m}. Grey band: within {study.bounds.flat:.0%}. Vertical line:"
            f" sigma = sqrt(2 ln m), where weights freeze on O(1) keys. InfoScale keeps H / ln n where sigma is small"
            f" and changes H least where it is large. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("p1_ratio", "p2_flat", "headwise", "log_n_nearer")),
    )


def sphere_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """H against n on the sphere, one panel an alpha."""
    import matplotlib.pyplot as plt

    arm, settings = data.arms["random_keys"], study.random_keys
    columns = -(-(len(settings.scales) + 1) // 2)
    figure, axes = plt.subplots(2, columns, figsize=(7, 3.9), sharex=True, sharey="row", squeeze=False)
    panels = axes.ravel()
    for alpha, axis in zip(settings.scales, panels, strict=False):
        law_curves(axis, data, arm["entropy"], alpha=alpha)
        axis.set_title(f"$\\alpha$ = {alpha:g}")
        length_axis(axis, settings.lengths)
    _finish(panels, len(settings.scales), columns, "n (keys)", "entropy H (nats)")
    return StudyFigure(
        figure=figure,
        rows=[*table_rows(data, "entropy", arm["entropy"]), *table_rows(data, "divergence", arm["divergence"])],
        title="Entropy of CosScale attention to random keys",
        caption=(
            f"Mean entropy of softmax(alpha cos(q, k)) over n keys uniform on the sphere in R^{settings.head_dim}, with"
            f" each law on top (m = {settings.train_length}; head-wise: sigma = alpha / sqrt(d)). The two rows"
            " have scales of their own. In the CSV also the mean KL from the unscaled row to the scaled one."
            f" {interval_words(data)}"
        ),
        claims=(f"{STUDY}.combined", f"{STUDY}.p9_sharp"),
    )


def small_heads_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """H against n for small heads at the critical scale."""
    import matplotlib.pyplot as plt

    small = study.random_keys_small
    figure, axes = plt.subplots(1, len(small), figsize=(2.6 * len(small) + 1.6, 2.8), sharey=True, squeeze=False)
    rows = []
    for settings, axis in zip(small, axes[0], strict=True):
        entropy = data.arms[f"random_keys_small_{settings.head_dim}"]["entropy"]
        _small_panel(axis, data, entropy, settings.head_dim, settings.lengths)
        rows += table_rows(data, "entropy", entropy, head_dim=settings.head_dim)
    axes[0][0].set_ylabel("entropy H (nats)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right center")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Small heads tell the laws apart",
        caption=(
            "Mean entropy over n keys uniform on the sphere, at the scale alpha_c(m) at which random keys freeze. In"
            " small heads InfoScale and the form that follows from the sphere exactly are different laws."
            f" {interval_words(data)}"
        ),
        claims=(f"{STUDY}.p11_small_heads",),
    )


def _small_panel(axis: "Axes", data: Data, entropy: Table, head_dim: int, lengths: tuple[int, ...]) -> None:
    alpha = entropy.axes["alpha"][0]
    law_curves(axis, data, entropy, alpha=alpha)
    axis.set_title(f"d = {head_dim}, $\\alpha$ = {alpha:.1f}")
    axis.set_xlabel("n (keys)")
    length_axis(axis, lengths)
