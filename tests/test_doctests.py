"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil

import pytest

import testbed

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(testbed.__path__, "testbed.")
    if not module.name.endswith("__main__") and "._" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
