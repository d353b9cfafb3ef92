"""Measurements of speed, each a command: `python -m benchmarks.NAME`. Tests never assert times; these print ratios."""
