"""Tokens from files: what is read is what was written, and what is wrong is said with its place."""

import io
import zipfile

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.measures.entropy.token_files import read_tokens

TOKENS = np.random.default_rng(0).integers(0, 5, 1000)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_arrays_come_back_mapped(tmp_path, dtype) -> None:
    tokens = TOKENS.astype(dtype)
    np.save(tmp_path / "a.npy", tokens)
    tokens.tofile(tmp_path / "a.bin")
    np.savez(tmp_path / "a.npz", tokens=tokens, other=np.zeros(3))
    for suffix in ("npy", "bin", "npz"):
        found = read_tokens(tmp_path / f"a.{suffix}", dtype=np.dtype(dtype).name)
        assert np.array_equal(found.tokens, tokens)
        assert found.vocab_size == 5
        assert isinstance(found.tokens, np.memmap) == (suffix != "npz")
    assert read_tokens(tmp_path / "a.npy", vocab_size=9).vocab_size == 9


def test_rows_stay_rows(tmp_path) -> None:
    rows = TOKENS.astype(np.uint8).reshape(10, 100)
    np.save(tmp_path / "a.npy", np.asfortranarray(rows))
    assert np.array_equal(read_tokens(tmp_path / "a.npy").tokens, rows)


def test_texts_are_numbered_by_the_symbols_that_occur(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("naïve ☃".encode())
    by_bytes, by_characters = read_tokens(path), read_tokens(path, unit="characters")
    assert by_bytes.vocab_size == len(set(path.read_bytes()))
    assert by_characters.tokens.tolist() == [3, 1, 5, 4, 2, 0, 6]
    assert by_characters.vocab_size == 7
    assert read_tokens(path, vocab_size=300).vocab_size == 300


def test_characters_that_straddle_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("testbed.measures.entropy.token_files.CHUNK_TOKENS", 5)
    text = "aé☃𝄞" * 20
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    numbers = {symbol: i for i, symbol in enumerate(sorted(set(text)))}
    assert read_tokens(path, unit="characters").tokens.tolist() == [numbers[symbol] for symbol in text]
    broken = text.encode()[:101] + b"\xff" + text.encode()[101:]
    path.write_bytes(broken)
    with pytest.raises(UnicodeDecodeError) as plain:
        broken.decode()
    with pytest.raises(ConfigError) as error:
        read_tokens(path, unit="characters")
    assert f"no UTF-8 at byte {plain.value.start}" in str(error.value)


def truncated(path, n: int) -> None:
    path.write_bytes(path.read_bytes()[:-n])


def prepare(folder, name: str):
    """A file that is wrong in the way of its name."""
    path = folder / (name.replace(" ", "_") + {"raw": ".bin", "zip": ".npz", "txt": ".txt"}.get(name[:3], ".npy"))
    tokens = TOKENS.astype(np.uint16)
    if name.startswith("raw"):
        tokens.tofile(path)
    elif name.startswith("zip"):
        np.savez(path, **({"a": tokens, "b": tokens} if "two" in name else {"tokens": tokens}))
    elif name.startswith("txt"):
        path.write_bytes(b"ab" * 4)
    elif "float" in name:
        np.save(path, TOKENS / 2)
    elif "objects" in name:
        np.save(path, np.array([{}]), allow_pickle=True)
    elif "cube" in name:
        np.save(path, tokens.reshape(10, 10, 10))
    elif "no tokens" in name:
        np.save(path, tokens[:0])
    elif "vast" in name:
        np.save(path, np.array([0, 2**26, 1], np.uint32))
    elif "negative" in name:
        np.save(path, np.array([1, -3], np.int32))
    elif "no array" in name:
        path.write_bytes(b"not an array at all")
    else:
        np.save(path, tokens)
    if "empty" in name:
        path.write_bytes(b"")
    if "truncated" in name:
        truncated(path, 3)
    return path


FIRST_4 = int(np.argmax(TOKENS == 4))


@pytest.mark.parametrize(
    "name, keys, said",
    [
        ("empty", {}, "empty, it ends at byte 0"),
        ("raw empty", {}, "empty, it ends at byte 0"),
        ("truncated", {}, "truncated: 2000 bytes of uint16 are promised from byte 128 on, the file ends at byte 2125"),
        ("raw truncated", {}, "1997 bytes are no whole number of tokens of 2; the last begins at byte 1996"),
        ("zip truncated", {}, "damaged or truncated, it ends at byte "),
        ("float", {}, "holds float64 (header before byte 128); tokens are unsigned integers"),
        ("objects", {}, "holds Python objects from byte 128"),
        ("cube", {}, "holds an array of shape (10, 10, 10)"),
        ("no tokens", {}, "holds no tokens, shape (0,)"),
        ("no array", {}, "no .npy array at byte 0"),
        ("negative", {}, "token 1 is -3, must lie in 0 or above (byte 132)"),
        (
            "vast",
            {},
            "token 1 is 67108864, must lie in 0 .. 67108863; number the tokens anew",
        ),
        ("vast", {}, "(byte 132)"),
        ("plain", {"vocab_size": 4}, f"token {FIRST_4} is 4, must lie in 0 .. 3 (byte {128 + 2 * FIRST_4})"),
        ("raw plain", {"vocab_size": 4}, f"token {FIRST_4} is 4, must lie in 0 .. 3 (byte {2 * FIRST_4})"),
        ("zip plain", {"vocab_size": 4}, f"token {FIRST_4} is 4, must lie in 0 .. 3"),
        ("raw dtype", {"dtype": "uint17"}, "dtype: given 'uint17'; did you mean uint16"),
        ("zip two", {}, "has no array 'tokens'; say one by its name: a, b"),
        ("zip name", {"name": "c"}, "has no array 'c'; say one by its name: tokens"),
        ("txt unit", {"unit": "words"}, "unit: given 'words'"),
        (
            "txt vocab",
            {"vocab_size": 1},
            "2 different bytes, more than the 1 of the alphabet; the first to be too many is",
        ),
        ("txt empty", {}, "empty, it ends at byte 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, name, keys, said) -> None:
    path = prepare(tmp_path, name)
    with pytest.raises(ConfigError) as error:
        read_tokens(path, **keys)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_tokens(tmp_path / "a.npy")


def header(shape, dtype: str = "<u2", fortran: bool = False) -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": dtype, "fortran_order": fortran, "shape": shape})
    return written.getvalue()


def test_a_token_of_a_file_by_columns_is_found_at_its_byte(tmp_path) -> None:
    rows = np.zeros((3, 5), np.uint16)
    rows[1, 3] = 9
    for order, place in [("C", 1 * 5 + 3), ("F", 3 * 3 + 1)]:
        np.save(tmp_path / "a.npy", np.asarray(rows, order=order))
        with pytest.raises(ConfigError, match=rf"token 8 is 9, must lie in 0 .. 8 \(byte {128 + 2 * place}\)"):
            read_tokens(tmp_path / "a.npy", vocab_size=9)


@pytest.mark.parametrize("shape", [(2**62, 4), (-5,), (2**40, 2**40)])
def test_shapes_that_no_file_has(tmp_path, shape) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(header(shape) + bytes(10))
    with pytest.raises(ConfigError) as error:
        read_tokens(path)
    assert str(error.value).startswith(f"{path}: ")


def test_archives_that_are_none(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, tokens=np.tile(TOKENS, 9).astype(np.uint16))
    whole = path.read_bytes()
    for at in range(100, len(whole) - 200, 150):  # damaged streams of bits, among them such as zlib itself refuses
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(ConfigError, match="damaged or truncated"):
            read_tokens(path)
    np.save(tmp_path / "b.npy", TOKENS)
    path.write_bytes((tmp_path / "b.npy").read_bytes())
    with pytest.raises(ConfigError, match="not a zip file"):
        read_tokens(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tokens", "no array")
    with pytest.raises(ConfigError, match="tokens is no array"):
        read_tokens(path)


@pytest.mark.parametrize("size", [0, -1, 4.0, "4", float("nan")])
def test_alphabets_that_are_none(tmp_path, size) -> None:
    np.save(tmp_path / "a.npy", TOKENS)
    with pytest.raises(ConfigError, match="vocab_size"):
        read_tokens(tmp_path / "a.npy", vocab_size=size)


def test_bytes_of_either_order_and_scalars(tmp_path) -> None:
    np.save(tmp_path / "a.npy", TOKENS.astype(">u2"))
    assert np.array_equal(read_tokens(tmp_path / "a.npy").tokens, TOKENS)
    np.save(tmp_path / "b.npy", np.uint8(3))
    with pytest.raises(ConfigError, match=r"holds an array of shape \(\)"):
        read_tokens(tmp_path / "b.npy")
