"""Hidden units of a transformer's blocks, and how much they tell: entropies of histograms in units of their spread."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from testbed.models.transformer import Transformer

Floats = NDArray[np.float64]


def hidden_units(
    model: "Transformer", weights: Mapping[str, "torch.Tensor"], tokens: NDArray[np.integer]
) -> list[tuple[Floats, Floats]]:
    """Of every block, what goes into the nonlinearity of its MLP and what comes out, (N (L + 1), hidden) each.

    tokens      (N, L); the begin symbol is put before them
    weights     views of one member, (1, ...) each
    """
    import torch

    from testbed.models.transformer import Transformer

    kept: dict[int, Any] = {}

    class Recorder(Transformer):
        """The model itself, keeping what its norms before the MLP give."""

        def _normed(self, weights: Any, place: str, x_EMD: Any, training: bool) -> Any:
            found = super()._normed(weights, place, x_EMD, training)
            if place.endswith(".mlp_norm"):
                matrix = self._folded(weights, place, weights[place.replace("mlp_norm", "mlp_in")])
                kept[int(place.split(".")[0])] = torch.bmm(found, matrix)
            return found

    recorder = Recorder(model.config, model.vocab_size, model.geometry.train_length)
    seen = torch.from_numpy(np.asarray(tokens, dtype=np.int64)).to(weights["embedding"].device)
    begin = torch.full((len(seen), 1), model.begin, dtype=torch.int64, device=seen.device)
    with torch.no_grad():
        recorder.logits(weights, torch.cat([begin, seen], dim=1)[None], "all")
        pairs = []
        for block in range(model.config.depth):
            into = kept[block]
            own = model.config.activation.parameters(into.shape[-1])
            out = model.config.activation.apply(into, {name: weights[f"{block}.activation.{name}"] for name in own})
            pairs.append((_plain(into), _plain(out)))
    return pairs


def _plain(x_EMD: Any) -> Floats:
    return np.asarray(x_EMD[0].double().cpu().numpy())


def unit_entropy(values: Floats, bin_width: float) -> float:
    """Mean over units of the plug-in entropy of a unit's histogram, nats; values (n, units).

    Bins are `bin_width` standard deviations of the unit wide, one of them centred at 0, so that the scale of a unit
    does not count, and a unit that is often exactly 0 has little entropy; one that never changes has none.
    """
    spread = values.std(axis=0)
    found = np.zeros(values.shape[1])
    for unit in np.flatnonzero(spread > 1e-9 * np.maximum(np.abs(values).max(axis=0), 1e-300)):
        codes = np.round(values[:, unit] / (bin_width * spread[unit])).astype(np.int64)
        share = np.unique(codes, return_counts=True)[1] / len(codes)
        found[unit] = -np.sum(share * np.log(share))
    return float(found.mean())
