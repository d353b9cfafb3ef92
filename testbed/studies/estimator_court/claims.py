"""The claims: what is said of estimators of entropy, in the literature and in this library's own words.

Of 2601.09039 the abstract's statement on higher-order entropies of tokens was at hand; what estimator it rests on was
not. The others are common beliefs and the promises of `testbed.measures.entropy`; all readings are ours.
"""

from typing import TYPE_CHECKING

from testbed.studies.estimator_court.bias_claims import bias_claims
from testbed.studies.estimator_court.rate_claims import rate_claims
from testbed.studies.estimator_court.trust_claims import interval_claims, limit_claims
from testbed.studies.judge import Claim

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt


def claims(study: "EstimatorCourt") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*bias_claims(study), *interval_claims(study), *limit_claims(study), *rate_claims(study))
