"""`testbed sample`: tokens of a source with their true log-probabilities, written chunk by chunk."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.commands.sources import Known, known_truths, source_of, truth_to_json
from testbed.core import ConfigError, ResourceError, StoreError, Truth, UndefinedError
from testbed.core.config import large_arrays
from testbed.sources import Source

CHUNK_BYTES = 2**26
"""What the laws of one chunk of sequences may take, about."""
SUFFIXES = (".npz", ".parquet")


class Chunk(NamedTuple):
    """Some successive sequences; log_probs is None where the source refuses them, inputs where it has none."""

    first_sequence: int
    tokens: NDArray[Any]
    log_probs: NDArray[np.float64] | None
    judged: NDArray[np.bool_]
    inputs: NDArray[np.float64] | None


def write_sample(
    given: str,
    overrides: Sequence[str],
    n_sequences: int,
    length: int,
    out: Path,
    seed: int = 0,
    first_sequence: int = 0,
    max_context: int = 12,
    table: str | None = None,
    plugins: Sequence[Path] = (),
    force: bool = False,
) -> int:
    """Write the file and say what it holds."""
    from testbed.commands.sample_files import write_npz, write_parquet

    _check_out(out, force)
    source = source_of(given, overrides, plugins, table)
    _check_length(source, length)
    source.batch(0, length, seed, first_sequence + n_sequences)  # the last number is in range, or nothing is begun
    known = known_truths(source, max_context, length)
    reason = _log_probs_refusal(source, length, seed, first_sequence)
    if reason is not None:
        known.refused["log_probs"] = reason
    metadata = _metadata(source, known, n_sequences, length, seed, first_sequence)
    chunks = _tally(_chunks(source, n_sequences, length, seed, first_sequence, reason is None), tally := _Tally())
    write = write_npz if out.suffix == ".npz" else write_parquet
    try:
        write(out, chunks, metadata, known.truths, source.vocab_size, length, large_arrays(source))
    except OSError as error:
        raise StoreError(f"--out: {out} cannot be written: {error.strerror or error}") from None
    _say(source, known, tally, out, (n_sequences, length))
    return 0


def _check_out(out: Path, force: bool) -> None:
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"--out: given {out}; the name must end in {' or '.join(SUFFIXES)}")
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"--out: {out} is a folder" if out.is_dir() else f"--out: there is no folder {out.parent}")
    if out.exists() and not force:
        raise ConfigError(f"--out: {out} is there already; --force replaces it")


def _check_length(source: Source, length: int) -> None:
    if source.writes_length(length):
        return
    near = source.lengths(2 * length + 64)
    nearest = sorted(sorted(near, key=lambda one: abs(one - length))[:4])
    raise ConfigError(
        f"--length: given {length}; {source.type_name} writes sequences of certain lengths alone"
        + (f", near it {', '.join(map(str, nearest))}" if nearest else "")
    )


def _log_probs_refusal(source: Source, length: int, seed: int, first_sequence: int) -> str | None:
    """Why the source has no log-probabilities of whole sequences; None where it has."""
    try:
        source.log_probs_batch(source.batch(1, length, seed, first_sequence))
    except (UndefinedError, ResourceError) as refusal:
        return str(refusal)
    return None


def _chunks(
    source: Source, n_sequences: int, length: int, seed: int, first_sequence: int, with_log_probs: bool
) -> Iterator[Chunk]:
    rows = max(1, CHUNK_BYTES // (8 * max(1, length) * source.vocab_size))
    for first in range(0, n_sequences, rows):
        batch = source.batch(min(rows, n_sequences - first), length, seed, first_sequence + first)
        log_probs = source.log_probs_batch(batch) if with_log_probs else None
        yield Chunk(first_sequence + first, batch.tokens, log_probs, batch.judged, batch.inputs)


class _Tally:
    """Judged positions and their summed surprise, nats."""

    judged = 0
    surprise = 0.0


def _tally(chunks: Iterator[Chunk], tally: _Tally) -> Iterator[Chunk]:
    for chunk in chunks:
        tally.judged += int(chunk.judged.sum())
        if chunk.log_probs is not None:
            tally.surprise -= float(chunk.log_probs[chunk.judged].sum())
        yield chunk


def _metadata(source: Source, known: Known, n: int, length: int, seed: int, first_sequence: int) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("testbed")
    except PackageNotFoundError:
        release = "not installed"
    return {
        "testbed": release,
        "config": source.resolved(),
        "content_key": source.content_key,
        "fingerprint": source.fingerprint,
        "vocab_size": source.vocab_size,
        "stationary": source.stationary,
        "ergodic": source.ergodic,
        "context_unit": source.context_unit,
        "n_sequences": n,
        "length": length,
        "seed": seed,
        "first_sequence": first_sequence,
        "truths": {name: truth_to_json(truth) for name, truth in known.truths.items()},
        "refused": known.refused,
    }


def metadata_to_text(metadata: dict[str, Any]) -> str:
    """JSON that any reader takes: no NaN, no infinities."""
    return json.dumps(metadata, allow_nan=False, sort_keys=True)


def truth_arrays(truths: dict[str, Truth]) -> dict[str, NDArray[np.float64]]:
    """name_lower, name_upper and name_standard_error of every truth, nats."""
    return {
        f"{name}_{part}": getattr(truth, part)
        for name, truth in truths.items()
        for part in ("lower", "upper", "standard_error")
    }


def _say(source: Source, known: Known, tally: _Tally, out: Path, shape: tuple[int, int]) -> None:
    print(f"{out}   {shape[0]} sequences of {shape[1]} tokens, V = {source.vocab_size}, of {source.type_name}")
    print(f"fingerprint   {source.fingerprint}")
    if tally.judged and "log_probs" not in known.refused:
        print(f"mean -ln p    {tally.surprise / tally.judged:.6g} nats over {tally.judged} judged positions")
    for name, reason in known.refused.items():
        print(f"left out      {name}: {reason}")
