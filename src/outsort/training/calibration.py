"""Probabilities that mean what they say: a line through the log-odds of answers to held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from outsort.labels import ANSWERS
from outsort.model import UNCALIBRATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outsort.numeric import Floats

#: Rows of each kind below which a line would follow chance, and none is drawn.
MIN_ROWS = 30


def calibrate(
    labels: NDArray[np.str_], log_odds: Floats, neither_log_odds: Floats, weights: Floats
) -> Floats:
    """Fit the calibration of a model to its uncalibrated answers to rows it was not trained on.

    Calibrated log-odds are intercept + slope * log-odds, with the two numbers that make the rows' labels
    likeliest (Platt, 1999): one line for KPO against BPO, one for NEITHER against the two.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER.
        log_odds: float64 (n_rows,), of KPO against BPO.
        neither_log_odds: float64 (n_rows,), of NEITHER against the two, or NaN.
        weights: float64 (n_rows,), how much each row counts.

    Returns:
        float64 (2, 2): intercept and slope for KPO against BPO, then for NEITHER. Too few rows, or rows
        in which a higher score does not mean a likelier label, leave a line as it is in `UNCALIBRATED`.
    """
    decided = np.isin(labels, ANSWERS)
    result = UNCALIBRATED.copy()
    for row, (rows, scores, targets) in enumerate(
        [
            (decided, log_odds, labels == ANSWERS[1]),
            (np.isfinite(neither_log_odds), neither_log_odds, ~decided),
        ]
    ):
        line = _line(scores[rows], targets[rows], weights[rows])
        if line is not None:
            result[row] = line
    return result


def _line(scores: Floats, targets: NDArray[np.bool_], weights: Floats) -> tuple[float, float] | None:
    used = weights > 0
    scores, targets, weights = scores[used], targets[used], weights[used]
    if min(targets.sum(), (~targets).sum()) < MIN_ROWS:
        return None
    # Next to no penalty: two numbers from many rows need none.
    regression = LogisticRegression(C=1e6).fit(scores[:, None], targets, weights / weights.mean())
    slope = float(regression.coef_[0, 0])
    return (float(regression.intercept_[0]), slope) if slope > 0 else None
