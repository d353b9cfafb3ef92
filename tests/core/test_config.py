"""Config: identity, keys, and errors that name the dotted key."""

import json
from typing import ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from testbed.core import ArrayInput, Config, ConfigError, array_files_beside, large_arrays, sha256_of
from testbed.sources import AnySource, IIDSource, MarkovSource, build


class Leaf(Config):
    width: int = Field(8, ge=2)
    rate: float = Field(0.5, alias="learning_rate")


class Tree(Config):
    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    kind: Literal["alpha", "beta", "gamma"] = "alpha"
    array: ArrayInput = None
    source: AnySource | None = None
    needed: int


def message(**values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        Tree(**values)
    return str(caught.value)


def test_identity_leaves_defaults_out_and_uses_aliases() -> None:
    assert Tree(needed=1).identity() == {"needed": 1}
    assert Tree(needed=1, leaf={"width": 8}) == Tree(needed=1)
    assert Tree(needed=1, leaf=Leaf(learning_rate=2)).identity() == {"needed": 1, "leaf": {"learning_rate": 2.0}}
    assert hash(Tree(needed=1, kind="alpha")) == hash(Tree(needed=1))


@given(st.integers(2, 100), st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_resolved_builds_the_same_value_again(width: int, rate: float, needed: int) -> None:
    tree = Tree(needed=needed, leaf=Leaf(width=width, learning_rate=rate), leaves=(Leaf(width=width),))
    again = Tree(**json.loads(json.dumps(tree.resolved())))
    assert again == tree
    assert again.content_key == tree.content_key


@pytest.mark.parametrize(
    "change",
    [{"needed": 2}, {"leaf": {"width": 9}}, {"leaves": [{}]}, {"kind": "beta"}, {"array": [1.0]}, {"source": "iid"}],
)
def test_every_field_is_in_the_key(change: dict) -> None:
    if change.get("source"):
        change = {"source": {"type": "iid", "vocab_size": 2}}
    assert Tree(**{"needed": 1, **change}).content_key != Tree(needed=1).content_key


def test_a_class_version_above_one_is_in_the_key(monkeypatch) -> None:
    before = Tree(needed=1, source=IIDSource(vocab_size=2)).content_key
    monkeypatch.setattr(IIDSource, "version", 2)
    assert Tree(needed=1, source=IIDSource(vocab_size=2)).content_key != before


@pytest.mark.parametrize(
    "source",
    [
        IIDSource([0.5, 0.25, 0.25]),
        IIDSource(vocab_size=5),
        MarkovSource(np.full((3, 3, 3), 1 / 3)),
        MarkovSource.random(3, 2, entropy_rate=0.8, seed=1),
    ],
)
def test_a_stored_source_is_built_again(source) -> None:
    again = build(json.loads(json.dumps(source.resolved())))
    assert (again, again.fingerprint) == (source, source.fingerprint)


# ---- errors ----


def test_errors_name_the_dotted_key() -> None:
    assert message(needed=1, leaf={"widht": 3}) == "leaf.widht: unknown key, did you mean width?"
    assert message(needed=1, leaf={"width": 1}) == "leaf.width: given 1; input should be greater than or equal to 2"
    assert message(needed=1, leaves=[{}, {"width": "x"}]).startswith("leaves.1.width: given 'x';")
    assert message() == "needed: this key is needed"
    assert message(needed=1, leaf=3).startswith("leaf: given 3;")
    assert message(needed=1, lef={}).startswith("lef: unknown key, did you mean leaf")
    assert message(needed=1, kind="gama").endswith("did you mean gamma?")
    assert (
        message(needed=1, source="markv")
        == "source.type: there is no source 'markv'; did you mean markov or lag_markov?"
    )
    assert message(needed=1, source={"type": "iid", "vocab_size": 0}).startswith("source.vocab_size: given 0;")
    assert message(needed=1, source={"type": "iid", "probabilities": [0.5, 0.6]}).startswith("source.probabilities: ")


def test_two_faults_are_two_lines() -> None:
    assert len(message(leaf={"width": 1, "widht": 2}).splitlines()) == 3


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_no_key_can_hold_is_refused(value: float) -> None:
    assert message(needed=1, leaf={"learning_rate": value}).startswith("leaf.learning_rate: given")


def test_python_keywords_are_ordinary_keys() -> None:
    assert message(needed=1, self=2) == "self: unknown key, " + message(needed=1, self=2).split(", ", 1)[1]


# ---- replace ----


def test_replace_takes_names_and_aliases() -> None:
    leaf = Leaf(width=3)
    assert leaf.replace(rate=0.1) == leaf.replace(learning_rate=0.1) == Leaf(width=3, learning_rate=0.1)
    with pytest.raises(ConfigError, match="widht"):
        leaf.replace(widht=2)
    with pytest.raises(ConfigError, match="width"):
        leaf.replace(width=1)


def test_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Leaf().width = 3  # type: ignore[misc]


# ---- arrays ----


def test_arrays_count_by_content_whether_given_or_read(tmp_path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    np.savetxt(tmp_path / "a.csv", array, delimiter=",")
    given_array = Tree(needed=1, array=array)
    with array_files_beside(tmp_path):
        assert Tree(needed=1, array="a.npy") == Tree(needed=1, array="a.csv") == given_array
    assert message(needed=1, array="a.npy") == "array: there is no file a.npy"
    assert given_array != Tree(needed=1, array=array.reshape(3, 2))
    with pytest.raises(ValueError, match="read-only"):
        given_array.array[0, 0] = 1.0


def test_unreadable_arrays_are_named(tmp_path) -> None:
    (tmp_path / "a.npy").write_bytes(b"nonsense")
    (tmp_path / "a.csv").write_text("1,x\n")
    (tmp_path / "a.txt").write_text("1")
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name in ("a.npy", "a.csv", "a.txt", "pickled.npy"):
        assert str(tmp_path / name) in message(needed=1, array=str(tmp_path / name))
    assert message(needed=1, array=[[1, 2], [3]]).startswith("array: an array of numbers")


def test_large_arrays_are_named_by_content() -> None:
    array = np.zeros(5000)
    tree = Tree(needed=1, array=array)
    (sha256,) = large_arrays(tree)
    assert tree.resolved()["array"] == {"sha256": sha256}
    assert large_arrays(Tree(needed=1, array=[1.0])) == {}


def test_sha256_of_does_not_depend_on_the_order_of_keys() -> None:
    assert sha256_of({"a": 1, "b": [2.0]}) == sha256_of({"b": [2.0], "a": 1})


def test_remarks_are_no_part_of_the_key():
    class Remarked(Config):
        remarks: ClassVar[frozenset[str]] = frozenset({"said"})
        value: int = 1
        said: str = ""

    assert Remarked(value=2, said="a").content_key == Remarked(value=2, said="b").content_key
    assert Remarked(value=2).content_key != Remarked(value=3).content_key
    assert Remarked(said="a").resolved()["said"] == "a"
