"""The transformer, every weight with a leading member axis. Importing this does not import torch."""

from testbed.models.config import ModelConfig

__all__ = ["ModelConfig"]
