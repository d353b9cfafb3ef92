"""Do two sources write the same law?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from testbed.core import ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import form_is_rounded
from testbed.sources.machine_algebra import Machine, same_process
from testbed.sources.source import Source

COMPARED = 2**12  # contexts and next tokens that are compared
LONGEST = 12
DIFFERENT = 1e-9


class Part(NamedTuple):
    """A source with what comparing it takes."""

    source: Source
    fingerprint: str
    machine: Machine | None
    rounded: bool

    @classmethod
    def of(cls, source: Source) -> "Part":
        try:
            machine = as_edges(source)
        except ConfigError:
            machine = None
        return cls(source, source.fingerprint, machine, form_is_rounded(source))


def same_law(left: Part, right: Part) -> bool | None:
    """True for equal fingerprints and for finite machines that agree on every word; False where words of some length
    have different probabilities; None where neither is known. Of machines that were quantised anew only agreement
    counts."""
    if left.fingerprint == right.fingerprint:
        return True
    if left.machine is not None and right.machine is not None:
        found = same_process(left.machine, right.machine, left.source.vocab_size)
        if found or (found is False and not (left.rounded or right.rounded)):
            return found  # forms that differ by their rounding alone say nothing
    return False if _short_words_differ(left.source, right.source) else None


def _short_words_differ(left: Source, right: Source) -> bool:
    for length in range(LONGEST):
        if left.vocab_size ** (length + 1) > COMPARED:
            return False
        words = [source.context_law(length) for source in (left, right)]
        if not np.array_equal(words[0].contexts, words[1].contexts):
            return True
        joints = [law.probabilities[:, None] * law.laws for law in words]
        if np.abs(joints[0] - joints[1]).max() > DIFFERENT:
            return True
    return False


def merge_equal(weighted: Sequence[tuple[float, Source]]) -> tuple[list[tuple[float, Source]], bool]:
    """(weight, source) with those of one law merged into the first of them, and whether all others are known to differ.

    Sources not known to be equal stay apart.
    """
    parts: list[Part] = []
    weights: list[float] = []
    all_differ = True
    for weight, source in weighted:
        part = Part.of(source)
        answers = [same_law(part, other) for other in parts]
        if True in answers:
            weights[answers.index(True)] += weight
            continue
        all_differ = all_differ and None not in answers
        parts.append(part)
        weights.append(weight)
    return [(weight, part.source) for weight, part in zip(weights, parts, strict=True)], all_differ
