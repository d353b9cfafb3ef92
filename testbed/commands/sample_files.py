"""The files of `testbed sample`: .npz without pickle, and .parquet with one row a token.

Both are written beside their place and moved there when they are complete, with a bounded part in memory.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from testbed.commands.sample import Chunk, metadata_to_text, truth_arrays
from testbed.core import ConfigError, Truth
from testbed.sources.source import token_dtype

ROWS_PER_GROUP = 2**20


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A folder of its own beside `out`, whose file `complete` takes its place at the end; nothing is left otherwise."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
        os.replace(folder / "complete", out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_npz(
    out: Path,
    chunks: Iterator[Chunk],
    metadata: dict[str, Any],
    truths: dict[str, Truth],
    vocab_size: int,
    length: int,
    parameters: dict[str, NDArray[Any]],
) -> None:
    """tokens, log_probs and judged (N, L), inputs (N, L, K), the truths' arrays, and `metadata`, a JSON text.

    parameters    the source's arrays that its config names by their SHA-256, kept as `config_SHA256`
    """
    with _replacing(out) as folder:
        shapes: dict[str, tuple[np.dtype[Any], list[int]]] = {
            "tokens": (token_dtype(vocab_size), [0, length]),
            "judged": (np.dtype(np.bool_), [0, length]),
        }
        if "log_probs" not in metadata["refused"]:
            shapes["log_probs"] = (np.dtype("<f8"), [0, length])
        for chunk in chunks:  # each array grows in a file of its own: an archive's members are written one by one
            for name in ("tokens", "log_probs", "judged", "inputs"):
                array = getattr(chunk, name)
                if array is None:
                    continue
                dtype, shape = shapes.setdefault(name, (array.dtype, [0, *array.shape[1:]]))
                shape[0] += len(array)
                with (folder / name).open("ab") as file:
                    file.write(np.ascontiguousarray(array, dtype=dtype).tobytes())
        with zipfile.ZipFile(folder / "complete", "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, (dtype, shape) in shapes.items():
                with _member(archive, name) as member:
                    header = {
                        "descr": np.lib.format.dtype_to_descr(dtype),
                        "fortran_order": False,
                        "shape": tuple(shape),
                    }
                    np.lib.format.write_array_header_2_0(member, header)
                    if (folder / name).exists():
                        with (folder / name).open("rb") as data:
                            shutil.copyfileobj(data, member)
            kept = {f"config_{name}": array for name, array in parameters.items()}
            text = np.array(metadata_to_text(metadata))
            for name, array in {**truth_arrays(truths), **kept, "metadata": text}.items():
                with _member(archive, name) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A member without the time of day: the same numbers give the same bytes."""
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def write_parquet(
    out: Path,
    chunks: Iterator[Chunk],
    metadata: dict[str, Any],
    truths: dict[str, Truth],
    vocab_size: int,
    length: int,
    parameters: dict[str, NDArray[Any]],
) -> None:
    """One row a token: sequence, position, token, log_prob, judged, input_0 ...; `metadata` under the key testbed, and
    each of the `parameters` as JSON under the key config_SHA256."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(
            "--out: a .parquet file needs pandas and pyarrow, which are not installed; pip install 'testbed[analysis]'"
            " brings them, and a .npz file needs neither"
        ) from None
    with _replacing(out) as folder:
        writer = None
        try:
            for chunk in _at_least_one(chunks, metadata, vocab_size, length):
                step = max(1, ROWS_PER_GROUP // max(1, length))
                for first in range(0, max(1, len(chunk.tokens)), step):
                    table = pa.table(_columns(chunk, slice(first, first + step)))
                    if writer is None:
                        kept = {f"config_{name}": json.dumps(array.tolist()) for name, array in parameters.items()}
                        schema = table.schema.with_metadata({"testbed": metadata_to_text(metadata), **kept})
                        writer = pq.ParquetWriter(folder / "complete", schema)
                    writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()


def _at_least_one(chunks: Iterator[Chunk], metadata: dict[str, Any], vocab_size: int, length: int) -> Iterator[Chunk]:
    """The chunks; where there are none, an empty one, from which the columns are known."""
    empty = True
    for chunk in chunks:
        empty = False
        yield chunk
    if empty:
        shape = (0, length)
        log_probs = None if "log_probs" in metadata["refused"] else np.empty(shape)
        yield Chunk(0, np.empty(shape, dtype=token_dtype(vocab_size)), log_probs, np.empty(shape, dtype=bool), None)


def _columns(chunk: Chunk, rows: slice) -> dict[str, Any]:
    tokens = chunk.tokens[rows]
    n, length = tokens.shape
    numbers = np.uint64(chunk.first_sequence + rows.start) + np.arange(n, dtype=np.uint64)
    columns: dict[str, Any] = {
        "sequence": np.repeat(numbers, length),
        "position": np.tile(np.arange(length, dtype=np.int32), n),
        "token": tokens.reshape(-1),
    }
    if chunk.log_probs is not None:
        columns["log_prob"] = chunk.log_probs[rows].reshape(-1)
    columns["judged"] = chunk.judged[rows].reshape(-1)
    if chunk.inputs is not None:
        inputs = chunk.inputs[rows]
        columns |= {f"input_{k}": inputs[..., k].reshape(-1) for k in range(inputs.shape[-1])}
    return columns
