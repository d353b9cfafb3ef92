"""Batches, optimiser, schedule, evaluation: trains an ensemble. Importing this does not import torch."""

from testbed.training.spec import DataConfig, EvaluationConfig, OptimiserConfig, Shape, TrainingSpec
from testbed.training.streams import STREAM_LENGTH, first_sequence

__all__ = [
    "STREAM_LENGTH",
    "DataConfig",
    "EvaluationConfig",
    "OptimiserConfig",
    "Shape",
    "TrainingSpec",
    "first_sequence",
]
