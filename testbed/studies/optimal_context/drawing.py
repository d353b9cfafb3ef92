"""What the figures share: colours, intervals, and the rows of numbers behind the curves."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean
from testbed.studies.optimal_context.arm_data import ArmData
from testbed.theory import kt_excess

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

FLOOR = 2e-5  # nats: below this a logarithmic axis shows only rounding
NETWORK, BAYES, TABLE, MIXTURE, STOPPED, EXCESS = "C0", "C2", "C1", "C3", "C4", "C6"


def interval_of(data: ArmData, values: np.ndarray) -> tuple[float, float, float]:
    """Mean over replicates with its 95 % interval; nan where a member diverged."""
    if not np.isfinite(values).all():
        return float(np.nanmean(values)), float("nan"), float("nan")
    evidence = Mean(values, data.replicates)
    return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)


def rows_of(study: "OptimalContext", data: ArmData) -> list[dict[str, Any]]:
    """The numbers behind the curves: one row for each (D, l)."""
    rate = data.risk[:, -1:]
    rows = []
    for at, size in enumerate(data.arm.sizes):
        for length in data.arm.lengths:
            excess, low, high = interval_of(data, data.excess[at][:, length])
            above, above_low, above_high = interval_of(data, (data.loss[at] - rate)[:, length])
            rows.append(
                {
                    "arm": data.arm.name,
                    "dataset_size": size,
                    "context_length": length,
                    "bayes_risk": float(data.risk[:, length].mean()),
                    "bayes_risk_above_rate": float((data.risk - rate)[:, length].mean()),
                    "excess": excess,
                    "excess_lower": low,
                    "excess_upper": high,
                    "loss_above_rate": above,
                    "loss_above_rate_lower": above_low,
                    "loss_above_rate_upper": above_high,
                    "excess_fixed_budget": float(np.nanmean(data.by_estimand["fixed_budget"][0][at][:, length])),
                    "excess_oracle_stop": float(np.nanmean(data.by_estimand["oracle_stop"][0][at][:, length])),
                    "excess_endless_stream": float(data.endless[length]),
                    "table_excess": float(data.reference[at][:, length].mean()),
                    "table_excess_closed_form": float(kt_excess(length, data.arm.source.vocab_size, size)),
                    "bayes_mixture_excess": float(data.mixture[at][:, length].mean()),
                }
            )
    return rows
