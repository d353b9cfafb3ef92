"""Entropy from samples: k-gram counts of all orders, estimators, intervals, and how far they can be trusted."""

from testbed.measures.entropy.counting import GramCounter, GramCounts, count_grams, gram_tables
from testbed.measures.entropy.coverage import coverage_deficit, trust_limit
from testbed.measures.entropy.estimators import ESTIMATORS, entropy_from_counts
from testbed.measures.entropy.fingerprint import Fingerprint
from testbed.measures.entropy.profile import EntropyProfile, conditional_entropies, entropy_profiles

__all__ = [
    "ESTIMATORS",
    "EntropyProfile",
    "Fingerprint",
    "GramCounter",
    "GramCounts",
    "conditional_entropies",
    "count_grams",
    "coverage_deficit",
    "entropy_from_counts",
    "entropy_profiles",
    "gram_tables",
    "trust_limit",
]
