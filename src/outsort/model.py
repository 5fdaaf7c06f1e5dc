"""The model: a few named arrays that turn text into probabilities."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort.buffers import checked
from outsort.errors import ModelError
from outsort.labels import ANSWERS, LABELS, NEITHER
from outsort.numeric import Floats, logsumexp, odds_to_proba

#: Intercepts and slopes that leave log-odds unchanged: of KPO against BPO, and of NEITHER against both.
UNCALIBRATED = np.array([[0.0, 1.0], [0.0, 1.0]])


class Vector(NamedTuple):
    """A text as the model sees it: tf-idf values of its known terms, with Euclidean norm 1.

    Attributes:
        ids: int64 (n_known,), indices in `Model.terms` of the text's distinct known terms.
        counts: float64 (n_known,), number of occurrences of each.
        values: float64 (n_known,), idf divided by its Euclidean norm: a term counts once, however often it
            occurs.
    """

    ids: NDArray[np.int64]
    counts: Floats
    values: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A multinomial logistic regression over service lines, which roll up to labels.

    A model trained without service lines uses the labels as lines. The weights are sparse, in CSR form: those
    of term t are ``weights[indptr[t]:indptr[t + 1]]``, in the columns ``indices[indptr[t]:indptr[t + 1]]``.
    There is a column for each of the n_lines lines, followed by the labels BPO, KPO and NEITHER, whose
    weights apply to each of their lines. All other weights are zero.

    Attributes:
        terms: the n_terms distinct terms the model knows.
        idf: float32 (n_terms,), inverse document frequency, scaled down for pieces of words, above 0.
        indptr: int32 (n_terms + 1,), non-decreasing from 0 to n_weights.
        indices: int16 (n_weights,), from 0 to n_lines + 2.
        weights: float32 (n_weights,).
        bias: float32 (n_lines,).
        lines: the n_lines distinct names of the service lines.
        line_labels: the label of each line: BPO, KPO or NEITHER; BPO and KPO must occur.
        calibration: float64 (2, 2), intercept and positive slope that calibrate the log-odds of KPO against
            BPO, and of NEITHER against both.
        threshold: least confidence of an accepted answer, 0.5 to 1, as certified on held-out rows; NaN if
            none was certified.
        seen: uint32 (n_seen,), ascending hashes of the training texts: see `identity.hashes_of`.
        about: where the model came from, in plain dicts, strings and numbers: data, settings, versions and
            scores.

    Raises:
        ModelError: the arrays are inconsistent.
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
            _require(bool(np.isfinite(array).all()), f"{name} contains a number that is not finite")
        _require(n_terms > 0, "it has no terms")
        _require(len(self.vocabulary) == n_terms, "a term occurs twice")
        _require(len(self.idf) == n_terms and bool((self.idf > 0).all()), "idf does not match terms")
        _require(
            len(self.indptr) == n_terms + 1
            and self.indptr[0] == 0
            and self.indptr[-1] == n_weights
            and bool((np.diff(self.indptr) >= 0).all()),
            "indptr does not match terms and weights",
        )
        _require(
            len(self.indices) == n_weights
            and bool(((self.indices >= 0) & (self.indices < n_lines + len(LABELS))).all()),
            "indices do not match weights and lines",
        )
        _require(len(self.bias) == n_lines, "bias does not match lines")
        _require(len(set(self.lines)) == n_lines, "a service line occurs twice")
        _require(
            len(self.line_labels) == n_lines and set(ANSWERS) <= set(self.line_labels) <= set(LABELS),
            "the labels of its lines are not BPO, KPO and optionally NEITHER",
        )
        _require(
            isinstance(self.calibration, np.ndarray)
            and self.calibration.dtype == np.float64
            and self.calibration.shape == (2, 2)
            and bool(np.isfinite(self.calibration).all() and (self.calibration[:, 1] > 0).all()),
            "its calibration is not two intercepts and two positive slopes",
        )
        _require(
            isinstance(self.threshold, float) and (bool(np.isnan(self.threshold)) or 0.5 <= self.threshold <= 1),
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
        """Whether the model has service lines, not only labels."""
        return list(self.lines) != list(self.line_labels)

    @property
    def knows_neither(self) -> bool:
        """Whether the training data had rows labelled NEITHER."""
        return NEITHER in self.line_labels

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The index of each term in `terms`."""
        return dict(zip(self.terms, range(len(self.terms)), strict=True))

    @cached_property
    def label_columns(self) -> NDArray[np.intp]:
        """The weight column of each line's label: intp (n_lines,)."""
        return len(self.lines) + np.array([LABELS.index(label) for label in self.line_labels])

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of a SHA-256 of everything that its answers depend on."""
        digest = hashlib.sha256("\n".join([*self.terms, *self.lines, *self.line_labels]).encode())
        for array in (self.idf, self.indptr, self.indices, self.weights, self.bias, self.calibration):
            digest.update(np.ascontiguousarray(array).data)
        digest.update(np.float64(self.threshold).tobytes())
        return digest.hexdigest()[:12]

    def lines_of(self, label: str) -> NDArray[np.intp]:
        """Return the indices of the lines that roll up to `label`: intp (n_lines_of_label,)."""
        return np.flatnonzero(np.array(self.line_labels) == label)

    def vectorize(self, text: str) -> Vector:
        """Return the tf-idf vector of one text; empty if no term is known."""
        # Counting indices rather than terms bounds memory by the vocabulary, however large the text.
        counted = Counter(map(self.vocabulary.get, text_module.terms(text)))
        counted.pop(None, None)
        ids = np.fromiter(counted.keys(), dtype=np.int64, count=len(counted))
        counts = np.fromiter(counted.values(), dtype=np.float64, count=len(counted))
        values = self.idf[ids].astype(np.float64)
        return Vector(ids, counts, values / (np.linalg.norm(values) or 1.0))

    def term_weights(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the weights of some terms.

        Args:
            ids: int64 (n,), indices in `terms`.

        Returns:
            int64 (n_found,), indices in `weights` and `indices`, term by term; and int64 (n_found,), the
            index in `ids` of the term that each belongs to.
        """
        starts = self.indptr[ids].astype(np.int64)
        lengths = self.indptr[ids + 1] - starts
        owner = np.repeat(np.arange(len(ids)), lengths)
        before = np.cumsum(lengths) - lengths
        return np.arange(len(owner)) + (starts - before)[owner], owner

    def line_scores(self, texts: Iterable[str]) -> Floats:
        """Return the score of every service line: float64 (n_texts, n_lines), up to a constant per row."""
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
            TypeError: `texts` is one string, or contains something that is not a string.
        """
        return odds_to_proba(self.decision_function(texts))

    def predict(self, texts: Iterable[str]) -> NDArray[np.str_]:
        """Return the more probable of BPO and KPO for each text: str (n_texts,); a tie is BPO."""
        return self.classes_[(self.decision_function(texts) > 0).astype(np.intp)]

    def neither_proba(self, texts: Iterable[str]) -> Floats:
        """Return the probability that the work is neither: float64 (n_texts,).

        All NaN if the model was trained without rows labelled NEITHER.
        """
        return self.neither(self.line_scores(texts))

    def log_odds(self, scores: Floats) -> Floats:
        """Roll line scores (n_texts, n_lines) up to the log-odds of KPO against BPO (n_texts,)."""
        bpo, kpo = (logsumexp(scores[:, self.lines_of(label)]) for label in ANSWERS)
        return self.calibrated(kpo - bpo, of_neither=False)

    def neither_log_odds(self, scores: Floats) -> Floats:
        """Roll line scores (n_texts, n_lines) up to the log-odds of NEITHER against both (n_texts,).

        All NaN if the model was trained without rows labelled NEITHER.
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
        """Calibrate log-odds (n_texts,): of NEITHER against both, or of KPO against BPO."""
        intercept, slope = self.calibration[int(of_neither)]
        result: Floats = intercept + slope * log_odds
        return result


def _require(condition: bool, complaint: str) -> None:  # noqa: FBT001
    if not condition:
        raise ModelError(f"not a usable model: {complaint}.")
