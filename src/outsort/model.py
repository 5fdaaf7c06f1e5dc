"""The model: a handful of named arrays that turn text into probabilities."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from outsort import text as text_module
from outsort.buffers import checked
from outsort.errors import ModelError
from outsort.labels import ANSWERS, LABELS, NEITHER
from outsort.numeric import logsumexp, odds_to_proba

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from outsort.numeric import Floats

#: Intercept and slope of log-odds that are left as they are: KPO against BPO, NEITHER against the two.
UNCALIBRATED = np.array([[0.0, 1.0], [0.0, 1.0]])


class Vector(NamedTuple):
    """A text as the model sees it: tf-idf values of its known terms, of Euclidean length 1.

    Attributes:
        ids: int64 (n_known,), the places of the text's distinct known terms in `Model.terms`.
        counts: float64 (n_known,), how often each occurs.
        values: float64 (n_known,), idf divided by its Euclidean length: a term counts once, however often
            it occurs.
    """

    ids: NDArray[np.int64]
    counts: Floats
    values: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A multinomial logistic regression over service lines that rolls up to labels.

    A model trained without service lines has its labels as lines. The weights are held sparse, term
    by term: those of term t are ``weights[indptr[t]:indptr[t + 1]]`` and belong to the columns
    ``indices[indptr[t]:indptr[t + 1]]``: the n_lines lines, and behind them the labels BPO, KPO and
    NEITHER, whose weights count for each of their lines. All that is not held is zero.

    Attributes:
        terms: the n_terms terms the model knows, without repeats.
        idf: float32 (n_terms,), inverse document frequency, less for pieces of words, above 0.
        indptr: int32 (n_terms + 1,), ascending from 0 to n_weights.
        indices: int16 (n_weights,), from 0 to n_lines + 2.
        weights: float32 (n_weights,).
        bias: float32 (n_lines,).
        lines: the n_lines names of the service lines, without repeats.
        line_labels: n_lines labels, one for each line: BPO, KPO or NEITHER; BPO and KPO occur.
        calibration: float64 (2, 2), intercept and slope, above 0, that turn log-odds into calibrated ones:
            of KPO against BPO, and of NEITHER against the two.
        threshold: confidence from which an answer is accepted, 0.5 to 1, as certified on held-out rows;
            NaN where the data certified none.
        seen: uint32 (n_seen,), ascending, the hashes of the training texts: see `dataset.hashes_of`.
        about: plain dicts, strings and numbers: the data, settings, versions and scores that the
            model came from.

    Raises:
        ModelError: the arrays do not fit each other.
    """

    terms: Sequence[str]
    idf: NDArray[np.float32]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int16]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    lines: Sequence[str]
    line_labels: Sequence[str]
    calibration: Floats = field(default_factory=UNCALIBRATED.copy)
    threshold: float = float("nan")
    seen: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_terms, n_lines, n_weights = len(self.terms), len(self.lines), len(self.weights)
        dtypes = {
            "idf": np.float32,
            "indptr": np.int32,
            "indices": np.int16,
            "weights": np.float32,
            "bias": np.float32,
            "seen": np.uint32,
        }
        for name, dtype in dtypes.items():
            array = getattr(self, name)
            _require(
                isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype == dtype,
                f"{name} is not a one-dimensional array of {np.dtype(dtype)}",
            )
            _require(bool(np.isfinite(array).all()), f"{name} holds a number that is not finite")
        _require(n_terms > 0, "it knows no term")
        _require(len(self.vocabulary) == n_terms, "a term occurs twice")
        _require(len(self.idf) == n_terms and bool((self.idf > 0).all()), "idf does not fit terms")
        _require(
            len(self.indptr) == n_terms + 1
            and self.indptr[0] == 0
            and self.indptr[-1] == n_weights
            and bool((np.diff(self.indptr) >= 0).all()),
            "indptr does not fit terms and weights",
        )
        _require(
            len(self.indices) == n_weights
            and bool(((self.indices >= 0) & (self.indices < n_lines + len(LABELS))).all()),
            "indices do not fit weights and lines",
        )
        _require(len(self.bias) == n_lines, "bias does not fit lines")
        _require(len(set(self.lines)) == n_lines, "a service line occurs twice")
        _require(
            len(self.line_labels) == n_lines and set(ANSWERS) <= set(self.line_labels) <= set(LABELS),
            "the labels of its lines are not BPO, KPO and perhaps NEITHER",
        )
        _require(
            isinstance(self.calibration, np.ndarray)
            and self.calibration.dtype == np.float64
            and self.calibration.shape == (2, 2)
            and bool(np.isfinite(self.calibration).all() and (self.calibration[:, 1] > 0).all()),
            "its calibration is not two intercepts and two slopes above 0",
        )
        _require(
            isinstance(self.threshold, float)
            and (bool(np.isnan(self.threshold)) or 0.5 <= self.threshold <= 1),
            "its threshold is not between 0.5 and 1",
        )

    def __repr__(self) -> str:
        lines = f"{len(self.lines)} service lines, " if self.has_lines else ""
        return (
            f"Model({lines}{len(set(self.line_labels))} labels, {len(self.terms):,} terms, "
            f"fingerprint {self.fingerprint!r})"
        )

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The labels in the order of the columns of `predict_proba`: BPO, KPO."""
        return np.array(ANSWERS)

    @property
    def has_lines(self) -> bool:
        """Whether the model knows service lines, or labels only."""
        return list(self.lines) != list(self.line_labels)

    @property
    def knows_neither(self) -> bool:
        """Whether rows labelled NEITHER were in the training data."""
        return NEITHER in self.line_labels

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The place of each term in `terms`."""
        return dict(zip(self.terms, range(len(self.terms)), strict=True))

    @cached_property
    def label_columns(self) -> NDArray[np.intp]:
        """The column of each line's label: intp (n_lines,)."""
        return len(self.lines) + np.array([LABELS.index(label) for label in self.line_labels])

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all that its answers follow from."""
        digest = hashlib.sha256("\n".join([*self.terms, *self.lines, *self.line_labels]).encode())
        for array in (self.idf, self.indptr, self.indices, self.weights, self.bias, self.calibration):
            digest.update(np.ascontiguousarray(array).data)
        digest.update(np.float64(self.threshold).tobytes())
        return digest.hexdigest()[:12]

    def lines_of(self, label: str) -> NDArray[np.intp]:
        """Return the places of the lines that roll up to `label`: intp (n_lines_of_label,)."""
        return np.flatnonzero(np.array(self.line_labels) == label)

    def vectorize(self, text: str) -> Vector:
        """Return the tf-idf vector of one text; of length 0 where no term is known."""
        # Counting places rather than terms keeps memory bounded by the vocabulary on a huge text.
        counted = Counter(map(self.vocabulary.get, text_module.terms(text)))
        counted.pop(None, None)
        ids = np.fromiter(counted.keys(), dtype=np.int64, count=len(counted))
        counts = np.fromiter(counted.values(), dtype=np.float64, count=len(counted))
        values = self.idf[ids].astype(np.float64)
        return Vector(ids, counts, values / (np.linalg.norm(values) or 1.0))

    def term_weights(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the weights of some terms stand.

        Args:
            ids: int64 (n,), places in `terms`.

        Returns:
            int64 (n_found,) places in `weights` and `indices`, term by term, and int64 (n_found,)
            the place in `ids` of the term that each belongs to.
        """
        starts = self.indptr[ids].astype(np.int64)
        lengths = self.indptr[ids + 1] - starts
        owner = np.repeat(np.arange(len(ids)), lengths)
        before = np.cumsum(lengths) - lengths
        return np.arange(len(owner)) + (starts - before)[owner], owner

    def line_scores(self, texts: Iterable[str]) -> Floats:
        """Return the score of every service line: float64 (n_texts, n_lines), up to a shift a row."""
        rows = [self.vector_scores(self.vectorize(text)) for text in checked(texts)]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.lines))

    def vector_scores(self, vector: Vector) -> Floats:
        """Return the score of every service line for one vector: float64 (n_lines,)."""
        places, owner = self.term_weights(vector.ids)
        products = self.weights[places] * vector.values[owner]
        sums = np.bincount(self.indices[places], weights=products, minlength=len(self.lines) + len(LABELS))
        return self.bias.astype(np.float64) + sums[: len(self.lines)] + sums[self.label_columns]

    def line_proba(self, texts: Iterable[str]) -> Floats:
        """Return the probability of every service line: float64 (n_texts, n_lines), rows sum to 1."""
        scores = self.line_scores(texts)
        return np.exp(scores - logsumexp(scores)[:, None])

    def decision_function(self, texts: Iterable[str]) -> Floats:
        """Return the log-odds of KPO against BPO: float64 (n_texts,), above 0 for KPO."""
        return self.log_odds(self.line_scores(texts))

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Return the probabilities of BPO and KPO, given that the work is one of the two.

        Args:
            texts: n_texts strings.

        Returns:
            float64 (n_texts, 2), columns as in `classes_`, rows sum to 1.

        Raises:
            TypeError: `texts` is one string, or holds something that is no string.
        """
        return odds_to_proba(self.decision_function(texts))

    def predict(self, texts: Iterable[str]) -> NDArray[np.str_]:
        """Return the better of BPO and KPO for each text: str (n_texts,); a tie is BPO."""
        return self.classes_[(self.decision_function(texts) > 0).astype(np.intp)]

    def neither_proba(self, texts: Iterable[str]) -> Floats:
        """Return the probability that the work is neither: float64 (n_texts,).

        NaN throughout for a model that was trained without rows labelled NEITHER.
        """
        return self.neither(self.line_scores(texts))

    def log_odds(self, scores: Floats) -> Floats:
        """Roll line scores (n_texts, n_lines) up to the log-odds of KPO against BPO (n_texts,)."""
        bpo, kpo = (logsumexp(scores[:, self.lines_of(label)]) for label in ANSWERS)
        return self.calibrated(kpo - bpo, of_neither=False)

    def neither_log_odds(self, scores: Floats) -> Floats:
        """Roll line scores (n_texts, n_lines) up to the log-odds of NEITHER against the two (n_texts,).

        NaN throughout for a model that was trained without rows labelled NEITHER.
        """
        if not self.knows_neither:
            return np.full(len(scores), np.nan)
        is_neither = np.array(self.line_labels) == NEITHER
        log_odds = logsumexp(scores[:, is_neither]) - logsumexp(scores[:, ~is_neither])
        return self.calibrated(log_odds, of_neither=True)

    def neither(self, scores: Floats) -> Floats:
        """Roll line scores (n_texts, n_lines) up to the probability of NEITHER (n_texts,)."""
        return odds_to_proba(self.neither_log_odds(scores))[:, 1]

    def calibrated(self, log_odds: Floats, *, of_neither: bool) -> Floats:
        """Calibrate log-odds (n_texts,): of NEITHER against the two, or of KPO against BPO."""
        intercept, slope = self.calibration[int(of_neither)]
        result: Floats = intercept + slope * log_odds
        return result


def _require(condition: bool, complaint: str) -> None:  # noqa: FBT001
    if not condition:
        raise ModelError(f"not a usable model: {complaint}.")
