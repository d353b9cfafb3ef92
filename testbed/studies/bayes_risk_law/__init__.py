"""Which sources have the Bayes risk R(l) = C_0 + C / l^gamma, and which only look it (Shi et al. 2025, 2502.01481)."""

from testbed.studies.bayes_risk_law.study import BayesRiskLaw

__all__ = ["BayesRiskLaw"]
