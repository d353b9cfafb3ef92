"""Figures of attention's mass: the original tokens among others, and one relevant key."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_theory.claims import STUDY
from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.drawing import (
    closed_rows,
    curve,
    interval_words,
    law_curves,
    law_style,
    legend_below,
    legend_panel,
    length_axis,
    table_rows,
)
from testbed.studies.attention_theory.laws import LAWS, NAMES
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

SHOWN_STD = 2.0
"""The head whose mass is drawn against n, or the one nearest to it."""


def originals_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """Mass on the first m keys: appended keys of the same law, and lower ones."""
    import matplotlib.pyplot as plt

    arm, settings = data.arms["gaussian_heads"], study.gaussian_heads
    std = min(settings.stds, key=lambda one: abs(one - SHOWN_STD))
    m, most = settings.train_length, settings.lengths[-1]
    figure, axes = plt.subplots(1, 3, figsize=(7, 3.0))
    law_curves(axes[0], data, arm["originals"], std=std)
    lengths = np.array(settings.lengths, dtype=np.float64)
    axes[0].plot(lengths, m / lengths, color="0.6", linewidth=3, linestyle="-", marker="", zorder=0, label="m / n")
    axes[0].set_yscale("log", base=2)
    axes[0].set_yticks([m / n for n in settings.lengths], [_fraction(m, n) for n in settings.lengths])
    axes[0].set_title(f"same law, $\\sigma$ = {std:g}")
    for law in LAWS:
        relative = arm["originals"].at(law=law, n=most) * (most / m)
        curve(axes[1], data, settings.stds, relative, NAMES[law], **law_style(law))
    axes[1].axhline(1.0, color="0.6", linewidth=3, linestyle="-", marker="", zorder=0)
    axes[1].set_title(f"same law, n = {most}")
    axes[1].set_xlabel("$\\sigma$ at m (nats)")
    axes[1].set_ylabel("mass on the originals $\\times$ n / m")
    law_curves(axes[2], data, arm["originals_over_fillers"], std=std)
    axes[2].set_title(f"{settings.filler_gap:g} nats lower, $\\sigma$ = {std:g}")
    axes[0].set_ylabel("mass on the originals")
    axes[2].set_ylabel("mass on the originals")
    for axis in (axes[0], axes[2]):
        axis.set_xlabel("n (keys)")
        length_axis(axis, settings.lengths)
    legend_below(figure, axes[0], 4)
    return StudyFigure(
        figure=figure,
        rows=[
            *table_rows(data, "mass on the originals, appended keys of the same law", arm["originals"]),
            *table_rows(data, "mass on the originals, appended keys lower", arm["originals_over_fillers"]),
        ],
        title="Focus on the original tokens",
        caption=(
            f"Mean mass on the first m = {m} of n keys. Left and middle: appended keys have the law of the originals;"
            " the mass is m / n at any temperature, whatever the law of scaling. Right: appended keys lie"
            f" {settings.filler_gap:g} nats lower at m; only then can a sharper softmax keep focus."
            f" {interval_words(data)}"
        ),
        claims=(f"{STUDY}.c2_focus",),
    )


def single_key_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """One relevant key: loss, calibration and mass against n; and the mass of one key above equal ones."""
    import matplotlib.pyplot as plt

    arm, settings, gap_mass = data.arms["single_key"], study.single_key, data.closed["gap_mass"]
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.3))
    panels = axes.ravel()
    for axis, name, title in zip(
        panels,
        ("loss", "divergence", "mass"),
        ("loss of the true key (nats)", "KL from the posterior (nats)", "mass on the true key"),
        strict=False,
    ):
        law_curves(axis, data, arm[name])
        axis.set_title(title)
        length_axis(axis, settings.lengths)
    for axis, gap in zip(panels[3:5], study.closed_forms.gaps, strict=False):
        for law in LAWS:
            axis.plot(gap_mass.axes["n"], gap_mass.at(gap=gap, law=law), label=NAMES[law], **law_style(law))
        axis.set_title(f"mass at a gap of {gap:g} nats")
        axis.set_ylim(0, 1.02)
        length_axis(axis, gap_mass.axes["n"])
    for axis in panels[:5]:
        axis.set_xlabel("n (keys)")
    legend_panel(panels[5], panels[0])
    rows = [row for name, table in arm.items() for row in table_rows(data, name, table)]
    rows += closed_rows("mass at a fixed gap", gap_mass)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="One relevant key",
        caption=(
            f"Top: one key with evidence N({settings.shift:g}, {settings.noise**2:g}) among N(0,"
            f" {settings.noise**2:g}). Unscaled logits are at Bayes' temperature, the same for every n, so that their"
            " loss is Bayes' and every other law's is above it by the KL. The mass on the true key rises all the same:"
            " mass and calibration disagree. Bottom (exact): the weight of one key at a fixed gap above equal"
            " distractors."
            f" {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("p3_gap", "p4_loss", "p4_mass")),
    )


def _fraction(m: int, n: int) -> str:
    return "1" if n == m else (f"1/{n // m}" if n % m == 0 else f"{m / n:.3g}")
