"""Shapes of transformers whose operations are counted, and what was worked out for them beforehand by hand."""

SHAPES = ((64, 2, 16, 16), (64, 2, 16, 128), (64, 2, 16, 1024), (768, 12, 50257, 1024))
"""Width d, depth L, vocabulary V, length T."""
TABLED = ((2.04, 0.020, 15.0), (2.28, 0.124, 100.0), (3.14, 0.363, 479.0), (2.14, 0.066, 897.0))
"""F(2T) / F(T), the share that two passes over T save against one over 2T, and how many times as dear decoding by
windows is as decoding with kept keys."""
