"""Which room may import which, what is imported only when used, and that no module names a machine's path."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed

PACKAGE = Path(testbed.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "core": set(),
    "predictors": {"core"},
    "sources": {"core", "predictors"},
    "methods": {"core"},
    "models": {"core", "methods"},
    "training": {"core", "models", "sources"},
    "maxent": {"core"},
    "measures": {"core", "predictors", "sources", "models", "training"},
    "theory": {"core"},
    "runs": {"core", "sources", "training"},
    "studies": {
        "core",
        "predictors",
        "sources",
        "methods",
        "models",
        "training",
        "maxent",
        "measures",
        "theory",
        "runs",
    },
    "report": {"core", "studies", "runs"},
}
COMMAND_LINE = {"cli", "commands", "__main__"}

HEAVY = {"torch", "numba", "scipy", "matplotlib", "jinja2", "pandas", "distributed"}
MAY_BE_HEAVY = {"_kernels"}
"""Folders of modules that are imported inside functions alone."""


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names that a module imports; those under `if TYPE_CHECKING` are not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            if node.module == "testbed":
                yield from (f"testbed.{alias.name}" for alias in node.names)
            continue
        skipped = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not skipped and not (top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from imports(node, top_level_only=top_level_only)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_room_imports_a_higher_one(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"{module.relative_to(PACKAGE)} imports {name}; {room} may import {allowed}"
        for module in MODULES
        if room_of(module) == room
        for name in imports(ast.parse(module.read_text()))
        if name.startswith("testbed.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= set(MAY_IMPORT) | COMMAND_LINE


def test_the_table_has_no_cycles() -> None:
    ordered: list[str] = []
    while len(ordered) < len(MAY_IMPORT):
        ready = [room for room in MAY_IMPORT if room not in ordered and MAY_IMPORT[room] <= set(ordered)]
        assert ready
        ordered += ready


def config_modules() -> list[Path]:
    """Modules that define configs, found by the base classes that they import, and the command line."""
    marks = re.compile(
        r"^class \w+\((Config|Tagged|Source|Method|Study|DyadicChain)\b|^@(source|method|study)\(", re.MULTILINE
    )
    return [path for path in MODULES if marks.search(path.read_text()) or room_of(path) in COMMAND_LINE | {"core"}]


def test_config_modules_import_nothing_heavy() -> None:
    found = config_modules()
    assert len(found) > 100
    wrong = [
        f"{module.relative_to(PACKAGE)}: import {name} inside the function that uses it"
        for module in found
        for name in imports(ast.parse(module.read_text()), top_level_only=True)
        if name.split(".")[0] in HEAVY or MAY_BE_HEAVY & set(name.split("."))
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ["sources", "methods", "training", "runs", "studies", "report", "cli"])
def test_importing_a_room_imports_nothing_heavy(room: str) -> None:
    script = f"import sys, testbed.{room}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.split() == []


def test_no_module_names_a_machine_path() -> None:
    path = re.compile(r"""["'](/(home|root|Users|work|tmp|mnt|data|scratch)/|[A-Z]:\\\\)""")
    for module in MODULES:
        assert not path.search(module.read_text()), f"{module.relative_to(PACKAGE)} names a path of one machine"
