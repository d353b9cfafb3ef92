"""The figure of unigram models over tokens, against their bounds."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure
from testbed.studies.tokenizers.data import Data, epsilon
from testbed.studies.tokenizers.drawing import RANGES, level, points, ranges

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

LABELS = {"byte_pairs": "byte pairs", "lzw": "LZW", "lz78": "LZ78", "grams": "blocks", "words": "words"}


def unigram_figure(study: "Tokenizers", data: Data) -> StudyFigure:
    """H(token) / E[length] against the number of tokens, every coder, every arm."""
    import matplotlib.pyplot as plt

    columns = (len(study.arms) + 1) // 2
    figure, axes = plt.subplots(2, columns, figsize=(2.5 * columns, 4.6), squeeze=False)
    for axis in axes.flat[len(study.arms) :]:
        axis.set_visible(False)
    rows: list[dict[str, Any]] = []
    seen: dict[str, Any] = {}
    for arm, axis in zip((study.coin, *study.lag_arms, study.words), axes.flat, strict=False):
        texts = data.texts[arm.name]
        cost = texts["size_true"][..., 0] / texts["size_mean_length"]
        for i, coder in enumerate(arm.coders):
            look = style(list(LABELS).index(coder)) | {"linestyle": "-" if coder in ("byte_pairs", "words") else "--"}
            middle, low, high = ranges(cost[:, i])
            points(axis, arm.sizes, np.array([middle, low, high]), look, LABELS[coder])
            rows += [
                {"arm": arm.name, "coder": coder, "tokens": size, "nats_per_symbol": m, "least": a, "largest": b}
                for size, m, a, b in zip(arm.sizes, middle, low, high, strict=True)
            ]
        h, symbol = float(texts["entropy_rate"][0]), float(texts["symbol_entropy"][0])
        level(axis, h, "h")
        level(axis, symbol, "H(symbol)", (1, 1))
        if arm.role == "lag":
            bound = h / (1.0 - epsilon(study, texts, arm)[0])
            shown = np.where(bound < 1.3 * max(symbol, cost.mean(axis=0).max()), bound, np.nan)
            axis.plot(arm.sizes, shown, color="C1", marker="", linestyle=(0, (1, 1)), label="bound on LZW")
        axis.set_xscale("log", base=2)
        axis.set_title(arm.name)
        axis.set_xlabel("tokens")
        axis.set_ylabel("nats a symbol")
        seen |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(list(seen.values()), list(seen), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Unigram models over tokens",
        caption=(
            "Exact cost of the best unigram model over tokens, H(token) / E[length], against the number of tokens, with"
            " h, the unigram cost over symbols, and the bound h / (1 - epsilon) on LZW where it is near enough to be"
            f" drawn. Tokenizers trained on {study.texts.training_length} symbols; median and {RANGES}"
            f" ({study.replicates})."
        ),
        claims=tuple(
            f"tokenizers.{name}" for name in ("bpe_bound", "lzw_bound", "near_optimal", "never_hurts", "words")
        ),
    )
