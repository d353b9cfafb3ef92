"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil
from collections import defaultdict

import pytest

import testbed

MODULES: dict[str, list[str]] = defaultdict(list)
"""Modules by the package they lie in."""
for module in pkgutil.walk_packages(testbed.__path__, "testbed."):
    if not module.name.endswith("__main__") and "._" not in module.name:
        MODULES[module.name if module.ispkg else module.name.rpartition(".")[0]].append(module.name)


@pytest.mark.parametrize("package", sorted(MODULES))
def test_examples(package: str) -> None:
    runs = {
        name: doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
        for name in MODULES[package]
    }
    assert [name for name, run in runs.items() if run.failed] == []
