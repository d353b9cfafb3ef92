"""`testbed verify`: whether a results folder is what was written, and saving what can be read of it."""

from pathlib import Path

from testbed.cli import RUN_FAILED
from testbed.runs.verify import repair, verify

MOST_PROBLEMS = 50


def verify_results(results: Path, mend: bool) -> int:
    """Name what is damaged; with `mend` keep the sound rows alone. 0 if the folder is sound in the end."""
    problems = verify(results)
    for problem in problems[:MOST_PROBLEMS]:
        print(problem)
    if len(problems) > MOST_PROBLEMS:
        print(f"and {len(problems) - MOST_PROBLEMS} more")
    if not problems:
        print(f"{results} is sound: every row matches its checksum, every file its name")
        return 0
    if not mend:
        print("testbed verify --repair keeps what is sound; the same run then makes the rest again")
        return RUN_FAILED
    aside, kept, lost = repair(results)
    print(f"{kept} rows kept, {lost} left out; what was damaged is in {aside}. The same run makes the rest again")
    return RUN_FAILED if verify(results) else 0
