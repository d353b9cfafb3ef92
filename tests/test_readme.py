"""The README says what is there: its numbers are the gallery's, its pictures and commands exist, its code runs."""

import re
from pathlib import Path

from testbed.cli import app
from testbed.report import read_verdicts
from testbed.sources import MarkovSource

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_verdicts_are_those_of_the_gallery():
    judgement = read_verdicts(ROOT / "figures/optimal_context/laptop/verdicts.json").judgement
    verdicts = judgement.verdicts
    rows = re.findall(r"\| [✓✗?] (\w+) \| (\S+) \[(\S+), (\S+)\] \|", README.replace("−", "-"))
    assert len(rows) == len(verdicts)
    for (word, *numbers), verdict in zip(rows, verdicts, strict=True):
        assert word == verdict.verdict
        for text, value in zip(numbers, (verdict.estimate, verdict.lower, verdict.upper), strict=True):
            digits = len(text.partition(".")[2])
            assert float(text) == round(value, digits)


def test_pictures_and_links_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [one for one in targets if not (ROOT / one).exists()] == []


def test_the_commands_exist():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"`?\./run (\w+)", README))
    assert named - known <= {"test", "bench"}


def test_the_library_example_runs():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code[1], names)
    assert isinstance(names["source"], MarkovSource)
    assert names["tokens"].shape == (1000, 256)
