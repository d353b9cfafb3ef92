"""What theory says of scaled attention: closed forms and simulated rows, no training (Li et al. 2025, 2501.08570)."""

from testbed.studies.attention_theory.study import AttentionTheory

__all__ = ["AttentionTheory"]
