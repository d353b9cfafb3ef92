"""The commands, their arguments and help; each imports what it needs when called, so that `--help` imports little."""

from pathlib import Path

import typer

app = typer.Typer(
    name="testbed",
    help="A laboratory for claims about entropy, context length and attention temperature in language models.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

RESULTS = typer.Option(Path("results"), "--results", metavar="DIR", help="folder of the results")
SCALE = typer.Option("laptop", "--scale", metavar="SCALE", help="smoke, laptop, gpu or full")
DEVICE = typer.Option("cpu", "--device", metavar="DEVICE", help="cpu or cuda")
TIME = typer.Option(None, "--time-limit", metavar="TIME", help="stop cleanly after 90s, 8m or 2h (a bare number: s)")
WORKERS = typer.Option(None, "--workers", metavar="N", help="so many processes of this machine; with cuda, GPUs")
DASK = typer.Option(None, "--dask", metavar="ADDRESS", help="an existing Dask scheduler, such as tcp://host:8786")
PLUGIN = typer.Option([], "--plugin", metavar="FILE", help="a plugin of the run, where it has moved")
SOURCE = typer.Argument(metavar="CONFIG|TYPE", help="a config file with a source's table, or the type of a source")
SOURCE_KEYS = typer.Argument(None, metavar="[KEY=VALUE]...", help="keys of the source, such as order=3")
SOURCE_PLUGIN = typer.Option([], "--plugin", metavar="FILE", help="a file that registers sources; repeat for more")
TABLE = typer.Option(None, "--table", metavar="KEY", help="where the source's table is in CONFIG, if not at source")
MAX_CONTEXT = typer.Option(12, "--max-context", min=0, max=4096, metavar="L", help="longest context of the h_l table")


@app.command()
def run(
    config: str = typer.Argument(metavar="CONFIG", help="a config file, or the name of a shipped one"),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="keys to change, such as delta=0.01"),
    grid: list[str] = typer.Option([], "--grid", metavar="KEY=V1,V2", help="run every value; repeat for a product"),
    scale: str = SCALE,
    device: str = DEVICE,
    results: Path = RESULTS,
    time_limit: str | None = TIME,
    workers: int | None = WORKERS,
    dask: str | None = DASK,
    dry_run: bool = typer.Option(False, "--dry-run", help="only say how much there is to do"),
) -> int:
    """Run a study, judge it, and write figures and report. Started again, it goes on where it was."""
    from testbed.commands.run import dry_run_config, run_config

    if dry_run:
        return dry_run_config(config, overrides or [], grid, scale, results)
    return run_config(config, overrides or [], grid, scale, device, results, time_limit, workers, dask)


@app.command()
def demo(
    device: str = DEVICE,
    results: Path = RESULTS,
    time_limit: str | None = TIME,
) -> int:
    """Run the demonstration, the study optimal_context at laptop scale: some minutes on two cores."""
    from testbed.commands.run import run_config

    return run_config("optimal_context", [], [], "laptop", device, results, time_limit, calibration_draws=10)


@app.command("list")
def list_all() -> int:
    """List studies, sources, methods, norms, activations, losses and shipped configs."""
    from testbed.commands.describe import list_everything

    return list_everything()


@app.command()
def keys(
    name: str = typer.Argument(metavar="NAME", help="a study, a config file, or the type of a source or method"),
) -> int:
    """List every config key with its type, default and meaning."""
    from testbed.commands.describe import list_keys

    return list_keys(name)


@app.command("source")
def show_source(
    source: str = SOURCE,
    overrides: list[str] = SOURCE_KEYS,
    max_context: int = MAX_CONTEXT,
    figure: Path | None = typer.Option(None, "--figure", metavar="FILE", help="draw h_l into a .pdf or .png file"),
    table: str | None = TABLE,
    plugin: list[Path] = SOURCE_PLUGIN,
) -> int:
    """Show a source: its parameters, its exact entropies, and what it refuses."""
    from testbed.commands.source_card import show_source

    return show_source(source, overrides or [], max_context, figure, table, plugin)


@app.command()
def sample(
    source: str = SOURCE,
    overrides: list[str] = SOURCE_KEYS,
    sequences: int = typer.Option(..., "--sequences", "-n", min=0, metavar="N", help="how many sequences"),
    length: int = typer.Option(..., "--length", "-l", min=0, metavar="L", help="tokens of each"),
    out: Path = typer.Option(..., "--out", metavar="FILE", help="a .npz or .parquet file"),
    seed: int = typer.Option(0, "--seed", min=0, metavar="S", help="seed of the tokens"),
    first_sequence: int = typer.Option(
        0, "--first-sequence", min=0, metavar="I", help="number of the first one; trainings use those below 4 * 2^40"
    ),
    max_context: int = MAX_CONTEXT,
    table: str | None = TABLE,
    plugin: list[Path] = SOURCE_PLUGIN,
    force: bool = typer.Option(False, "--force", help="replace a file that is there"),
) -> int:
    """Write sequences of a source with the true log-probability of every token, and the source's truths."""
    from testbed.commands.sample import write_sample

    return write_sample(
        source, overrides or [], sequences, length, out, seed, first_sequence, max_context, table, plugin, force
    )


@app.command()
def entropy(
    file: Path = typer.Argument(metavar="FILE", help="a .npy, .npz or .bin file of tokens; else a text"),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="keys of the source of --against"),
    max_order: int | None = typer.Option(
        None, "--max-order", min=0, metavar="K", help="longest context of the h_k table; by default 8 where it fits"
    ),
    dtype: str = typer.Option("uint16", "--dtype", metavar="TYPE", help="of a .bin file: uint8, 16, 32 or 64"),
    unit: str = typer.Option("bytes", "--unit", metavar="UNIT", help="of a text: bytes or characters"),
    array: str | None = typer.Option(None, "--array", metavar="NAME", help="of a .npz file, if not tokens"),
    vocab_size: int | None = typer.Option(None, "--vocab-size", min=1, metavar="V", help="if not largest token + 1"),
    interval: str = typer.Option("jackknife", "--interval", metavar="KIND", help="jackknife, bootstrap or none"),
    blocks: int = typer.Option(20, "--blocks", min=2, metavar="B", help="blocks that the intervals rest on"),
    figure: Path | None = typer.Option(None, "--figure", metavar="FILE", help="draw h_k into a .pdf or .png file"),
    against: str | None = typer.Option(None, "--against", metavar="CONFIG|TYPE", help="a source whose truth to add"),
    table: str | None = TABLE,
    plugin: list[Path] = SOURCE_PLUGIN,
) -> int:
    """Estimate h_k of a file of tokens by every estimator, with intervals and the k beyond which they mean nothing."""
    from testbed.commands.entropy import show_entropy

    return show_entropy(
        file,
        overrides or [],
        max_order,
        dtype,
        unit,
        array,
        vocab_size,
        interval,
        blocks,
        figure,
        against,
        table,
        plugin,
    )


@app.command()
def new(
    kind: str = typer.Argument(metavar="KIND", help="source, method or study"),
    name: str = typer.Argument(metavar="NAME", help="its type, such as sticky_coin"),
    into: Path = typer.Option(Path(), "--into", metavar="DIR", help="folder of the files"),
) -> int:
    """Write a source, method or study that works, with test and config, to be changed into your own."""
    from testbed.commands.new import write_new

    return write_new(kind, name, into)


@app.command()
def status(results: Path = RESULTS) -> int:
    """Say what a results folder holds: records, runs, failures with their errors."""
    from testbed.commands.results import show_status

    return show_status(results)


@app.command()
def verify(
    results: Path = RESULTS,
    repair: bool = typer.Option(False, "--repair", help="keep what is sound, put what is not aside"),
) -> int:
    """Check every row and file of a results folder against its checksum."""
    from testbed.commands.verify import verify_results

    return verify_results(results, repair)


@app.command()
def show(
    record: str = typer.Argument(metavar="RECORD", help="the beginning of a record's key"),
    results: Path = RESULTS,
) -> int:
    """Show a record in full: settings, metrics, arrays, where it came from."""
    from testbed.commands.show import show_record

    return show_record(results, record)


@app.command()
def compare(
    first: str = typer.Argument(metavar="A", help="a results folder, or the beginning of a record's key"),
    second: str = typer.Argument(metavar="B", help="another"),
    results: Path = RESULTS,
) -> int:
    """Say where two records, or all records of two folders, differ."""
    from testbed.commands.show import compare

    return compare(results, first, second)


@app.command()
def export(
    to: str = typer.Option("csv", "--to", metavar="FORMAT", help="csv, or parquet (extra `analysis`)"),
    out: Path = typer.Option(Path("export"), "--out", metavar="DIR", help="folder of the files"),
    study: str | None = typer.Option(None, "--study", metavar="STUDY", help="the records of this study alone"),
    results: Path = RESULTS,
) -> int:
    """Write the records as tidy columns, and every array in long form."""
    from testbed.commands.export import export_results

    return export_results(results, to, out, study)


@app.command()
def pack(
    file: Path = typer.Argument(metavar="FILE", help="the file to write, such as results.tar.gz"),
    results: Path = RESULTS,
) -> int:
    """Put a results folder into one file, for another machine."""
    from testbed.commands.bundle import pack_results

    return pack_results(results, file)


@app.command()
def unpack(
    file: Path = typer.Argument(metavar="FILE", help="a file that pack wrote"),
    results: Path = RESULTS,
) -> int:
    """Make a results folder of such a file, checked row by row; nothing in it is ever run."""
    from testbed.commands.bundle import unpack_results

    return unpack_results(file, results)


@app.command()
def figures(
    results: Path = RESULTS,
    gallery: Path | None = typer.Option(None, "--gallery", metavar="DIR", help="also write the gallery, into DIR"),
    plugin: list[Path] = PLUGIN,
) -> int:
    """Redo figures and verdicts from the records, without training."""
    from testbed.commands.results import redo_figures

    return redo_figures(results, gallery, plugin)


@app.command()
def report(
    results: Path = RESULTS,
    plugin: list[Path] = PLUGIN,
    serve: bool = typer.Option(False, "--serve", help="then show the page in the browser, until Ctrl-C"),
    port: int = typer.Option(0, min=0, max=65535, help="port to serve it at; 0: any that is free"),
) -> int:
    """Redo the report, with its figures and verdicts, from the records, without training."""
    from testbed.commands.results import redo_report, serve_report

    status = redo_report(results, plugin)
    if serve:
        serve_report(results, port)
    return status


@app.command()
def calibrate(
    config: str = typer.Argument(metavar="STUDY", help="a study, a config file, or the name of a shipped one"),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="keys to change"),
    scale: str = SCALE,
    draws: int = typer.Option(1000, "--draws", min=1, metavar="N", help="draws of each planted world"),
    results: Path = RESULTS,
) -> int:
    """Try a study's judge on planted worlds, whose right verdicts are known, and print its confusion table."""
    from testbed.commands.calibrate import calibrate_study

    return calibrate_study(config, overrides or [], scale, draws, results)


@app.command()
def doctor(results: Path = RESULTS) -> int:
    """Check the installation, the processor, the GPU and the results folder, and say how to cure what is wrong."""
    from testbed.commands.doctor import examine

    return examine(results)
