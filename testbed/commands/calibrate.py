"""`testbed calibrate`: the judge on planted worlds; its table then stands beside the verdicts in the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.commands.configs import asked_for
from testbed.core import StoreError
from testbed.studies import Study
from testbed.studies.judge import Confusion, calibrate

SEED = 0


def calibrate_study(config: str, overrides: Sequence[str], scale: str, draws: int, results: Path) -> int:
    """Print the confusion table at the planned replicates, and keep it in the results folder."""
    (one,) = asked_for(config, overrides, [], scale)
    print(keep_calibration(one.study, draws, results).to_text())
    print(f"kept in {calibration_file(results, one.study.content_key)}; the report of this run shows it")
    return 0


def keep_calibration(study: Study, draws: int, results: Path) -> Confusion:
    """Try the study's judge on its planted worlds, and keep the table in the results folder."""
    confusion = calibrate(study.worlds(), study.n_replicates, draws, SEED, study.alpha)
    path = calibration_file(results, study.content_key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(confusion.to_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; give another --results") from None
    return confusion


def calibration_file(results: Path, config_key: str) -> Path:
    return results / "calibration" / f"{config_key[:32]}.json"


def read_calibration(results: Path, config_key: str) -> dict[str, Any] | None:
    """The table kept for this config, if there is one."""
    path = calibration_file(results, config_key)
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; testbed calibrate makes it again") from None
    return table
