"""Any one key or value of any shipped config, changed to something wrong: the message names where, before torch."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import environment

from testbed.core import ConfigError
from testbed.studies import configs as configs_module
from testbed.studies import load_studies
from testbed.studies.configs import read_config
from testbed.studies.study import SCALES

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
WRONG: tuple[Any, ...] = ("nonsense", -7, -0.5, {"no": "table"}, ["no", "list"], [], "", True, 10**30, float("nan"))

Place = tuple[str | int, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every key of the tables, and of the tables in lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*here, key)
            yield from places(inner, (*here, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if isinstance(inner, dict | list):
                yield from places(inner, (*here, number))


def table_of(config: dict[str, Any], place: Place) -> Any:
    """What holds the last part of the place."""
    for part in place[:-1]:
        config = config[part]  # type: ignore[index]
    return config


def dotted(place: Place) -> str:
    """As messages write it: what stands in a scale's table is a key of the study."""
    parts = place[2:] if place[0] == "scales" and len(place) > 2 else place
    return ".".join(str(part) for part in parts)


def complaints(path: Path, mutated: dict[str, Any]) -> list[str]:
    """What loading says at each scale that does not load."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configs_module, "read_config", lambda _: copy.deepcopy(mutated))
        for scale in SCALES:
            try:
                load_studies(path, scale)
            except ConfigError as error:
                said.append(str(error))
    return said


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@settings(max_examples=8)
@given(data=st.data())
def test_a_key_that_does_not_exist_is_named(path, data) -> None:
    config = read_config(path)
    place = data.draw(st.sampled_from(list(places(config))))
    mutated = copy.deepcopy(config)
    table = table_of(mutated, place)
    wrong = f"{place[-1]}_not"
    table[wrong] = table.pop(place[-1])
    said = [one for one in complaints(path, mutated) if "scales: there is no" not in one]
    assert said
    needed = place[-1] in ("type", "study")  # without these, what the rest means is not known
    for one in said:
        assert path.name in one
        assert dotted((*place[:-1], wrong)) in one or (needed and str(place[-1]) in one)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@settings(max_examples=10)
@given(data=st.data())
def test_a_wrong_value_is_named_with_its_key(path, data) -> None:
    config = read_config(path)
    place = data.draw(st.sampled_from(list(places(config))))
    mutated = copy.deepcopy(config)
    table_of(mutated, place)[place[-1]] = wrong = data.draw(st.sampled_from(WRONG))
    for said in complaints(path, mutated):  # any error but a ConfigError fails this test
        assert path.name in said
        # an interplay of values may be told at the table that holds them, or name the value where another needs it
        tables = [dotted(place[: n + 1]) for n in range(len(place))]
        named = any(table in said for table in tables if table) or str(place[-1]) in said or str(wrong) in said
        assert named or (isinstance(wrong, dict) and "no: unknown key" in said), said  # a table's key, told by itself


def test_torch_is_not_imported_before_the_message(tmp_path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(SHIPPED[0].read_text().replace("alpha = ", "alfa = ", 1))
    script = (
        "import sys\nfrom testbed.cli import call\n"
        f"status = call(['run', {str(path)!r}, '--scale', 'smoke'])\n"
        "print(status, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.stdout.split() == ["2", "False"]
    assert "alfa" in done.stderr
