"""Verdicts: word and interval agree, wrong words are rare over a whole study, and every case has its plain sentence."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core.errors import ConfigError
from testbed.studies.judge import (
    OWN,
    Claim,
    Evidence,
    Exact,
    Max,
    Mean,
    Min,
    Open,
    Region,
    Replicates,
    Student,
    Verdict,
    clopper_pearson,
    judge,
    mean_if_known,
    unknown,
)


def claim(region: Region, id: str = "c", **changes: object) -> Claim:
    fields: dict[str, object] = {
        "id": id,
        "statement": "an optimum exists",
        "paper": "Author 2025",
        "place": "section 3",
        "reading": "quoted",
        "scope": "order-2 sources",
        "control": "no optimum",
        "region": region,
        "margin": 0.01,
        "decided_at": "laptop",
    }
    return Claim(**fields | changes)  # type: ignore[arg-type]


numbers = st.floats(-3, 3)
regions = st.one_of(
    st.builds(Region, lower=numbers),
    st.builds(Region, upper=numbers),
    st.builds(Region.around, numbers, st.floats(0, 2)),
)
students = st.builds(Student, numbers, st.just(0.0) | st.floats(0.01, 3), st.integers(2, 30))
evidence = st.one_of(
    students,
    st.builds(Exact, numbers),
    st.builds(Max, st.lists(students, min_size=1, max_size=3)),
    st.builds(lambda parts: -Min(parts), st.lists(students, min_size=1, max_size=3)),
)
studies = st.lists(st.tuples(regions, evidence, st.booleans()), min_size=1, max_size=6)


@given(studies, st.floats(0.001, 0.4))
def test_word_and_interval_agree(study: list[tuple[Region, Evidence, bool]], alpha: float):
    pairs = [(claim(region, str(i), exact_truth=exact), theta) for i, (region, theta, exact) in enumerate(study)]
    for verdict, (given_claim, theta) in zip(judge(pairs, alpha), pairs, strict=True):
        inside = given_claim.region.contains(verdict.lower, verdict.upper)
        outside = given_claim.region.excludes(verdict.lower, verdict.upper)
        assert verdict.verdict == "undecided" or not theta.too_few or given_claim.exact_truth
        if given_claim.exact_truth or not theta.too_few:
            assert verdict.verdict == ("holds" if inside else "fails" if outside else "undecided")
        if abs(verdict.p_adjusted - alpha) > 1e-9:
            assert (verdict.p_adjusted <= alpha) == (verdict.verdict != "undecided")
        assert theta.interval((1 - verdict.level) / 2) == pytest.approx(
            (verdict.lower, verdict.upper), rel=1e-6, abs=1e-6
        )
        assert Verdict.from_json(verdict.to_json()) == verdict
        assert verdict.reason.endswith(".")
        assert "nan" not in verdict.reason


@given(studies)
def test_holds_and_fails_are_never_both_credible(study: list[tuple[Region, Evidence, bool]]):
    for region, theta, _ in study:
        assert region.p_holds(theta) + region.p_fails(theta) >= 1 - 1e-9 or math.isclose(theta.estimate, region.lower)


@pytest.mark.slow
@pytest.mark.parametrize("correlated", [False, True])
def test_family_wise_error_of_wrong_verdicts(correlated: bool):
    """Three clear claims, so that Holm steps down, and three a hair from an edge, where a wrong word is likeliest.

    At most 10 % of 1,200 studies hold any wrong verdict (false alarm 1e-4).
    """
    regions = [Region(lower=0), Region(upper=0), Region.around(0, 0.5), Region(lower=0), Region(upper=0), Region(-9, 0)]
    truths = np.array([5.0, -5.0, 5.0, 1e-9, 1e-9, -1e-9])
    right = ["holds", "holds", "fails", "holds", "fails", "holds"]
    rng, alpha, n, n_draws, wrong, decided = np.random.default_rng(1), 0.1, 6, 1_200, 0, 0
    for _ in range(n_draws):
        noise = rng.normal(size=(n, 6)) + (3 * rng.normal(size=(n, 1)) if correlated else 0)
        x = truths + noise / noise.std()
        thetas = [Student(float(column.mean()), float(column.std(ddof=1)), n) for column in x.T]
        words = [
            v.verdict
            for v in judge([(claim(r, str(i)), t) for i, (r, t) in enumerate(zip(regions, thetas, strict=True))], alpha)
        ]
        decided += words[:3] == right[:3]
        wrong += any(word not in (expected, "undecided") for word, expected in zip(words, right, strict=True))
    assert clopper_pearson(wrong, n_draws, 2e-4)[0] <= alpha, wrong / n_draws
    assert wrong > 0.01 * n_draws
    assert decided > 0.9 * n_draws


def test_family_wise_error_of_the_bootstrap_on_skewed_values():
    """Three claims on 12 units of chi-square values, two thetas at the edge: at most 5 % of 600 (false alarm 1e-4)."""
    design = Replicates.grid({"kernel": 12}, seed=0)
    rng, n_draws, wrong = np.random.default_rng(2), 600, 0
    edge = 1e-9
    for _ in range(n_draws):
        x = (rng.chisquare(2, size=(12, 3)) - 2) / 2
        pairs = [
            (claim(Region(lower=edge), "a"), Mean(x[:, 0], design)),
            (claim(Region(lower=-5), "b"), Mean(x[:, 1], design)),
            (claim(Region(upper=-edge), "c"), Mean(x[:, 2], design)),
        ]
        words = [verdict.verdict for verdict in judge(pairs)]
        wrong += words[0] == "holds" or words[1] == "fails" or words[2] == "holds"
    assert clopper_pearson(wrong, n_draws, 2e-4)[0] <= 0.05, wrong / n_draws


def test_holm_lets_the_last_claim_have_what_the_others_no_longer_need():
    """p = 0.01 beside three claims with p = 0: Holm's last step asks for 0.025, Bonferroni would ask for 0.00625."""
    theta = Student(1.0, 1.0, 8)
    edge = theta.lower(0.01)
    pairs = [(claim(Region(lower=edge), "a"), theta)] + [(claim(Region(lower=0), i), Exact(1.0)) for i in "bcd"]
    first = judge(pairs)[0]
    assert first.verdict == "holds"
    assert first.p_holds == pytest.approx(0.01)
    assert first.p_adjusted == pytest.approx(0.02)
    assert first.level == pytest.approx(0.95)


def test_an_equality_claim_is_two_one_sided_tests():
    region = Region.around(0, 0.1)
    theta = Student(0.0, 1.0, 8)
    low = Region.around(theta.upper(0.02) + 1, 1)  # its lower end is missed at p = 0.02, doubled for the upper end
    assert low.p_fails(theta) == pytest.approx(0.04)
    undecided, fails = (judge([(claim(low), theta)], alpha)[0] for alpha in (0.079, 0.081))
    assert (undecided.verdict, fails.verdict) == ("undecided", "fails")
    assert undecided.upper > low.lower > fails.upper
    tight, wide, off = Student(0.01, 0.02, 8), Student(0.01, 0.5, 8), Student(0.4, 0.02, 8)
    assert [judge([(claim(region), theta)])[0].verdict for theta in (tight, wide, off)] == [
        "holds",
        "undecided",
        "fails",
    ]


def test_exact_numbers_at_the_edge_of_a_closed_region_hold():
    assert judge([(claim(Region(0, 0)), Exact(0.0))])[0].verdict == "holds"
    assert judge([(claim(Region(upper=0)), Exact(0.0))])[0].verdict == "holds"
    assert judge([(claim(Region(upper=0)), Exact(5e-324))])[0].verdict == "fails"


def test_fewer_than_five_replicates_are_undecided_unless_the_truth_is_exact():
    theta = Student(1.0, 0.001, 4)
    verdict = judge([(claim(Region(lower=0)), theta)])[0]
    assert verdict.verdict == "undecided"
    assert verdict.replicates_needed == 5
    assert verdict.p_adjusted == 1
    assert verdict.lower > 0  # the interval is still valid
    assert "4 independent replicates are fewer than 5" in verdict.reason
    exact = judge([(claim(Region(lower=0), exact_truth=True), theta)])[0]
    assert exact.verdict == "holds"
    assert exact.notes == ("judged on 4 replicates, as each value is an exact truth",)


@given(students | st.builds(Max, st.lists(students, min_size=1, max_size=3)), regions)
def test_replicates_needed_is_the_least_number_that_decides(theta: Evidence, region: Region):
    verdict = judge([(claim(region), theta)])[0]
    needed = verdict.replicates_needed
    if verdict.verdict != "undecided":
        assert needed is None
    elif needed is not None:
        assert judge([(claim(region), theta.with_replicates(needed))])[0].verdict != "undecided"
        if needed > max(5, theta.n_independent + 1):
            assert judge([(claim(region), theta.with_replicates(needed - 1))])[0].verdict == "undecided"
        assert f"about {needed:,}" in verdict.reason
    else:
        assert judge([(claim(region), theta.with_replicates(100_000))])[0].verdict == "undecided"


def test_a_failed_check_voids_every_verdict():
    pairs = [(claim(Region(lower=0), "a"), Exact(1.0)), (claim(Region(lower=0), "b"), Student(1.0, 0.1, 9))]
    for verdict in judge(pairs, void="h_l rises from l = 1 to 2"):
        assert verdict.verdict == "undecided"
        assert verdict.p_adjusted == 1
        assert verdict.replicates_needed is None
        assert verdict.reason == "Undecided, because a check of the study failed: h_l rises from l = 1 to 2."


def test_a_failing_inferred_reading_does_not_read_as_refuting_the_paper():
    theta = Student(-1.0, 0.1, 9)
    quoted = judge([(claim(Region(lower=0)), theta)])[0]
    inferred = judge([(claim(Region(lower=0), reading="inferred"), theta)])[0]
    assert quoted.reason.startswith("The claim fails: the 95 % interval [")
    assert inferred.reason.startswith("Our reading of Author 2025 fails: ")
    assert "our reading" in inferred.notes[0]


def test_sentences():
    def reason(theta: Evidence, region: Region) -> str:
        return judge([(claim(region), theta)])[0].reason

    assert reason(Exact(0.25), Region(lower=0)) == "The claim holds: the exact value 0.25 nats lies within [0, inf)."
    assert reason(Student(0.0, 1.0, 9), Region(lower=0)).endswith(
        "lies neither within nor outside [0, inf); no number up to 100,000 would decide at the present mean and spread."
    )


def test_json_holds_infinities_and_plain_values():
    verdict = judge([(claim(Region(lower=0)), Mean([0.5], Replicates.grid({"kernel": 1}, seed=0)))])[0]
    data = json.loads(verdict.to_json())
    assert (data["lower"], data["upper"], data["claim"]["region"]) == ("-inf", "inf", {"lower": 0, "upper": "inf"})
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert Verdict.from_dict(verdict.to_dict()) == verdict


def test_what_is_refused():
    with pytest.raises(ConfigError, match="lower <= upper"):
        Region(1, 0)
    with pytest.raises(ConfigError, match="finite end"):
        Region()
    with pytest.raises(ConfigError, match="claim c: reading is one of quoted, inferred, not 'guessed'"):
        claim(Region(lower=0), reading="guessed")
    with pytest.raises(ConfigError, match="claim c: margin"):
        claim(Region(lower=0), margin=-1.0)
    with pytest.raises(ConfigError, match="statement is empty"):
        claim(Region(lower=0), statement="")
    with pytest.raises(ValueError, match="ids of their own"):
        judge([(claim(Region(lower=0)), Exact(0.0))] * 2)
    assert judge([]) == []


@pytest.mark.parametrize("number", [Student(2.0, 0.01, 50), Student(0.0, math.inf, 1), Exact(2.0)])
def test_an_open_number_is_shown_and_decides_nothing(number: Evidence):
    """It says why, asks for no replicates, and takes no part in the others' error rates beyond its place."""
    pairs = [(claim(Region(lower=0.5), "open"), Open(number, "its arm has not learnt"))]
    pairs.append((claim(Region(lower=0.5), "decided"), Student(2.0, 0.01, 50)))
    shut, decided = judge(pairs)
    assert (shut.verdict, decided.verdict) == ("undecided", "holds")
    assert shut.estimate == number.estimate
    assert shut.reason == "Undecided, because its arm has not learnt."
    assert shut.replicates_needed is None
    assert shut.p_adjusted == 1.0


def test_what_is_made_of_an_open_number_is_open_for_the_same_reason():
    """Shifted, turned round, or one of several; the reasons of several, each once."""
    sure = Student(2.0, 0.01, 50)
    shut, other = Open(sure, "its arm has not learnt"), Open(sure, "no pair differs")
    for number in (shut + 1.0, 9.0 - shut, Max([sure, shut]), Min([shut, sure])):
        (verdict,) = judge([(claim(Region(lower=0.5)), number)])
        assert (verdict.verdict, verdict.p_holds) == ("undecided", 1.0)
        assert verdict.reason == "Undecided, because its arm has not learnt."
    (both,) = judge([(claim(Region(lower=0.5)), Max([shut, other, shut + 1.0]))])
    assert both.reason == "Undecided, because its arm has not learnt; no pair differs."


def test_a_mean_of_numbers_that_are_not_all_known_is_open():
    design = Replicates.grid({"kernel": 6}, seed=0)
    known = mean_if_known([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], design)
    assert isinstance(known, Mean)
    assert known.withheld == ()
    lost = mean_if_known([1.0, 2.0, math.nan, 4.0, 5.0, math.inf], design)
    assert lost.withheld == ("its number is not known in 2 of 6 replicates",)
    assert lost.interval(0.01) == (-math.inf, math.inf)
    assert unknown("no run", 0.5).estimate == 0.5


def test_a_claim_that_no_paper_makes_fails_in_its_own_name():
    """Not as "our reading of" anything, and without a word on a paper's words."""
    number = Student(2.0, 0.01, 50)
    for paper, subject, notes in ((OWN, "The claim fails", 0), ("Author 2025", "Our reading of Author 2025 fails", 1)):
        (verdict,) = judge([(claim(Region(upper=0.5), paper=paper, reading="inferred"), number)])
        assert verdict.reason.startswith(subject)
        assert len(verdict.notes) == notes
