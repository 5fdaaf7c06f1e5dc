"""Multinomial logistic regression, fitted by stochastic gradient descent.

With a hundred classes, training and cross-validation spend most of their time here. scikit-learn's solvers
take three times as long or more to come as close to the optimum: see models/notes.md. Importing this module
loads Numba.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from outsort._numba import njit
from outsort.numeric import Floats

if TYPE_CHECKING:
    import scipy.sparse


#: First step size of the bias: small, because every row has it and few rows have a given term (Bottou, 2012).
_FIRST_BIAS_STEP = 0.04


def fit_softmax(
    vectors: scipy.sparse.csr_matrix,
    targets: Sequence[str | None],
    *,
    C: float,  # noqa: N803
    passes: int,
    steps: int,
    seed: int,
) -> tuple[list[str], Floats, Floats]:
    """Fit weights W and bias b that approximately minimise C * sum of log losses + |W|^2 / 2.

    Each pass visits the rows in a new random order, and each row moves the weights against its gradient. The
    curvature of the loss of a row x is no more than |x|^2 / 2 (Boehning, 1992), so steps of up to 4 / |x|^2
    are safe. Step sizes start there, with the mean of |x|^2 and with the penalty capped at half of a weight,
    and fall linearly to 0, which ends as close to the optimum as averaging the weights would.

    Args:
        vectors: float32 (n_rows, n_terms).
        targets: the n_rows classes; None for a row that tells nothing, which is to get every class as often as it
            comes.
        C: inverse strength of the penalty; the bias has none.
        passes: minimum passes over the rows.
        steps: minimum rows visited in all: a small dataset gets more passes.
        seed: random seed of the order of rows.

    Returns:
        The n_classes classes, sorted; weights float64 (n_classes, n_terms); bias float64 (n_classes,).
        Class c has probability softmax(W x + b)[c].
    """
    of_row = np.asarray(targets, dtype=object)
    tells = of_row != None  # noqa: E711 - row by row
    classes, told = np.unique(of_row[tells].astype(str), return_inverse=True)
    n_rows = len(of_row)
    codes = np.full(n_rows, -1)
    codes[tells] = told
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(n_rows) for _ in range(max(passes, -(-steps // n_rows)))])
    mean_square = float(vectors.multiply(vectors).sum()) / n_rows
    penalty = 1 / (C * n_rows)
    weights = np.zeros((vectors.shape[1], len(classes)), np.float32)
    # The optimum if terms carried no information.
    shares = (np.bincount(told) / len(told)).astype(np.float32)
    bias = np.log(shares)
    _descend(
        vectors.indptr,
        vectors.indices,
        vectors.data,
        codes,
        order,
        4 / (mean_square + 8 * penalty),
        penalty,
        shares,
        weights,
        bias,
    )
    return [str(c) for c in classes], weights.T.astype(np.float64), bias.astype(np.float64)


@njit(nogil=True)
def _descend(  # type: ignore[no-untyped-def]
    indptr, indices, values, codes, order, first_step, penalty, shares, weights, bias
):
    """Move `weights` (n_terms, n_classes) and `bias` (n_classes,) along the rows of `order`."""
    n_classes = len(bias)
    gradient = np.empty(n_classes, np.float32)
    # The penalty shrinks all weights at every step: one factor does that lazily, until it is small.
    scale = 1.0
    for t, row in enumerate(order):
        left = 1 - t / len(order)
        step = first_step * left
        start, end = indptr[row], indptr[row + 1]
        gradient[:] = 0
        for k in range(start, end):
            value, of_term = values[k], weights[indices[k]]
            for c in range(n_classes):
                gradient[c] += value * of_term[c]
        for c in range(n_classes):
            gradient[c] = gradient[c] * np.float32(scale) + bias[c]
        _to_proba(gradient)
        if codes[row] >= 0:
            gradient[codes[row]] -= np.float32(1)
        else:
            gradient -= shares
        scale *= 1 - step * penalty
        for c in range(n_classes):
            bias[c] -= np.float32(_FIRST_BIAS_STEP * left) * gradient[c]
            gradient[c] *= np.float32(step / scale)
        for k in range(start, end):
            value, of_term = values[k], weights[indices[k]]
            for c in range(n_classes):
                of_term[c] -= value * gradient[c]
        if scale < 1e-3:
            weights *= np.float32(scale)
            scale = 1.0
    weights *= np.float32(scale)


@njit(inline="always")
def _to_proba(scores):  # type: ignore[no-untyped-def]
    """Turn scores (n_classes,) into probabilities, in place."""
    highest, total = scores.max(), np.float32(0)
    for c in range(len(scores)):
        scores[c] = np.exp(scores[c] - highest)
        total += scores[c]
    scores /= total
