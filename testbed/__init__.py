"""A laboratory for claims about entropy, context length and attention temperature in language models."""

__version__ = "0.1.0"
