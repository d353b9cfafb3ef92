"""`testbed figures`, `report` and `status`: everything that is made from a results folder alone."""

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cli import RUN_FAILED, say
from testbed.commands.calibrate import read_calibration
from testbed.core import ConfigError, StoreError, load_plugin
from testbed.runs import Store, survey
from testbed.studies import Study, studies

if TYPE_CHECKING:
    from testbed.report import Entry

REPORT, FIGURES, VERDICTS = "report.html", "figures", "verdicts.json"
MOST_FAILURES = 20


@dataclass(frozen=True)
class PastRun:
    """A run of a results folder, with its study built again from the stored config."""

    study: Study
    scale: str
    label: str
    command: str

    @property
    def name(self) -> str:
        return f"{self.study.type_name} {self.label}".strip() + f" at scale {self.scale}"


def latest_runs(store: Store) -> list[dict[str, Any]]:
    """The stored runs, of equal study, scale and label the last one alone: its config has replaced the others'."""
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for run in store.runs():
        latest[run["study"], run["scale"], run["details"].get("label", "")] = run
    return list(latest.values())


def rebuild(store: Store, run: dict[str, Any], plugins: Sequence[Path] = ()) -> PastRun:
    """Build a stored run's study again."""
    details = run["details"]
    given = {path.name: path for path in plugins}
    for plugin in details.get("plugins", []):
        file = given.get(Path(plugin).name, Path(plugin))
        if file.name not in given and not file.is_absolute():  # the folder was unpacked here
            raise ConfigError(
                f"its plugin {plugin} was on another machine; give the file that you trust by --plugin FILE"
            )
        if not file.is_file():
            raise ConfigError(f"its plugin {plugin} is gone; say where it is by --plugin FILE")
        load_plugin(file)
    study = studies.build(store.with_arrays(run["config"]))
    return PastRun(study, run["scale"], details.get("label", ""), details.get("command", ""))


def entries(
    store: Store, plugins: Sequence[Path] = (), only: Collection[str] | None = None
) -> Iterator["Entry | None"]:
    """Verdicts and figures of every run of the folder, the figures drawn anew; None for a run that had to be left out.

    A run that is not complete is judged on what there is; where its study cannot, it is left out, and that is said.
    """
    from testbed.report import Entry, write_figures, write_verdicts

    for stored in latest_runs(store):
        try:
            past = rebuild(store, stored, plugins)
        except ConfigError as error:
            say(f"{stored['study']} at scale {stored['scale']} is left out: {error}")
            yield None
            continue
        named, finished, _ = survey(store, past.study)
        records, missing = list(finished.values()), len(named) - len(finished)
        if missing:
            say(f"{past.name}: {len(finished)} of {len(named)} cells are done")
        if not records:
            continue
        try:
            confusion = read_calibration(store.folder, past.study.content_key)
            head = {"scale": past.scale, "command": past.command, "label": past.label, "confusion": confusion}
            entry = Entry.of(past.study, records, **head)  # type: ignore[arg-type]
            folder = store.folder / FIGURES / entry.study / entry.folder_name
            drawn = write_figures(past.study, records, folder)
            entry = Entry.of(past.study, records, **head, figures=drawn, judgement=entry.judgement)  # type: ignore[arg-type]
            write_verdicts(entry, folder / VERDICTS)
        except Exception as error:
            if not missing:
                raise
            say(f"{past.name} is left out, as it cannot be judged yet: {type(error).__name__}: {error}")
            yield None
            continue
        if only is None or past.study.content_key in only:
            print_verdicts(entry, folder)
        yield entry


def print_verdicts(entry: "Entry", folder: Path) -> None:
    """Each verdict in a line, the failed checks, and where the figures are."""
    from testbed.report.wording import estimate_and_interval, with_unit

    title = f"{entry.study}, {entry.folder_name}"
    print(f"\n{title}\n{'-' * len(title)}")
    rows: list[tuple[str, ...]] = []
    for verdict in entry.judgement.verdicts:
        estimate, interval = estimate_and_interval(verdict)
        rows.append((verdict.claim.id, verdict.verdict, with_unit(estimate, verdict.claim.unit), interval))
    rows = [tuple(cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row) for row in rows]
    print_table(rows)
    for check in entry.judgement.checks:
        if not check.passed:
            print(f"check {check.name} failed, so the study is void: {check.detail}")
    print(f"figures and numbers   {folder}", flush=True)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_results(store: Store, only: Collection[str] | None = None, plugins: Sequence[Path] = ()) -> bool:
    """Figures, verdicts and report of the folder; False if a run was left out. Prints the verdicts of those `only`."""
    from testbed.report import write_report

    found = list(entries(store, plugins, only))
    kept = [entry for entry in found if entry is not None]
    if not found:
        print("no run of this folder has a finished cell")
    if kept:
        path = write_report(kept, store.folder / REPORT)
        print(f"report                {path}", flush=True)
    return len(kept) == len(found)


def redo_report(results: Path, plugins: Sequence[Path]) -> int:
    """Figures, verdicts and report again."""
    with Store(results) as store:
        return 0 if write_results(store, plugins=plugins) else RUN_FAILED


def serve_report(results: Path, port: int) -> None:
    """Show the page at an address of this machine alone, until Ctrl-C."""
    import webbrowser

    from testbed.report.serve import ReportServer

    if not (results / REPORT).is_file():
        raise ConfigError(f"--serve: {results} has no report yet")
    try:
        server = ReportServer(results, REPORT, port)
    except OSError as error:
        raise ConfigError(f"--port: given {port}, which cannot be listened at: {error.strerror}") from None
    with server:
        print(f"serving               {server.url}   (Ctrl-C ends it)", flush=True)
        if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            webbrowser.open(server.url)  # without a display it would be a browser in this very terminal
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def redo_figures(results: Path, gallery: Path | None, plugins: Sequence[Path]) -> int:
    """Figures and verdicts again, and the gallery if asked."""
    from testbed.report import write_gallery

    with Store(results) as store:
        found = list(entries(store, plugins))
    kept = [entry for entry in found if entry is not None]
    if gallery is not None and kept:
        try:
            print(f"gallery               {write_gallery(kept, gallery)}")
        except OSError as error:
            raise StoreError(f"the gallery {gallery} cannot be written: {error.strerror}") from None
    return 0 if len(kept) == len(found) else RUN_FAILED


def show_status(results: Path) -> int:
    """Records by study and status, runs, and failures with their errors."""
    with Store(results) as store:
        print("records")
        counts = store.status_counts()
        print_table(
            [("  " + study, status, str(n)) for study, by in sorted(counts.items()) for status, n in sorted(by.items())]
        )
        print("runs")
        latest = {run["config_key"] for run in latest_runs(store)}
        for run in store.runs():
            replaced = "" if run["config_key"] in latest else "   (its config has changed since)"
            print(f"  {run['started'][:16]}  {run['details'].get('command', run['study'])}{replaced}")
        failed = store.failures()
        if failed:
            print("failures, which run again")
        for key, study, reason in failed[:MOST_FAILURES]:
            print(f"  {study} {key[:12]}: {reason}")
        if len(failed) > MOST_FAILURES:
            print(f"  and {len(failed) - MOST_FAILURES} more")
    return 0
