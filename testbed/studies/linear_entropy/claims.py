"""The claims and the numbers that they are about.

Exact sources have no noise: their number is the largest residual of the best line, as a share of the range of S_ntp.
Of trained members: |r|, residual and R^2 of each replicate, means over replicates, the worst over arms.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Evidence, Exact, Max, Min, Region, Student
from testbed.studies.linear_entropy.data import Data

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy

PAPER = "2502.01481"
STUDY = "linear_entropy"
LINEAR, CURVED = "linear", "curved"
"""Planted worlds: every claim holds in the first, and fails in the second."""


def claims(study: "LinearEntropy") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds = study.bounds
    n = study.n_seeds
    trained = ", ".join(one.name for one in study.arms)

    def claim(
        name: str, statement: str, place: str, reading: str, scope: str, region: Region, margin: float, unit: str
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=reading,  # type: ignore[arg-type]
            scope=scope,
            control=f"world '{CURVED}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    linear = Region(upper=bounds.residual)
    of_range = "share of the range"
    everywhere = ", ".join(one.name for one in study.exact)
    by_design = ", ".join(one.name for one in study.exact if one.role == "true")
    features = f"last layer of transformers, arms {', '.join(entropy_arms(study))}, {n} seeds"
    return (
        claim(
            "c3_by_design",
            "h_0 - h_l is linear in S(l) where questions are uniform over what the state holds.",
            "sec. 2, assumption 3",
            "inferred",
            f"exact, {by_design}",
            linear,
            bounds.residual,
            of_range,
        ),
        claim(
            "c3_everywhere",
            "h_0 - h_l is linear in S(l) on every source.",
            "sec. 2, assumption 3",
            "quoted",
            f"exact, {everywhere}",
            linear,
            bounds.residual,
            of_range,
        ),
        claim(
            "c3_correlation",
            f"Where |r| >= {bounds.correlation} the law is linear: residuals are small on every source with such an r.",
            "Fig. 2, 7 and 9: linearity read off r",
            "inferred",
            f"exact, {everywhere}",
            linear,
            bounds.residual,
            of_range,
        ),
        claim(
            "c3_slope",
            "The slope k lies between 0 and 1 on every source: the state holds more than the next token shows.",
            "sec. 2, assumption 3",
            "quoted",
            f"exact, {everywhere}; nats against nats",
            Region(0.0, 1.0),
            0.0,
            "slope",
        ),
        claim(
            "c3_features_correlate",
            f"Cross-entropy against the kernel entropy of features has |r| >= {bounds.correlation}.",
            "Fig. 2",
            "quoted",
            features,
            Region(lower=bounds.correlation),
            0.0,
            "|r|",
        ),
        claim(
            "c3_features_linear",
            "Cross-entropy is linear in the kernel entropy of features.",
            "Fig. 2",
            "quoted",
            features,
            Region(upper=bounds.noisy_residual),
            bounds.noisy_residual,
            of_range,
        ),
        claim(
            "c3_features_learnt",
            "That correlation is learnt: features of untrained models have a lower |r|.",
            "Fig. 2, read as a property of trained models",
            "inferred",
            features,
            Region(lower=bounds.learnt),
            bounds.learnt,
            "|r|",
        ),
        claim(
            "c5_probe",
            "An affine map of the features gives the exact Bayes state.",
            "App. D, prediction consistency",
            "inferred",
            f"arms {trained}, {n} seeds, held-out R^2",
            Region(lower=bounds.probe),
            1 - bounds.probe,
            "R^2",
        ),
        claim(
            "c5_over_untrained",
            "It does so better than features of untrained models, on the source whose beliefs fill a plane.",
            "App. D",
            "inferred",
            f"arm {study.geometry}, {n} seeds",
            Region(lower=bounds.over_untrained),
            bounds.over_untrained,
            "R^2",
        ),
        claim(
            "c5_information",
            "A probe finds the whole entropy of the Bayes state in the features.",
            "App. D",
            "inferred",
            f"arm {study.counting}, {n} seeds; a lower bound by a softmax of an affine map",
            Region(lower=bounds.information),
            1 - bounds.information,
            "share of S",
        ),
    )


def entropy_arms(study: "LinearEntropy") -> list[str]:
    """Arms on which entropies of features are held against the loss; those of `geometry` settle within few tokens."""
    return [one.name for one in study.arms if one.name != study.geometry]


def evidence(study: "LinearEntropy", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    lines = {one.name: data.line(one.name) for one in study.exact}
    design = [lines[one.name].largest_residual for one in study.exact if one.role == "true"]
    close = [line.largest_residual for line in lines.values() if abs(line.pearson) >= study.bounds.correlation]
    slopes = [line.slope for line in lines.values()]
    trained = {arm: data.lines(arm, data.arms[arm]["kde"]) for arm in entropy_arms(study)}
    untrained = {arm: data.lines(arm, data.arms[arm]["kde_untrained"]) for arm in entropy_arms(study)}
    geometry, counting = data.arms[study.geometry], data.arms[study.counting]
    numbers: dict[str, Evidence] = {
        "c3_by_design": Exact(max(design)),
        "c3_everywhere": Exact(max(line.largest_residual for line in lines.values())),
        "c3_correlation": Exact(max(close)) if close else Student(0.0, float("inf"), 1),
        "c3_slope": Exact(max(slopes, key=lambda one: abs(one - 0.5))),
        "c3_features_correlate": Min([data.mean(one[0]) for one in trained.values()]),
        "c3_features_linear": Max([data.mean(one[1]) for one in trained.values()]),
        "c3_features_learnt": Min([data.mean(trained[arm][0] - untrained[arm][0]) for arm in trained]),
        "c5_probe": Min([data.mean(arrays["probe"][:, 0]) for arrays in data.arms.values()]),
        "c5_over_untrained": data.mean(geometry["probe"][:, 0] - geometry["probe_untrained"][:, 0]),
        "c5_information": data.mean(counting["information"][:, 0]),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
