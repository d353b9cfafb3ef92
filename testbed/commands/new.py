"""`testbed new`: a source, a method or a study that works, with test and config, to be changed into one's own."""

import keyword
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from testbed.core import ConfigError

KINDS = {
    "source": ("testbed source {name}.toml", "testbed sample {name}.toml -n 10 -l 20 --out {name}.npz"),
    "method": ("testbed run {name}.toml --scale smoke",),
    "study": ("testbed run {name}.toml --scale smoke", "testbed calibrate {name}.toml --scale smoke --draws 100"),
}
"""What can be made, and what to try it with."""

FILES = {"{kind}.py.txt": "{name}.py", "{kind}_test.py.txt": "test_{name}.py", "{kind}.toml.txt": "{name}.toml"}


def write_new(kind: str, name: str, into: Path) -> int:
    """Write the three files and say how to try them. Nothing that is there is touched."""
    if kind not in KINDS:
        raise ConfigError(f"testbed new: given {kind!r}; there are {', '.join(KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(f"testbed new: given {name!r}, must be small letters, digits and _, such as sticky_coin")
    _refuse_known(kind, name)
    written = {into / target.format(name=name): template.format(kind=kind) for template, target in FILES.items()}
    if there := [path for path in written if path.exists()]:
        raise ConfigError(f"testbed new: {there[0]} is there already; take another name, or --into another folder")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise ConfigError(f"testbed new: {name}.py would hide the module {name}; take another name")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for path, template in written.items():
            path.write_text(rendered(template, name), encoding="utf-8")
            print(path)
    except OSError as error:
        raise ConfigError(f"testbed new: {into} cannot be written: {error.strerror or error}") from None
    place = "" if into == Path() else f"cd {into}; "
    print("\ntry it:")
    for line in (*KINDS[kind], f"python -m pytest test_{name}.py"):
        print(f"  {place}{line.format(name=name)}")
    return 0


def rendered(template: str, name: str) -> str:
    """A template's text with the name, and the class named after it, put in."""
    text = (files("testbed.commands") / "templates" / template).read_text(encoding="utf-8")
    return text.replace("CAMEL", class_name(name)).replace("NAME", name)


def class_name(name: str) -> str:
    """The class of a type.

    >>> class_name("sticky_coin2")
    'StickyCoin2'
    """
    return "".join(word.capitalize() for word in name.split("_"))


def _refuse_known(kind: str, name: str) -> None:
    from testbed.methods import methods
    from testbed.sources import sources
    from testbed.studies import studies

    known = {"source": sources.names(), "method": methods.names(), "study": studies.names()}
    if name in known[kind]:
        raise ConfigError(f"testbed new: there is a {kind} {name} already; take another name")
