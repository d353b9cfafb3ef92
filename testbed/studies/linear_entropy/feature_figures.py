"""Figures of features: spectra, sums of their logarithms, dimensions, and the Bayes state read off them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.linear_entropy.claims import STUDY, entropy_arms
from testbed.studies.linear_entropy.data import Data, Floats
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.sources import Source
    from testbed.studies.linear_entropy.config import Arm
    from testbed.studies.linear_entropy.study import LinearEntropy

SMALLEST = 1e-12  # relative eigenvalues are drawn down to it
MARKERS = "osD^vP*X"


def spectra_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """The paper's Fig. 7: relative eigenvalues, and a map of correlations beside maps of curvature and residuals."""
    import matplotlib.pyplot as plt

    arms = entropy_arms(study)
    figure, axes = plt.subplots(2, 3, figsize=(7, 5.2))
    rows: list[dict[str, Any]] = []
    for axis, settings in zip(axes[0], study.arms, strict=False):
        rows += _spectrum_panel(axis, data, settings)
    for axis in axes[0][len(study.arms) :]:
        axis.remove()
    names = [(arm, suffix) for arm in arms for suffix in ("", "_untrained")]
    words = ("|r| of loss and S$_N$", "|curvature| / range", "largest residual / range")
    maps = np.full((3, len(study.estimators.n_terms), len(names)), np.nan)
    for j, (arm, suffix) in enumerate(names):
        for i, n in enumerate(study.estimators.n_terms):
            r, residual, curvature = data.lines(arm, data.arms[arm]["s_n" + suffix][:, i])
            row: dict[str, Any] = {"panel": "S_N", "arm": arm, "features": suffix.strip("_") or "trained", "N": n}
            for k, (name, one) in enumerate((("r", r), ("curvature", np.abs(curvature)), ("residual", residual))):
                if np.isfinite(one).all():
                    maps[k, i, j], low, high = data.interval(one)
                    row |= {name: maps[k, i, j], f"{name}_lower": low, f"{name}_upper": high}
            rows.append(row)
    for axis, values, title in zip(axes[1], maps, words, strict=True):
        axis.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for i, j in np.ndindex(*values.shape):
            known = np.isfinite(values[i, j])
            axis.text(
                j,
                i,
                f"{values[i, j]:.2f}" if known else "-",
                ha="center",
                va="center",
                fontsize=6.5,
                color="black" if known and values[i, j] > 0.5 else "white" if known else "black",
            )
        axis.set_xticks(range(len(names)), [f"{arm}\n{'un' if s else ''}trained" for arm, s in names], fontsize=5.5)
        axis.set_yticks(range(len(study.estimators.n_terms)), [str(n) for n in study.estimators.n_terms])
        axis.grid(False)
        axis.set_title(title, fontsize=8)
    axes[1][0].set_ylabel("N")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Spectra, and correlation beside curvature and residual",
        caption=(
            "The paper's Fig. 7. Upper row: eigenvalues of the trained features' covariance over the largest, geometric"
            f" mean over {study.n_seeds} seeds, for each l; dotted: the exact rank of the state's beliefs, where they"
            " fill a space of few dimensions. Lower row: of loss against S_N, |r| of the line beside the curvature of"
            f" the parabola and the largest residual of the line, mean over seeds ({LEVEL:.0%} intervals in the CSV):"
            " where |r| is high, neither need be small; -: N beyond the rank."
        ),
        claims=_ids("c3_features_correlate", "c3_features_linear"),
        shows=("2502.01481 F6", "2502.01481 F7"),
    )


def _spectrum_panel(axis: Any, data: Data, settings: "Arm") -> list[dict[str, Any]]:
    """Relative eigenvalues of trained features at each l, with the exact rank of the beliefs where it is small."""
    import matplotlib.pyplot as plt

    rows: list[dict[str, Any]] = []
    logs = np.log(np.maximum(data.arms[settings.name]["spectrum"], SMALLEST))
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(settings.lengths)))
    for k, l in enumerate(settings.lengths):
        found = np.exp([data.interval(column) for column in logs[:, k].T])
        look = {"marker": MARKERS[k % len(MARKERS)], "markevery": (k, 8), "markersize": 3, "linestyle": "-"}
        index = np.arange(1, len(found) + 1)
        axis.plot(index, found[:, 0], color=colours[k], linewidth=0.8, label=f"{l}", **look)
        rows += [
            {"panel": "spectrum", "arm": settings.name, "l": l, "index": i, "value": a, "lower": b, "upper": c}
            for i, (a, b, c) in zip(index.tolist(), found.tolist(), strict=True)
        ]
    rank = belief_rank(settings.source)
    if rank is not None:
        axis.axvline(rank + 0.5, color="0.4", linestyle=":", linewidth=1.2, marker="", label=f"rank {rank}")
        rows.append({"panel": "exact rank", "arm": settings.name, "value": rank})
    axis.set_yscale("log")
    axis.set_xlabel("index")
    axis.set_ylabel("relative eigenvalue", fontsize=7)
    axis.set_title(f"{settings.name}, trained", fontsize=8)
    axis.tick_params(labelsize=6)
    axis.legend(title="l", fontsize=5, title_fontsize=5.5, ncols=2)
    return rows


def belief_rank(source: "Source") -> int | None:
    """Dimensions that the Bayes states fill, once there are enough of them: of n hidden states the beliefs fill n - 1.

    None where the state is a count, whose laws of the future fill as many dimensions as there are tokens.
    """
    from testbed.sources.hidden import Mess3

    return 2 if isinstance(source, Mess3) else None


def estimates_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """The paper's Fig. 9: kernel entropies against log-determinants and against dimensions."""
    import matplotlib.pyplot as plt

    arms = entropy_arms(study)
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.0))
    rows: list[dict[str, Any]] = []
    for k, arm in enumerate(arms):
        arrays = data.arms[arm]
        for panel, axis in (("half log det", axes[0]), ("dimension", axes[1])):
            plain = arrays["half_log_determinant"] if panel == "half log det" else arrays["dimension"][:, -1]
            x, y = data.centred(arrays["kde"]), data.centred(plain)
            points = [
                (data.interval(a), data.interval(b))
                for a, b in zip(x.T, y.T, strict=True)
                if np.isfinite(a).all() and np.isfinite(b).all()
            ]
            if not points:
                continue
            x_all, y_all = (np.array([one[side] for one in points]) for side in (0, 1))
            axis.errorbar(
                x_all[:, 0],
                y_all[:, 0],
                xerr=_reach(x_all),
                yerr=_reach(y_all),
                capsize=1.2,
                elinewidth=0.7,
                label=arm,
                **{**style(k), "linestyle": "", "markersize": 3.5},
            )
            rows += [
                {"panel": panel, "arm": arm, "kernel_entropy": float(a[0]), "value": float(b[0])}
                | {"lower": float(b[1]), "upper": float(b[2])}
                for a, b in zip(x_all, y_all, strict=True)
            ]
    axes[0].set_ylabel("½ ln det $-$ its mean over l (nats)")
    axes[1].set_ylabel(f"dimensions above {study.estimators.thresholds[-1]:g} $-$ mean")
    for axis in axes:
        axis.set_xlabel("kernel entropy $-$ its mean over l (nats)")
        axis.legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Estimates against each other",
        caption=(
            "The paper's Fig. 9. The kernel entropy follows the log-determinant: where each point's own kernel makes up"
            " its density the two are the same statistic (study feature_estimators): their agreement is no second"
            f" witness. Bars: {LEVEL:.0%} intervals over {study.n_seeds} seeds, each point alone."
        ),
        claims=_ids("c3_features_linear"),
    )


def probe_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """Held-out R^2 of the Bayes state with its null, and the beliefs as they are read off."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 2.7), width_ratios=(1.3, 1, 1))
    rows: list[dict[str, Any]] = []
    names = list(data.arms)
    for k, (name, label) in enumerate((("probe", "trained"), ("probe_untrained", "untrained"))):
        found = np.array([data.interval(data.arms[arm][name][:, 0]) for arm in names])
        _points(axes[0], np.arange(float(len(names))) + 0.2 * (k - 1), found, label, k)
        rows += [
            {"arm": arm, "features": label, "quantity": "R^2", "mean": one[0], "lower": one[1], "upper": one[2]}
            for arm, one in zip(names, found.tolist(), strict=True)
        ]
    nulls = np.array([data.interval(data.arms[arm]["probe"][:, 1]) for arm in names])
    _points(axes[0], np.arange(float(len(names))) + 0.2, nulls, "shuffled", 2)
    for name, label in (("information", "trained"), ("information_untrained", "untrained")):
        one = data.interval(data.arms[study.counting][name][:, 0])
        rows.append(
            {"arm": study.counting, "features": label, "quantity": "information / S"}
            | {"mean": one[0], "lower": one[1], "upper": one[2]}
        )
    axes[0].set_xticks(range(len(names)), names)
    axes[0].set_ylabel("held-out R$^2$ of the state")
    axes[0].set_ylim(-0.1, 1.1)
    axes[0].legend(fontsize=6.5, loc="center right")
    for axis, name, title in ((axes[1], "beliefs", "exact beliefs"), (axes[2], "predicted", "read off")):
        points = data.arms[study.geometry][name][0]
        if points.shape[1] == 3:
            x, y = points[:, 1] + 0.5 * points[:, 2], np.sqrt(3) / 2 * points[:, 2]
            exact = np.clip(data.arms[study.geometry]["beliefs"][0], 0, 1)
            axis.scatter(x, y, c=0.15 + 0.7 * exact, s=4)
        axis.plot([0, 1, 0.5, 0], [0, 0, np.sqrt(3) / 2, 0], color="0.6", linewidth=0.7, linestyle="-", marker="")
        axis.set_aspect("equal")
        axis.axis("off")
        axis.set_title(f"{study.geometry}: {title}", fontsize=8)
    share = data.interval(data.arms[study.counting]["information"][:, 0])
    plain = data.interval(data.arms[study.counting]["information_untrained"][:, 0])
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The Bayes state in the features",
        caption=(
            f"Left: an affine map of the last layer's features, {LEVEL:.0%} intervals over {study.n_seeds} seeds."
            " Right: the first seed's beliefs, coloured by the exact one. A softmax probe finds"
            f" {share[0]:.1%} [{share[1]:.1%}, {share[2]:.1%}] of the state's entropy on {study.counting}, and"
            f" {plain[0]:.1%} [{plain[1]:.1%}, {plain[2]:.1%}] in untrained features."
        ),
        claims=_ids("c5_probe", "c5_over_untrained", "c5_information"),
    )


def _points(axis: Any, x: Floats, found: Floats, label: str, place: int) -> None:
    axis.errorbar(
        x,
        found[:, 0],
        yerr=_reach(found),
        label=label,
        capsize=1.2,
        elinewidth=0.7,
        **{**style(place), "linestyle": "", "markersize": 3.5},
    )


def _reach(found: Floats) -> Floats:
    """(2, n) lengths of error bars; none where nothing is known."""
    return np.nan_to_num(np.stack([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]), posinf=0.0, neginf=0.0)


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)
