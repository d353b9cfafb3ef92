"""Numbers and verdicts as a person reads them: rounded to what the interval can tell, with units and true minuses."""

import math

from testbed.studies.judge import OWN, Region, Verdict

SYMBOLS = {"holds": "✓", "fails": "✗", "undecided": "?"}
"""A verdict is always a word, a symbol and a colour: any one of them is enough."""


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    r"""A number to so many significant digits; powers of ten written out.

    >>> number(-0.012345), number(1.2e-9), number(float("inf")), number(30000.0)
    ('−0.01235', '1.2\xa0×\xa010⁻⁹', '∞', '30\u202f000')
    """
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return _signed(f"{mantissa} × 10") + str(int(exponent)).translate(_SUPERSCRIPTS)
    decimals = max(0, digits - 1 - (math.floor(math.log10(abs(value))) if value else 0))
    text = f"{value:,.{decimals}f}"
    return _signed(text.rstrip("0").rstrip(".") if "." in text else text)


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals, all of them written, and no minus before a zero."""
    if not math.isfinite(value):
        return number(value)
    text = f"{value:,.{decimals}f}"
    return _signed(text.removeprefix("-") if float(text.replace(",", "")) == 0 else text)


def estimate_and_interval(verdict: Verdict) -> tuple[str, str]:
    """Estimate and interval, rounded together to two digits of the interval's width (six digits if exact).

    >>> _together(0.012345, 0.0113, 0.0134)
    ('0.0123', '[0.0113, 0.0134]')
    """
    return _together(verdict.estimate, verdict.lower, verdict.upper)


def _together(estimate: float, lower: float, upper: float) -> tuple[str, str]:
    spans = [abs(a - b) for a, b in ((lower, upper), (estimate, lower), (estimate, upper))]
    span = next((one for one in spans if math.isfinite(one) and one > 0), 0.0)
    values = (estimate, lower, upper)
    largest = max((abs(one) for one in values if math.isfinite(one)), default=0.0)
    if span == 0.0:
        written = [number(one, 6) for one in values]
    elif span < 1e-6 or largest >= 1e7:
        digits = min(12, max(3, 2 + math.ceil(math.log10(largest / span))))
        written = [number(one, digits) for one in values]
    else:
        decimals = max(0, 1 - math.floor(math.log10(span)))
        written = [fixed(one, decimals) for one in values]
    return written[0], _brackets(lower, upper, written[1], written[2])


def region_text(region: Region) -> str:
    """Where the number must lie.

    >>> region_text(Region(lower=0.01))
    '[0.01, ∞)'
    """
    return _brackets(region.lower, region.upper, number(region.lower), number(region.upper))


def _brackets(lower: float, upper: float, low: str, high: str) -> str:
    return ("(" if math.isinf(lower) else "[") + f"{low}, {high}" + (")" if math.isinf(upper) else "]")


def with_unit(text: str, unit: str) -> str:
    """With a space that does not break before the unit; a pure number has none."""
    return f"{text}\u00a0{unit}" if unit else text


def p_value(p: float) -> str:
    """
    >>> p_value(0.01234), p_value(3e-9), p_value(1.0), p_value(0.43)
    ('0.012', '< 0.0001', '1', '0.43')
    """
    if p < 1e-4:
        return "< 0.0001"
    return "1" if p > 0.995 else f"{p:.{max(2, 1 - math.floor(math.log10(p)))}f}"


def percent(level: float) -> str:
    """A level with two digits of its error, so that 0.99987 does not read as 100 %.

    >>> percent(0.95), percent(0.999871)
    ('95\\xa0%', '99.987\\xa0%')
    """
    decimals = max(1, -1 - math.floor(math.log10(max(1 - level, 1e-12))))
    return f"{100 * level:.{decimals}f}".rstrip("0").rstrip(".") + "\u00a0%"


def replicates_text(verdict: Verdict) -> str:
    """Replicates at every level of the hierarchy, outermost first; independent ones are what the interval counts."""
    if verdict.n_independent is None:
        return "none needed: the value is exact"
    levels = ", ".join(f"{name}\u00a0{number(count)}" for name, count in verdict.replicates.items())
    return f"{verdict.n_independent} independent" + (f" (units in all, by level: {levels})" if levels else "")


def reading_text(verdict: Verdict) -> str:
    claim = verdict.claim
    if claim.paper == OWN:
        return OWN
    return "our reading, not the paper's words" if claim.of_our_reading else "as the paper states it"


def _signed(text: str) -> str:
    """Minus signs for hyphens, thin spaces for thousands, and nothing that breaks at a line's end."""
    return text.replace("-", "−").replace(",", "\u202f").replace(" ", "\u00a0")
