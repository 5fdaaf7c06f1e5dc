"""Calibration: a logistic curve (Platt scaling) fitted to the log-odds of held-out answers."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from outsort.labels import ANSWERS
from outsort.model import UNCALIBRATED
from outsort.numeric import Floats

#: With fewer rows of either class no curve is fitted: it would follow noise.
MIN_ROWS = 30


def calibrate(labels: NDArray[np.str_], log_odds: Floats, neither_log_odds: Floats, weights: Floats) -> Floats:
    """Fit the calibration of a model to its uncalibrated answers to held-out rows.

    Calibrated log-odds are intercept + slope * log-odds, fitted by maximum likelihood (Platt, 1999): one
    curve for KPO against BPO, one for NEITHER against both.

    Args:
        labels: (n_rows,) of BPO, KPO, NEITHER.
        log_odds: float64 (n_rows,), of KPO against BPO.
        neither_log_odds: float64 (n_rows,), of NEITHER against both, or NaN.
        weights: float64 (n_rows,), the weight of each row.

    Returns:
        float64 (2, 2): intercept and slope for KPO against BPO, then for NEITHER. A curve with too few rows,
        or with a slope that is not positive, stays as in `UNCALIBRATED`.
    """
    decided = np.isin(labels, ANSWERS)
    result = UNCALIBRATED.copy()
    for row, (rows, scores, targets) in enumerate(
        [(decided, log_odds, labels == ANSWERS[1]), (np.isfinite(neither_log_odds), neither_log_odds, ~decided)]
    ):
        curve = _fit_curve(scores[rows], targets[rows], weights[rows])
        if curve is not None:
            result[row] = curve
    return result


def _fit_curve(scores: Floats, targets: NDArray[np.bool_], weights: Floats) -> tuple[float, float] | None:
    used = weights > 0
    scores, targets, weights = scores[used], targets[used], weights[used]
    if min(targets.sum(), (~targets).sum()) < MIN_ROWS:
        return None
    # Almost no penalty: two parameters fitted to many rows need none.
    regression = LogisticRegression(C=1e6).fit(scores[:, None], targets, weights / weights.mean())
    slope = float(regression.coef_[0, 0])
    return (float(regression.intercept_[0]), slope) if slope > 0 else None
