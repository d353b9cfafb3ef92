"""From a config file to studies: merging, overrides, grids, scales, and the errors of each."""

import numpy as np
import pytest
from tiny import write_config

from testbed.core import ConfigError
from testbed.studies import load_studies
from testbed.studies.configs import merged, parse_value, split_list


def test_tables_merge_and_another_type_replaces() -> None:
    base = {"a": {"x": 1, "y": 2}, "s": {"type": "markov", "order": 2}, "l": [1, 2]}
    assert merged(base, {"a": {"y": 3}}) == {**base, "a": {"x": 1, "y": 3}}
    assert merged(base, {"s": {"type": "iid"}})["s"] == {"type": "iid"}
    assert merged(base, {"s": {"order": 3}})["s"] == {"type": "markov", "order": 3}
    assert merged(base, {"l": [3]})["l"] == [3]
    assert base["a"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    "text, value",
    [("1", 1), ("1e-3", 1e-3), ("true", True), ("rope", "rope"), ('"1"', "1"), ("[1, 2]", [1, 2]), ("", "")],
)
def test_values_are_toml_or_words(text, value) -> None:
    assert parse_value(text) == value


def test_lists_split_outside_brackets_and_quotes() -> None:
    assert split_list('1, [2,3],"a,b",{x = [1,2]}') == ["1", "[2,3]", '"a,b"', "{x = [1,2]}"]


def test_scales_then_overrides_then_grids(tmp_path) -> None:
    path = write_config(tmp_path, "steps = 3\n[scales.smoke]\nseeds = 4\nsteps = 4\n[scales.laptop]\n")
    (one,) = load_studies(path, "smoke")
    assert (one.seeds, one.steps) == (4, 4)
    (one,) = load_studies(path, "smoke", ["steps=7", "inner.width=16"])
    assert (one.seeds, one.steps, one.inner.width) == (4, 7, 16)
    many = load_studies(path, "laptop", ["steps=7"], ["seeds=1,2", "lengths=[0],[0,1]"])
    assert [(one.seeds, one.lengths, one.steps) for one in many] == [
        (1, (0,), 7),
        (1, (0, 1), 7),
        (2, (0,), 7),
        (2, (0, 1), 7),
    ]


def test_array_files_lie_beside_the_config(tmp_path) -> None:
    np.save(tmp_path / "kernel.npy", np.full((2, 2), 0.5))
    (one,) = load_studies(write_config(tmp_path, '[source]\ntype = "markov"\nkernel = "kernel.npy"\n'), "smoke")
    assert one.source.order == 1


@pytest.mark.parametrize(
    "text, scale, overrides, said",
    [
        ("[scales.smoke]\n", "laptop", [], "scales: there is no laptop; given are smoke"),
        ("[scales.smok]\n", "smoke", [], "scales.smok: unknown scale, did you mean smoke?"),
        ("[scales]\nsmoke = 3\n", "smoke", [], "scales.smoke: given 3, must be a table"),
        ("scales = 3\n", "smoke", [], "scales: given 3"),
        ("", "smok", [], "there is no scale 'smok'; did you mean smoke?"),
        ("", "smoke", ["steps"], "an override reads key=value"),
        ("", "smoke", ["stepz=3"], "tiny.toml: stepz: unknown key, did you mean steps?"),
        ("", "smoke", ["inner.width=1"], "tiny.toml: inner.width: given 1;"),
        ("", "smoke", ["source.type=markv"], "tiny.toml: source.type: there is no source 'markv'; did you mean"),
        ("x = = 3\n", "smoke", [], "tiny.toml is not valid TOML: "),
    ],
)
def test_errors_name_file_and_key(tmp_path, text, scale, overrides, said) -> None:
    with pytest.raises(ConfigError) as caught:
        load_studies(write_config(tmp_path, text), scale, overrides)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    "text, said",
    [
        ('study = "optimal_contxt"', "study: there is no study 'optimal_contxt'; did you mean optimal_context?"),
        ("seeds = 3", "study: this key is needed; known: "),
        ('study = "x"\nplugins = "y.py"', "plugins: given 'y.py', must be a list of files"),
        ('study = "x"\nplugins = ["y.py"]', "plugins: there is no file"),
    ],
)
def test_errors_of_study_and_plugins(tmp_path, text, said) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_studies(path, "smoke")
    assert str(path) in str(caught.value)


def test_a_missing_file_names_its_neighbours(tmp_path) -> None:
    write_config(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no config file .*tinny.toml; did you mean .*tiny.toml\?"):
        load_studies(tmp_path / "tinny.toml", "smoke")
