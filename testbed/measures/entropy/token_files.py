"""Token streams from files: arrays (mapped, not read), raw integers, and texts by bytes or by characters."""

import codecs
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, did_you_mean
from testbed.measures.entropy.pieces import CHUNK_TOKENS, TokenError, check_tokens

Tokens = NDArray[Any]

RAW_DTYPES = ("uint8", "uint16", "uint32", "uint64")
UNITS = ("bytes", "characters")


@dataclass(frozen=True)
class TokenFile:
    """The tokens of a file.

    tokens        (N,) or (n_sequences, length) integers in 0 .. V - 1; a mapped file for `.npy`, `.bin` and texts by
                  bytes whose values are all used
    vocab_size    V: as given, else one more than the largest token; of a text the number of different symbols
    kind          what was read, for people
    """

    tokens: Tokens
    vocab_size: int
    kind: str


def read_tokens(
    path: Path, dtype: str = "uint16", unit: str = "bytes", vocab_size: int | None = None, name: str | None = None
) -> TokenFile:
    """The tokens of a `.npy`, `.npz` or `.bin` file; any other name is taken for a text.

    dtype         of a `.bin` file, whose bytes are integers, little end first, without a header
    unit          of a text: bytes or characters (UTF-8); they are numbered by the symbols that occur
    vocab_size    V; tokens from V on are refused
    name          of the array in a `.npz` file with several; `tokens` is the one meant by default

    Raises ConfigError, with the file's name and the byte or token at which it goes wrong, for a file that is missing,
    empty, truncated or damaged, holds no integers, or a token outside 0 .. V - 1.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise ConfigError(f"{path}: empty, it ends at byte 0")
    if path.suffix == ".npy":
        tokens, kind, start = _npy(path)
    elif path.suffix == ".npz":
        tokens, kind, start = _npz(path, name)
    elif path.suffix == ".bin":
        tokens, kind, start = _raw(path, dtype)
    else:
        return _text(path, unit, vocab_size)
    if tokens.dtype.kind not in "ui":
        raise ConfigError(f"{path}: holds {tokens.dtype} (header before byte {start}); tokens are unsigned integers")
    if tokens.ndim not in (1, 2):
        raise ConfigError(f"{path}: holds an array of shape {tokens.shape}; need (N,) or (n_sequences, length)")
    if tokens.size == 0:
        raise ConfigError(f"{path}: holds no tokens, shape {tokens.shape} (header before byte {start})")
    try:
        largest = check_tokens(tokens, vocab_size)
    except TokenError as error:
        at = np.dot(np.unravel_index(error.place, tokens.shape), tokens.strides)
        place = "" if path.suffix == ".npz" else f" (byte {start + int(at)})"
        raise ConfigError(f"{path}: {error}{place}") from None
    return TokenFile(tokens, largest + 1 if vocab_size is None else vocab_size, kind)


# ---------------------------------------------------------------------------------------------------------- arrays
def _npy(path: Path) -> tuple[Tokens, str, int]:
    with path.open("rb") as file:
        shape, fortran, dtype = _header(path, file)
        start = file.tell()
    needed = math.prod(shape) * dtype.itemsize
    size = path.stat().st_size
    if min(shape, default=0) < 0:
        raise ConfigError(f"{path}: no .npy array at byte 0: shape {shape}")
    if dtype.hasobject or size - start < needed:
        what = "holds Python objects" if dtype.hasobject else f"truncated: {needed} bytes of {dtype} are promised"
        raise ConfigError(f"{path}: {what} from byte {start} on, the file ends at byte {size}")
    if needed == 0:
        return np.empty(shape, dtype), "array", start
    tokens = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    return tokens, f"array of {dtype}, mapped", start


def _header(path: Path, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError) as error:
        raise ConfigError(f"{path}: no .npy array at byte 0: {' '.join(str(error).split())}") from None
    return shape, fortran, dtype


def _npz(path: Path, name: str | None) -> tuple[Tokens, str, int]:
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path):  # numpy would take a .npy file of this name too
            pass
        with np.load(path, allow_pickle=False) as archive:
            chosen = _chosen(path, list(archive.files), name)
            tokens = archive[chosen]
    except ConfigError:  # a ValueError, but it says what is wrong
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise ConfigError(f"{path}: damaged or truncated, it ends at byte {size}: {error}") from None
    if not isinstance(tokens, np.ndarray):
        raise ConfigError(f"{path}: {chosen} is no array")
    return tokens, f"array {chosen}", 0


def _chosen(path: Path, names: list[str], wanted: str | None) -> str:
    name = wanted or ("tokens" if "tokens" in names or len(names) != 1 else names[0])
    if name not in names:
        raise ConfigError(f"{path}: has no array {name!r}; say one by its name: {', '.join(names) or 'it has none'}")
    return name


def _raw(path: Path, dtype: str) -> tuple[Tokens, str, int]:
    if dtype not in RAW_DTYPES:
        raise ConfigError(f"{path}: dtype: given {dtype!r}; {did_you_mean(dtype, RAW_DTYPES)}")
    item, size = np.dtype(dtype).newbyteorder("<"), path.stat().st_size
    if size % item.itemsize:
        raise ConfigError(
            f"{path}: truncated, or not of {dtype}: {size} bytes are no whole number of tokens of {item.itemsize};"
            f" the last begins at byte {size // item.itemsize * item.itemsize}"
        )
    return np.memmap(path, dtype=item, mode="r"), f"{dtype}, mapped", 0


# ----------------------------------------------------------------------------------------------------------- texts
def _text(path: Path, unit: str, vocab_size: int | None) -> TokenFile:
    if unit not in UNITS:
        raise ConfigError(f"{path}: unit: given {unit!r}; {did_you_mean(unit, UNITS)}")
    symbols = np.memmap(path, dtype=np.uint8, mode="r") if unit == "bytes" else _characters(path)
    used = np.zeros(256 if unit == "bytes" else 0x110000, dtype=np.bool_)
    for first in range(0, len(symbols), CHUNK_TOKENS):
        used[symbols[first : first + CHUNK_TOKENS]] = True
    found = np.flatnonzero(used)
    size = len(found) if vocab_size is None else vocab_size
    if size < len(found):
        extra = int(found[size])
        place = int(np.argmax(symbols == extra))
        raise ConfigError(
            f"{path}: {len(found)} different {unit}, more than the {size} of the alphabet; the first to be too many is"
            f" {unit[:-1]} {place}, value {extra}"
        )
    if found[-1] == len(found) - 1:  # numbered already
        return TokenFile(symbols, size, f"text, {unit}")
    numbers = np.zeros(len(used), dtype=np.uint8 if len(found) <= 256 else np.uint32)
    numbers[found] = np.arange(len(found))
    tokens = np.empty(len(symbols), dtype=numbers.dtype)
    for first in range(0, len(symbols), CHUNK_TOKENS):
        tokens[first : first + CHUNK_TOKENS] = numbers[symbols[first : first + CHUNK_TOKENS]]
    return TokenFile(tokens, size, f"text, {unit}")


def _characters(path: Path) -> NDArray[np.uint32]:
    """Code points; ConfigError names the byte at which the text is no UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    parts, done = [], 0
    with path.open("rb") as file:
        while True:
            block = file.read(CHUNK_TOKENS)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = done - pending + error.start
                raise ConfigError(
                    f"{path}: no UTF-8 at byte {at} ({error.reason}); by bytes any file can be read"
                ) from None
            parts.append(np.frombuffer(text.encode("utf-32-le"), dtype="<u4"))
            done += len(block)
            if not block:
                return np.concatenate(parts)
