"""The committed gallery: `figures/<study>/<scale>/` with figures, their numbers and `verdicts.json`, and an index page.

A study that ran at two scales has two folders, so a quick run never replaces a long one. The index is made from the
`verdicts.json` files alone: writing one study leaves the others as they are.
"""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from testbed.core import StoreError
from testbed.report.html import figure_size
from testbed.report.ledger import Entry, Line, ledger
from testbed.report.render import SUFFIXES
from testbed.report.survey import coverage
from testbed.report.verdicts import FILE_NAME, read_verdicts, write_verdicts
from testbed.report.wording import SYMBOLS, estimate_and_interval, p_value, region_text, with_unit
from testbed.studies import SCALES

INDEX = "README.md"


def write_gallery(entries: Sequence[Entry], folder: Path) -> Path:
    """Put these entries into the gallery and rebuild its index; returns the index.

    An entry replaces the figures, CSVs and verdicts in its own `<study>/<scale>[-<label>]/`, and nothing else. Raises
    StoreError if that folder holds such files but no `verdicts.json`: then it isn't the gallery's.
    """
    ledger(entries)  # refuses two entries of one name
    for entry in entries:
        _replace(entry, folder / entry.study / entry.folder_name)
    index = folder / INDEX
    index.write_text(index_text(read_gallery(folder), folder), encoding="utf-8", newline="\n")
    return index


def read_gallery(folder: Path) -> list[Entry]:
    """Every entry of the gallery, by study and from the smallest scale up."""
    found = [read_verdicts(path) for path in folder.glob(f"*/*/{FILE_NAME}")]
    return sorted(found, key=lambda entry: (entry.study, SCALES.index(entry.run.scale), entry.label))


def _replace(entry: Entry, target: Path) -> None:
    """Read everything before anything is removed: the figures may come from this very folder."""
    contents = {one.path(suffix).name: one.path(suffix).read_bytes() for one in entry.figures for suffix in SUFFIXES}
    old = [path for path in sorted(target.glob("*")) if path.suffix in SUFFIXES] if target.is_dir() else []
    if old and not (target / FILE_NAME).is_file():
        raise StoreError(
            f"{target} holds {old[0].name} but no {FILE_NAME}, so it is no folder of a gallery; move it away"
        )
    write_verdicts(entry, target / FILE_NAME)
    for path in old:
        if path.name not in contents:
            path.unlink()
    for name, content in contents.items():
        (target / name).write_bytes(content)


# ------------------------------------------------------------------------------------------------ the index
def index_text(entries: Sequence[Entry], folder: Path) -> str:
    """The index in GitHub's Markdown: verdicts in word and symbol, every figure with its caption and provenance."""
    lines = ledger(entries)
    parts = [
        "# Figures and verdicts",
        "Each claim is held against sources whose entropies are known exactly. It **holds** if the whole confidence "
        "interval lies in the region named before the run, **fails** if it lies outside, and is **undecided** "
        "otherwise. One folder a study and scale: every figure as PDF and PNG, with the numbers behind it as CSV, and "
        f"the verdicts as `{FILE_NAME}`. This page is made by the program, from those files.",
        "\n".join(
            f"- [{_text(entry.title)}](#{entry.slug.lower()}), {entry.run.scale}: {_tally(entry)}" for entry in entries
        ),
        "What was left out stands in [every paper of the survey](#survey).",
        _asked(entries),
    ]
    for entry in entries:
        parts += _section(entry, [line for line in lines if line.entry is entry], folder)
    parts += ['<a id="survey"></a>', "## Every paper of the survey", _survey(entries)]
    if entries:
        parts.append(
            "p: raw for this claim alone; adjusted within the study (Holm), on which the verdict rests; adjusted over "
            f"all {len(lines)} verdicts of this page (Benjamini–Hochberg)."
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(entry: Entry, lines: Sequence[Line], folder: Path) -> list[str]:
    run = entry.run
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    records = ", ".join(f"{count} {status}" for status, count in run.records.items())
    parts = [
        f'<a id="{escape(entry.slug.lower())}"></a>',
        f"## {_text(entry.title)} ({_text(entry.folder_name)})",
        *map(_text, entry.question),
    ]
    if entry.failed_checks:
        parts.append(f"**This study is void: a check failed ({_text(', '.join(entry.failed_checks))}).**")
    parts += [
        _table(lines),
        "\n".join(
            f"- check {'✓ passed' if check.passed else '✗ **failed**'}: {_text(check.name)}"
            + (f" ({_text(check.detail)})" if check.detail else "")
            for check in entry.judgement.checks
        ),
        "\n".join(f"- {_text(note)}" for note in entry.judgement.notes),
        _planted(entry),
    ]
    for one in entry.figures:
        base = quote(f"{entry.study}/{entry.folder_name}/{one.name}")
        width, _ = figure_size(folder / entry.study / entry.folder_name / f"{one.name}.png")
        parts.append(f'<img src="{base}.png" width="{width}" alt="{escape(one.alt)}">')
        title = f"**{_text(one.title.rstrip('.'))}.** " if one.title else ""
        parts.append(f"{title}{_text(one.caption)} ([PDF]({base}.pdf), [CSV]({base}.csv))")
    command = run.command.replace("```", "")
    parts.append(
        f"Scale {run.scale}; {_text(', '.join(run.devices)) or 'device unknown'}; {run.when}; "
        f"{_text(versions) or 'versions unknown'}; records: {records or 'none'}; "
        f"[{FILE_NAME}]({quote(f'{entry.study}/{entry.folder_name}/{FILE_NAME}')}). To do it again:"
    )
    parts.append(f"```sh\n{command}\n```")
    return parts


def _survey(entries: Sequence[Entry]) -> str:
    """The ledger's denominator as a table."""
    rows = [f"| {_text(row.paper.title)} ({_text(row.paper.key)}) | {_text(row.found)} |" for row in coverage(entries)]
    return "\n".join(["| paper | what became of it |", "|---|---|", *rows])


def _asked(entries: Sequence[Entry]) -> str:
    """Which figure of which study is the one that was asked for of a paper: one row a number, as the figures declare.

    A figure drawn at several scales is linked at each.
    """
    found: dict[tuple[str, int, str], dict[tuple[str, str], list[str]]] = {}
    for entry in entries:
        for one in entry.figures:
            link = f"[{_text(entry.folder_name)}]({quote(f'{entry.study}/{entry.folder_name}/{one.name}')}.png)"
            for asked in one.shows:
                paper, _, name = asked.rpartition(" ")
                digits = re.sub(r"\D", "", name)
                rows = found.setdefault((paper, int(digits or 0), name), {})
                rows.setdefault((entry.study, one.title or one.name.replace("_", " ")), []).append(link)
    if not found:
        return ""
    table = ["| paper | figure | where |", "|---|---|---|"]
    for (paper, _, name), places in sorted(found.items()):
        where = [f"{_text(study)}: {_text(title)} ({', '.join(links)})" for (study, title), links in places.items()]
        table.append(f"| {_text(paper)} | {_text(name)} | {'<br>'.join(where)} |")
    words = "Which figure shows what: the figures by which each paper is judged, by this project's own numbers"
    return "\n".join([f"<details><summary>{words}</summary>", "", *table, "", "</details>"])


def _table(lines: Sequence[Line]) -> str:
    rows = [
        "| verdict | claim | estimate and interval | must lie in | n | p raw | p study | p ledger |",
        "|---|---|---|---|--:|--:|--:|--:|",
    ]
    for line in lines:
        verdict, claim = line.verdict, line.verdict.claim
        estimate, interval = estimate_and_interval(verdict)
        interval = "exact" if verdict.n_independent is None else interval
        ours = "<br>(our reading)" if claim.of_our_reading else ""
        later = f"<br>(to be decided at {claim.decided_at} scale)" if line.entry.beyond_scale(verdict) else ""
        place = ", ".join(part for part in (claim.paper, claim.place) if part)
        rows.append(
            f"| {SYMBOLS[verdict.verdict]} **{verdict.verdict}**{ours}{later} "
            f"| {_text(claim.statement)}<br>{_text(claim.id)}, {_text(place)} "
            f"| {_text(with_unit(estimate, claim.unit))}<br>{_text(interval)} | {_text(region_text(claim.region))} "
            f"| {'exact' if verdict.n_independent is None else verdict.n_independent} "
            f"| {_text(p_value(verdict.p_decisive))} | {_text(p_value(verdict.p_adjusted))} "
            f"| {_text(p_value(line.p_ledger))} |"
        )
    return "\n".join(rows) if lines else ""


def _planted(entry: Entry) -> str:
    """How the judge did on planted worlds, one row a claim: where it should say so, and where it was wrong most often.

    Folded away: every world's counts are in `verdicts.json` and on the report's page.
    """
    confusion = entry.confusion
    if confusion is None:
        return ""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in confusion["rows"]:
        if row["expected"] is not None:
            rows.setdefault(row["claim"], []).append(row)
    worst = max((one["wrong_rate"] for one in confusion["family"].values()), default=0.0)
    draws = f"{confusion['n_draws']} draws of each of {len(confusion['family'])} planted worlds"
    table = [
        "| claim | says *holds* where it is so | says *fails* where it is so | wrong, worst world |",
        "|---|--:|--:|--:|",
    ]
    for claim, mine in rows.items():
        wrong = max(mine, key=lambda row: (row["wrong_rate"], row["wrong_interval"][1]))
        low, high = wrong["wrong_interval"]
        table.append(
            f"| {_text(claim)} | {_least_power(mine, 'holds')} | {_least_power(mine, 'fails')} "
            f"| {_percent(wrong['wrong_rate'])} \\[{_percent(low)}, {_percent(high)}\\] |"
        )
    head = (
        f"The judge, tried on {draws} with {confusion['n_replicates']} replicates: some claim wrong"
        f" in {_percent(worst)} of draws in the worst world"
    )
    foot = "Least share over the worlds in which the verdict is right; wrong: with its 95 % interval."
    body = "\n".join(table)
    return f"<details><summary>{head}</summary>\n\n{body}\n\n{foot}\n\n</details>"


def _least_power(rows: Sequence[dict[str, Any]], expected: str) -> str:
    powers = [row["power"] for row in rows if row["expected"] == expected]
    return _percent(min(powers)) if powers else "no such world"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%"


def _tally(entry: Entry) -> str:
    words = [verdict.verdict for verdict in entry.judgement.verdicts]
    return (
        ", ".join(f"{SYMBOLS[word]} {words.count(word)} {word}" for word in SYMBOLS if word in words) or "no verdicts"
    )


def _text(text: str) -> str:
    """Words as they are: nothing in them is read as Markdown, HTML, a table's bar or a formula.

    >>> print(_text("l*_delta <= k | $p$"))
    l\\*\\_delta &lt;= k \\| \\$p\\$
    """
    marked = re.sub(r"([\\`*_\[\]|$~#])", r"\\\1", text.replace("\n", " "))
    return escape(marked, quote=False)
