"""Registry: type names, plugin files, and the errors of both."""

import pytest

from testbed.core import ConfigError, Registry, Tagged, load_plugin
from testbed.sources import IIDSource, available, build


def test_found_by_name_or_passed_through() -> None:
    assert {"iid", "markov"} <= set(available())
    source = build({"type": "iid", "vocab_size": 3})
    assert isinstance(source, IIDSource)
    assert build(source) is source


@pytest.mark.parametrize(
    "config, said",
    [
        ("mrkov", "did you mean markov"),
        ({"vocab_size": 3}, "a source needs a type; known: "),
        ({"type": 3}, "there is no source 3"),
        (3, "a source is a table with a type, not 3"),
        ({"type": "iid", "vocab_sise": 3}, "vocab_sise: unknown key, did you mean vocab_size"),
    ],
)
def test_errors(config, said) -> None:
    with pytest.raises(ConfigError, match=said):
        build(config)


def test_two_of_one_name_are_refused() -> None:
    registry: Registry[Tagged] = Registry("sources", "thing")

    @registry.register("one")
    class First(Tagged):
        pass

    with pytest.raises(ConfigError, match="two things are called one"):

        @registry.register("one")
        class Second(Tagged):
            pass


PLUGIN = """
from testbed.sources import IIDSource, source

@source("{name}")
class Mine(IIDSource):
    'A source of the user.'
"""


def test_a_plugin_file_registers_what_it_defines(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(name="of_the_user"))
    load_plugin(file)
    first = type(build({"type": "of_the_user", "vocab_size": 2}))
    load_plugin(file)
    assert type(build({"type": "of_the_user", "vocab_size": 2})) is first


def test_two_plugins_of_one_file_name_do_not_replace_each_other(tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(PLUGIN.format(name="twice"))
    load_plugin(tmp_path / "a" / "mine.py")
    with pytest.raises(ConfigError, match="two sources are called twice"):
        load_plugin(tmp_path / "b" / "mine.py")


@pytest.mark.parametrize(
    "text, said",
    [("def f(:\n", "line 1: SyntaxError"), ("x = 1\n1 / 0\n", "line 2: ZeroDivisionError"), (None, "there is no file")],
)
def test_a_plugin_that_cannot_run_is_named(tmp_path, text, said) -> None:
    file = tmp_path / "broken.py"
    if text is not None:
        file.write_text(text)
    for _ in range(2):
        with pytest.raises(ConfigError, match=said) as caught:
            load_plugin(file)
        assert "broken.py" in str(caught.value)


def test_headlines_are_whole_sentences() -> None:
    """`testbed list` prints the first line of each description."""
    import inspect

    from testbed.methods import methods
    from testbed.models.activations import activations
    from testbed.models.norms import norms
    from testbed.sources.source import sources
    from testbed.studies import studies

    for registry in (sources, methods, studies, activations, norms):
        for name in registry.names():
            first = inspect.cleandoc(registry.find(name).__doc__ or "").splitlines()[:1]
            assert first and first[0].rstrip().endswith((".", ":", "?")), name  # noqa: PT018
