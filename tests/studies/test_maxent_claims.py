"""Every claim C1 to C19 on maximum entropy has a verdict with its control, in some study."""

import re
from pathlib import Path

import pytest

from testbed.studies import load_studies
from testbed.studies.judge import Claim

CONFIGS = Path(__file__).parents[2] / "configs"
PAPER = "2408.10277"
HOMES = {
    1: {"mep_extension"},
    2: {"mep_extension", "mep_against_transformer"},
    3: {"mep_extension"},
    4: {"mep_extension"},
    5: {"mep_extension"},
    6: {"mep_extension"},
    7: {"mep_extension"},
    8: {"mep_extension", "mep_cost"},
    9: {"mep_cost"},
    10: {"mep_against_transformer"},
    11: {"multipliers"},
    12: {"mep_extension"},
    13: {"mep_extension"},
    14: {"mep_extension"},
    15: {"probability_gap"},
    16: {"probability_gap"},
    17: {"mep_against_transformer"},
    18: {"mep_extension"},
    19: {"mep_extension"},
}
"""Where each is judged: the place of a claim names its number."""
STUDIES = sorted({name for homes in HOMES.values() for name in homes})


def claims_of(name: str) -> tuple[Claim, ...]:
    (study,) = load_studies(CONFIGS / f"{name}.toml", "laptop")
    return study.claims()


def numbers_of(claim: Claim) -> set[int]:
    return {int(number) for number in re.findall(r"\bC(\d+)\b", claim.place)}


def test_every_claim_is_judged_where_it_should_be():
    found: dict[int, set[str]] = {}
    for name in STUDIES:
        for claim in claims_of(name):
            assert claim.paper == PAPER
            for number in numbers_of(claim):
                found.setdefault(number, set()).add(name)
    assert found == HOMES


@pytest.mark.parametrize("name", STUDIES)
def test_every_claim_can_fail_and_says_where(name):
    """A control in words, a finite region, and a scale at which it is decided that is no test run."""
    for claim in claims_of(name):
        assert claim.control
        assert claim.scope
        assert claim.reading == "inferred"  # the paper was at hand as its abstract alone
        assert claim.decided_at == "laptop"


@pytest.mark.parametrize("name", STUDIES)
def test_every_claim_is_expected_both_to_hold_and_to_fail_in_planted_worlds(name):
    (study,) = load_studies(CONFIGS / f"{name}.toml", "laptop")
    words = {claim.id: set() for claim in study.claims()}
    for world in study.worlds():
        for key, word in world.expected.items():
            words[key].add(word)
    assert all({"holds", "fails"} <= seen for seen in words.values())
