"""Which config file an argument means, and what a run of it is called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import testbed
from testbed.core import ConfigError, did_you_mean, sha256_of
from testbed.studies import Study, load_studies
from testbed.studies.configs import grid_points, plugin_files, read_config

CHECKOUT = Path(testbed.__file__).parent.parent
SHIPPED = CHECKOUT / "configs"


def shipped_configs() -> list[Path]:
    """The config files that come with the checkout."""
    return sorted(SHIPPED.glob("*.toml"))


def find_config(given: str) -> Path:
    """The file of this path, or the shipped config of this name."""
    path = Path(given)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in shipped_configs()}
    if given in shipped:
        return shipped[given]
    beside = [str(file) for file in sorted(path.parent.glob("*.toml"))] if path.parent != Path() else []
    raise ConfigError(f"there is no config {given}; {did_you_mean(given, [*shipped, *beside])}")


@dataclass(frozen=True)
class Asked:
    """One study that a command asks for.

    label     tells apart runs of one study at one scale: the keys that were changed
    command   what makes it again
    plugins   absolute paths of the files that register what it uses
    """

    study: Study
    scale: str
    label: str
    command: str
    plugins: tuple[str, ...]


def asked_for(config: str, overrides: Sequence[str], grids: Sequence[str], scale: str) -> list[Asked]:
    """The studies that a config, overrides and grids ask for."""
    path = find_config(config)
    built = load_studies(path, scale, overrides, grids)
    plugins = tuple(str(one.resolve()) for one in plugin_files(path, read_config(path)))
    asked = []
    for study, point in zip(built, grid_points(grids), strict=True):
        changes = [*overrides, *point]
        named = [] if path.stem == study.type_name else [path.stem]
        words = [config, *(_quoted(change) for change in changes)]
        command = f"{'./run' if path.is_relative_to(CHECKOUT) else 'testbed'} run {' '.join(words)} --scale {scale}"
        asked.append(Asked(study, scale, label_of([*named, *changes]), command, plugins))
    return asked


def label_of(parts: Sequence[str], longest: int = 60) -> str:
    """A file name of these words: letters, digits, _ . - alone.

    >>> label_of(["training.model.width=64", "seed=1"])
    'training.model.width-64-seed-1'
    """
    label = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-.")
    return label if len(label) <= longest else f"{label[: longest - 9]}-{sha256_of(list(parts))[:8]}"


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[A-Za-z0-9_.,=+/-]+", word) else "'" + word.replace("'", "'\\''") + "'"
