"""The state of an ensemble of MLPs in a file, after an epoch: a training that was stopped goes on, bit for bit.

The order of an epoch is a function of data seed and epoch, so that the state is: weights, optimiser, which members
live, what the stopping rules have kept and seen so far, and the number of finished steps and epochs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.core import sha256_of
from testbed.training.checkpoint import read_state, write_state
from testbed.training.mlp_spec import MLP_TRAINER_VERSION, MLPSpec

if TYPE_CHECKING:
    from testbed.training.mlp_path import MLPEnsemble, PathWatch


def group_key(specs: list[MLPSpec]) -> str:
    """Of the members that train together, in this order."""
    return sha256_of({"mlps": [spec.identity() for spec in specs], "trainer": MLP_TRAINER_VERSION})


def save(file: Path, ensemble: "MLPEnsemble", watch: "PathWatch", step: int) -> bool:
    """Write the state after an epoch; where that fails, it is said and the training goes on."""
    arrays: dict[str, NDArray[Any]] = {name: one.cpu().numpy() for name, one in _tensors(ensemble, watch).items()}
    return write_state(file, group_key(ensemble.specs), {"steps": step}, arrays | watch.arrays())


def restore(file: Path, ensemble: "MLPEnsemble", watch: "PathWatch") -> int:
    """Put a state back; the number of finished steps, 0 where there is no file. StoreError as `read_state`."""
    state = _tensors(ensemble, watch)
    shapes: dict[str, tuple[int, ...] | None] = {name: tuple(one.shape) for name, one in state.items()}
    read = read_state(file, group_key(ensemble.specs), shapes | dict.fromkeys(watch.arrays()))
    if read is None:
        return 0
    head, arrays = read
    for name, tensor in state.items():
        tensor.copy_(torch.from_numpy(arrays[name]))
    watch.put_back({name: np.array(arrays[name]) for name in watch.arrays()})
    return int(head["steps"])


def _tensors(ensemble: "MLPEnsemble", watch: "PathWatch") -> dict[str, torch.Tensor]:
    """What an epoch leaves for the next one."""
    return {
        "weights": ensemble.weights_EP,
        "mean": ensemble.optimiser.mean,
        "square": ensemble.optimiser.square,
        "alive": ensemble.alive_E,
    } | {f"kept_{rule}": kept for rule, kept in watch.kept.items()}
