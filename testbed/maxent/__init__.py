"""Laws of largest entropy under marginal constraints, and what they make of a short model at twice its length."""

from testbed.maxent.conditional import ConditionalLaw, fit_conditional
from testbed.maxent.constraint import Constraint
from testbed.maxent.constraint_set import ConstraintSet, Disagreement
from testbed.maxent.divergence import divergence, token_divergences
from testbed.maxent.errors import InfeasibleError, NotConvergedError
from testbed.maxent.extension import Extension, Scheme
from testbed.maxent.families import (
    AnyFamily,
    Blocks,
    Family,
    FamilySize,
    Pairs,
    Star,
    Symmetrised,
    Triangle,
    Windows,
    families,
    family,
)
from testbed.maxent.feasibility import Feasibility
from testbed.maxent.kirkwood import kirkwood_law
from testbed.maxent.law import ChainLaw, DenseLaw, Law, marginal_of
from testbed.maxent.marginals import CountMarginals, JointMarginals, WindowMarginals, model_block_law
from testbed.maxent.one_way import Conditional, one_way_law
from testbed.maxent.policies import choose_l2, count_boxes, solve_with_policy

__all__ = [
    "AnyFamily",
    "Blocks",
    "ChainLaw",
    "Conditional",
    "ConditionalLaw",
    "Constraint",
    "ConstraintSet",
    "CountMarginals",
    "DenseLaw",
    "Disagreement",
    "Extension",
    "Family",
    "FamilySize",
    "Feasibility",
    "InfeasibleError",
    "JointMarginals",
    "Law",
    "NotConvergedError",
    "Pairs",
    "Scheme",
    "Star",
    "Symmetrised",
    "Triangle",
    "WindowMarginals",
    "Windows",
    "choose_l2",
    "count_boxes",
    "divergence",
    "families",
    "family",
    "fit_conditional",
    "kirkwood_law",
    "marginal_of",
    "model_block_law",
    "one_way_law",
    "solve_with_policy",
    "token_divergences",
]
