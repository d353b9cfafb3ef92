"""Fits of decaying losses, R(l) and excess(D): laws, intervals, comparison, extrapolation, coverage."""

from testbed.measures.decay.bootstrap import BootstrapFit, bootstrap_fit, hierarchical_means
from testbed.measures.decay.comparison import Extrapolation, LawComparison, compare_laws, extrapolation_of
from testbed.measures.decay.coverage import Coverage, calibrated_fit, clopper_pearson, coverage_of
from testbed.measures.decay.fit import DecayFit, constant_interval, fit_decay
from testbed.measures.decay.laws import BROKEN_POWER, EXPONENTIAL, LAWS, LOGARITHMIC, POWER, STRETCHED, DecayLaw

__all__ = [
    "BROKEN_POWER",
    "EXPONENTIAL",
    "LAWS",
    "LOGARITHMIC",
    "POWER",
    "STRETCHED",
    "BootstrapFit",
    "Coverage",
    "DecayFit",
    "DecayLaw",
    "Extrapolation",
    "LawComparison",
    "bootstrap_fit",
    "calibrated_fit",
    "clopper_pearson",
    "compare_laws",
    "constant_interval",
    "coverage_of",
    "extrapolation_of",
    "fit_decay",
    "hierarchical_means",
]
