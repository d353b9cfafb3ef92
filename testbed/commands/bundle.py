"""`testbed pack` and `unpack`: a results folder as one file and back."""

from pathlib import Path

from testbed.runs.bundle import read_bundle, write_bundle


def pack_results(results: Path, file: Path) -> int:
    """Write the folder into the file."""
    count = write_bundle(results, file)
    print(f"{count} files of {results} are in {file}, {file.stat().st_size / 2**20:.1f} MiB")
    return 0


def unpack_results(file: Path, results: Path) -> int:
    """Make the folder of the file."""
    count = read_bundle(file, results)
    print(f"{count} files are in {results}; testbed report --results {results} draws figures and page")
    return 0
