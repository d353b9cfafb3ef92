"""Every claim C1 to C12 on intrinsic entropy has a verdict, and every figure F1 to F15 is in the gallery."""

import csv
import json
from pathlib import Path

import pytest

from testbed.studies import load_studies
from testbed.studies.judge import Claim
from testbed.studies.study import SCALES

ROOT = Path(__file__).parents[2]
CONFIGS, GALLERY = ROOT / "configs", ROOT / "figures"
PAPER = "2502.01481"

HOMES = {
    1: {"bayes_risk_law": ("accepted_", "rejected_", "exponent_", "limit", "r_squared")},  # R = C_0 + C / l^gamma
    2: {"bayes_risk_law": ("finite_", "risk_settles", "strict_")},  # the entropy of the state is finite
    3: {  # and linear in what is shown
        "linear_entropy": ("c3_",),
        "parity_features": ("c3_", "one_factor"),
        "parity_replication": ("a3",),
    },
    4: {"feature_estimators": ("c4_", "kernel_"), "parity_features": ("c4_",)},  # estimators measure it
    5: {"linear_entropy": ("c5_",), "parity_features": ("c5_",)},  # features hold the Bayes state
    6: {"approximation_law": ("c6_",)},  # alpha = c / dim
    7: {  # the excess rises with l
        "approximation_law": ("c7_",),
        "optimal_context_laws": ("irrelevant_context",),
        "parity_replication": ("rises_", "irrelevant_"),
    },
    8: {  # an optimum that grows with D, and its law
        "optimal_context": ("interior", "grows", "no_fall", "reaches_k", "control"),
        "optimal_context_laws": ("interior_", "grows_", "tree_", "screening_", "stops_", "horizon_power", *(
            f"{law}_on_" for law in ("tabular", "parameter", "horizon", "quanta", "paper")
        )),
        "parity_replication": ("interior_", "grows_", "control_"),
    },
    9: {"optimal_context_laws": ("slope_lags", "slower_is_longer")},  # theta_t
    10: {"optimal_context_laws": ("stronger_is_longer",), "context_and_width": ("grows", "never_falls", "better")},
    11: {  # l at inference
        "optimal_context_laws": ("shown_as_trained",),
        "protocol_bias": ("visible_",),
        "parity_replication": ("shown_",),
    },
    12: {  # what the protocol does
        "parity_replication": ("stop_",),
        "protocol_bias": (
            "whole_", "tied_", "block_", "early_stop", "together", "growth", "hidden_", "control", "tables_",
        ),
    },
}  # fmt: skip
"""Where each claim is judged: studies, and how the names of its claims there begin."""

FIGURES = {
    1: "how the loss splits over the context length",
    2: "how far each context length is from the best, for six dataset sizes or more",
    3: "the best length against the dataset size, with the rival laws",
    4: "loss against entropy: estimated and exact, where the linear law is true and where it is false",
    5: "the kernel entropy and its identity, over dimensions and bandwidths",
    6: "spectra of features with the exact rank of the state",
    7: "the map of correlations beside that of curvature",
    8: "Table 1 with recovered frequencies",
    9: "fits of R(l), their residuals and exponents",
    10: "exponents against dimension",
    11: "the grid of the public code, and which tasks were learnt",
    12: "lengths shown at inference, trained masked and unmasked",
    13: "the loss of all positions beside that of the last",
    14: "errors of estimators over samples, dimensions and units",
    15: "how spectra rise from one length to the next",
}
EXACT = {("parity_replication", "table_1"), ("parity_replication", "state_entropy"), ("linear_entropy", "exact")}
"""Figures of exact numbers alone, which have no intervals."""
WITHOUT = {("bayes_risk_law", "exponents"), ("bayes_risk_law", "curves")}
"""Figures that show every draw or one draw with its errors, and intervals elsewhere."""
NAMES = sorted({name for homes in HOMES.values() for name in homes})


def claims_of(name: str, scale: str = "laptop") -> tuple[Claim, ...]:
    (study,) = load_studies(CONFIGS / f"{name}.toml", scale)
    return study.claims()


def homes_of(claim: Claim) -> set[int]:
    study, _, name = claim.id.partition(".")
    return {n for n, homes in HOMES.items() if any(name.startswith(start) for start in homes.get(study, ()))}


def verdicts_of(name: str) -> dict[str, dict]:
    path = GALLERY / name / "laptop" / "verdicts.json"
    if not path.is_file():
        pytest.skip(f"{name} is not in the gallery")
    return {one["claim"]["id"]: one for one in json.loads(path.read_text(encoding="utf-8"))["verdicts"]}


# ------------------------------------------------------------------------------------------------ claims
@pytest.mark.parametrize("number", sorted(HOMES))
def test_every_claim_is_judged_where_it_should_be(number):
    for name, starts in HOMES[number].items():
        found = [claim.id.partition(".")[2] for claim in claims_of(name)]
        for start in starts:
            assert any(one.startswith(start) for one in found), (name, start)


@pytest.mark.parametrize("name", NAMES)
def test_no_claim_is_without_a_number(name):
    assert [claim.id for claim in claims_of(name) if not homes_of(claim)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_fail_and_says_where(name):
    for claim in claims_of(name):
        assert claim.control
        assert claim.scope
        assert claim.place


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_has_a_verdict_at_laptop_scale_and_says_what_would_decide_it(name):
    """In the committed gallery; what is undecided either names the replicates or says why no number would do."""
    found = verdicts_of(name)
    assert sorted(found) == sorted(claim.id for claim in claims_of(name))
    for one in found.values():
        if one["verdict"] == "undecided":
            assert one["replicates_needed"] or one["reason"], one["claim"]["id"]


@pytest.mark.parametrize("name", NAMES)
def test_larger_scales_ask_the_same_with_more(name):
    """The scales gpu and full have the same claims, at least as many replicates, and one of them more."""
    ids = {scale: {claim.id for claim in claims_of(name, scale)} for scale in SCALES}
    assert ids["laptop"] == ids["gpu"] == ids["full"]
    laptop, gpu, full = (load_studies(CONFIGS / f"{name}.toml", scale)[0] for scale in ("laptop", "gpu", "full"))
    assert full.n_replicates >= gpu.n_replicates
    assert full.resolved() != laptop.resolved()
    assert full.n_replicates >= laptop.n_replicates


# ------------------------------------------------------------------------------------------------ figures
def shown() -> dict[int, list[tuple[str, str]]]:
    """{number: (study, figure)} as the committed gallery declares it."""
    found: dict[int, list[tuple[str, str]]] = {}
    for path in sorted(GALLERY.glob("*/laptop/verdicts.json")):
        for figure in json.loads(path.read_text(encoding="utf-8"))["figures"]:
            for asked in figure.get("shows", ()):
                paper, _, number = asked.rpartition(" F")
                if paper == PAPER:
                    found.setdefault(int(number), []).append((path.parts[-3], figure["name"]))
    return found


@pytest.mark.parametrize("number", sorted(FIGURES))
def test_every_figure_is_in_the_gallery_with_its_numbers(number):
    """PDF, PNG and a CSV with rows; with intervals unless it is exact."""
    if number in (12, 13) and not (GALLERY / "protocol_bias").is_dir():
        pytest.skip("protocol_bias is not in the gallery")
    places = shown().get(number, [])
    assert places, f"no study shows F{number}: {FIGURES[number]}"
    for study, name in places:
        base = GALLERY / study / "laptop" / name
        assert base.with_suffix(".pdf").is_file()
        assert base.with_suffix(".png").is_file()
        with base.with_suffix(".csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows
        if (study, name) not in EXACT | WITHOUT:
            assert any("lower" in key or "lowest" in key for key in rows[0]), (study, name)
    assert any(place not in WITHOUT for place in places)


def test_the_index_lists_them():
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    for number, places in shown().items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {PAPER} | F{number} | ")]
        for study, name in places:
            assert f"({study}/laptop/{name}.png)" in row
