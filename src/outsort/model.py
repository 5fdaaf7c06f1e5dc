"""The model: a few named arrays that turn text into probabilities."""

import hashlib
import json
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
from outsort.labels import in_order
from outsort.language import FUNCTION_WORDS
from outsort.mixture import Mixture, mixture
from outsort.numeric import Floats, log_logistic, logsumexp

#: The bias and decay of clause weights of a model that learnt none: about 1 / rank.
POSITION = np.array([-4.0, 1.0])
#: A clause counts no less than the logistic function of minus this.
MAX_LOGIT = 500.0
#: A clause that says the work with less than this probability is boilerplate.
WORK_LEVEL = 0.5
#: Clauses on either side that a clause is judged with.
N_NEIGHBOURS = 2
#: Clauses that disagree as much make a text mixed, where no held-out rows say otherwise.
MIXED = 0.25
#: Where `Model.about` keeps what is certified of categories: by the taxonomy's fingerprint, then by the axis.
CERTIFIED = "categories"
#: A word is common in the rows with less than this share of the idf of the rarest.
_COMMON_IDF = 0.6


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


class Reading(NamedTuple):
    """A text as the model reads it, clause by clause.

    Attributes:
        spans: start and end of each of the n_clauses clauses, in characters of the text.
        vectors: the vector of each.
        shares: float64 (n_clauses,), how much each counts, adding up to 1.
        says: float64 (n_clauses,), the log-odds that each says the work, whatever its place.
        scores: float64 (n_clauses, n_lines), the scores of its service lines.
        of_labels: float64 (n_clauses, n_labels), the same rolled up to the labels.
    """

    spans: list[tuple[int, int]]
    vectors: list[Vector]
    shares: Floats
    says: Floats
    scores: Floats
    of_labels: Floats


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A multinomial logistic regression over service lines, which roll up to labels.

    A model trained without service lines uses the labels as lines. The weights are sparse, in CSR form: those
    of term t are ``weights[indptr[t]:indptr[t + 1]]``, in the columns ``indices[indptr[t]:indptr[t + 1]]``.
    There is a column for each of the n_lines lines; then one for each of the n_labels labels, whose weights
    apply to each of their lines; then one for how much a clause says about the work. All other weights are
    zero.

    A text is read by its clauses (`outsort.text.clauses`). A clause of rank r, from 1, that says w counts
    sigmoid(bias + w - decay * log(r)), divided by the sum over the text. Label scores of the clauses after the
    first are lowered by `later`; the scores of a text are the weighted sums.

    Attributes:
        terms: the n_terms distinct terms the model knows.
        idf: float32 (n_terms,), inverse document frequency, scaled down for pieces of words, above 0.
        indptr: int32 (n_terms + 1,), non-decreasing from 0 to n_weights.
        indices: int16 (n_weights,), from 0 to n_lines + n_labels.
        weights: float32 (n_weights,).
        bias: float32 (n_lines,).
        lines: the n_lines distinct names of the service lines.
        line_labels: the label of each line; there are two labels or more.
        out_of_scope: the label for what is out of scope; "" if no label has that role.
        position: float64 (2,), bias and decay of the weights of clauses; the decay is 0 or above.
        later: float64 (n_labels,), what the scores of later clauses are too high by.
        calibration: float64 (n_labels, 2), intercept and positive slope of each label's scores; those of
            `out_of_scope` apply to its log-odds against all others.
        prior: float64 (n_labels,), how often each label came in the rows that the calibration was fitted to, adding up
            to 1.
        threshold: least confidence of an accepted answer, 0 to 1, as certified on held-out rows; NaN if
            none was certified.
        mixed: least `Mixture.disagreement` of a text that is called mixed, 0 to 1.
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
    out_of_scope: str = ""
    position: Floats = field(default_factory=POSITION.copy)
    later: Floats = field(default_factory=lambda: np.empty(0))
    calibration: Floats = field(default_factory=lambda: np.empty((0, 2)))
    prior: Floats = field(default_factory=lambda: np.empty(0))
    threshold: float = float("nan")
    mixed: float = MIXED
    seen: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_terms, n_lines, n_weights, n_labels = len(self.terms), len(self.lines), len(self.weights), len(self.labels)
        if not len(self.later):
            object.__setattr__(self, "later", np.zeros(n_labels))
        if not len(self.calibration):
            object.__setattr__(self, "calibration", uncalibrated(n_labels))
        if not len(self.prior):
            object.__setattr__(self, "prior", np.full(n_labels, 1 / n_labels))
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
            len(self.indices) == n_weights and bool(((self.indices >= 0) & (self.indices <= n_lines + n_labels)).all()),
            "indices do not match weights and lines",
        )
        _require(len(self.bias) == n_lines, "bias does not match lines")
        _require(len(set(self.lines)) == n_lines, "a service line occurs twice")
        _require(len(self.line_labels) == n_lines and n_labels > 1, "its lines do not have two labels or more")
        _require(self.out_of_scope in (*self.labels, ""), "the label for what is out of scope has no line")
        for name, shape in (
            ("position", (2,)),
            ("later", (n_labels,)),
            ("calibration", (n_labels, 2)),
            ("prior", (n_labels,)),
        ):
            array = getattr(self, name)
            _require(
                isinstance(array, np.ndarray)
                and array.dtype == np.float64
                and array.shape == shape
                and bool(np.isfinite(array).all()),
                f"its {name} is not {' by '.join(map(str, shape))} numbers",
            )
        _require(self.position[1] >= 0, "its later clauses count more than the first")
        _require(bool((self.calibration[:, 1] > 0).all()), "a slope of its calibration is not positive")
        _require(
            bool((self.prior > 0).all()) and bool(np.isclose(self.prior.sum(), 1)),
            "its prior is not shares of the labels",
        )
        _require(isinstance(self.mixed, float) and 0 <= self.mixed <= 1, "its level of mixed is not between 0 and 1")
        _require(
            isinstance(self.threshold, float) and (bool(np.isnan(self.threshold)) or 0 <= self.threshold <= 1),
            "its threshold is not between 0 and 1",
        )

    def __repr__(self) -> str:
        lines = f"{len(self.lines)} service lines, " if self.has_lines else ""
        return f"Model({lines}{len(self.labels)} labels, {len(self.terms):,} terms, fingerprint {self.fingerprint!r})"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The n_labels labels: sorted, with the one for what is out of scope last."""
        return in_order(self.line_labels, self.out_of_scope)

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The labels in the order of the columns of `predict_proba`."""
        return np.array(self.labels)

    @property
    def n_in_scope(self) -> int:
        """The number of labels but `out_of_scope`."""
        return len(self.labels) - bool(self.out_of_scope)

    @property
    def has_lines(self) -> bool:
        """Whether the model has service lines, not only labels."""
        return list(self.lines) != list(self.line_labels)

    @property
    def is_certified(self) -> bool:
        """Whether rows or a sample certified the threshold."""
        return not np.isnan(self.threshold)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The index of each term in `terms`."""
        return dict(zip(self.terms, range(len(self.terms)), strict=True))

    @cached_property
    def own_function_words(self) -> frozenset[str]:
        """Those of `language.FUNCTION_WORDS` that are common in the rows: by their idf, beside that of a rare word."""
        limit = _COMMON_IDF * self.idf.max()
        found = {word: self.vocabulary.get(word) for word in FUNCTION_WORDS}
        return frozenset(word for word, place in found.items() if place is not None and self.idf[place] < limit)

    @cached_property
    def label_columns(self) -> NDArray[np.intp]:
        """The weight column of each line's label: intp (n_lines,)."""
        return len(self.lines) + self._codes

    @cached_property
    def _codes(self) -> NDArray[np.intp]:
        return np.array([self.labels.index(label) for label in self.line_labels])

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 hexadecimal digits of a SHA-256 of everything that its answers depend on."""
        digest = hashlib.sha256("\n".join([*self.terms, *self.lines, *self.line_labels, self.out_of_scope]).encode())
        for name in ("idf", "indptr", "indices", "weights", "bias", "position", "later", "calibration", "prior"):
            array = getattr(self, name)
            digest.update(np.ascontiguousarray(array).data)
        digest.update(np.array([self.threshold, self.mixed]).tobytes())
        if CERTIFIED in self.about:
            digest.update(json.dumps(self.about[CERTIFIED], sort_keys=True).encode())
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

    def read(self, text: str) -> Reading:
        """Read a text by its clauses; a text without words is one clause."""
        found = text_module.clauses(text)
        spans = [span for span in found if text_module.words(text[slice(*span)])] or [(0, len(text))]
        vectors = [self.vectorize(text[start:end]) for start, end in spans]
        sums = np.array([self._sums(vector) for vector in vectors])
        n_lines = len(self.lines)
        scores = self.bias.astype(np.float64) + sums[:, :n_lines] + sums[:, self.label_columns]
        says = self.position[0] + sums[:, -1]
        shares = clause_shares(sums[:, -1], self.position)
        return Reading(spans, vectors, shares, says, scores, self.roll_up(scores))

    @cached_property
    def weighs_clauses(self) -> bool:
        """Whether the model learnt from marked clauses which words say the work."""
        return bool((self.indices == len(self.lines) + len(self.labels)).any())

    def _sums(self, vector: Vector) -> Floats:
        """Return the weighted sum of a clause's terms in each column: float64 (n_lines + n_labels + 1,)."""
        places, owner = self.term_weights(vector.ids)
        products = self.weights[places] * vector.values[owner]
        n_columns = len(self.lines) + len(self.labels) + 1
        return np.asarray(np.bincount(self.indices[places], weights=products, minlength=n_columns))

    def label_scores(self, reading: Reading) -> Floats:
        """Roll a text up to the scores of the labels: float64 (n_labels,), up to a constant."""
        of_clauses = reading.of_labels.copy()
        of_clauses[1:] -= self.later
        return np.asarray(reading.shares @ of_clauses)

    def best_line(self, reading: Reading, answer: int) -> str:
        """Return the most probable service line of a text among those of a label, given by its index."""
        lines = self.lines_of(self.labels[answer])
        return str(self.lines[lines[(reading.shares @ reading.scores[:, lines]).argmax()]])

    def line_proba(self, proba: Floats, line_scores: Floats | NDArray[np.float32]) -> Floats:
        """Return the probability of each line: float64 (n, n_lines); those of a label add up to that of the label.

        Args:
            proba: float64 (n, n_labels), the probabilities of the labels.
            line_scores: (n, n_lines), the scores of the lines, weighted over the clauses of each text.
        """
        result = np.empty(line_scores.shape)
        for i, label in enumerate(self.labels):
            scores = line_scores[:, self.lines_of(label)].astype(np.float64)
            result[:, self.lines_of(label)] = proba[:, i, None] * np.exp(scores - logsumexp(scores)[:, None])
        return result

    def roll_up(self, scores: Floats) -> Floats:
        """Return the score of each label for each clause: (n_clauses, n_lines) to (n_clauses, n_labels)."""
        return np.stack([logsumexp(scores[:, self.lines_of(label)]) for label in self.labels], axis=1)

    def mixture(self, text: str, reading: Reading) -> Mixture:
        """Return what a text is made of, as it was read."""
        n_words = np.array([len(text_module.worded(text[start:end])) for start, end in reading.spans], np.float64)
        proba = np.exp(self.log_proba(reading.of_labels))
        says = np.exp(log_logistic(np.maximum(reading.says, -MAX_LOGIT)))
        return mixture(proba, says, n_words, self.prior, self.n_in_scope)

    def log_proba(self, label_scores: Floats) -> Floats:
        """Return calibrated log-probabilities: float64 (n, n_labels) for label scores (n, n_labels)."""
        return log_proba(label_scores, self.calibration, self.n_in_scope)

    def predict_log_proba(self, texts: Iterable[str]) -> Floats:
        """Return the logarithm of `predict_proba`; its differences are the log-odds between two labels."""
        rows = [self.label_scores(self.read(text)) for text in checked(texts)]
        return self.log_proba(np.array(rows, dtype=np.float64).reshape(len(rows), len(self.labels)))

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Return the probability of each label.

        Args:
            texts: n_texts strings.

        Returns:
            float64 (n_texts, n_labels), columns as in `classes_`, rows sum to 1.

        Raises:
            TypeError: `texts` is one string, or contains something that is not a string.
        """
        return np.exp(self.predict_log_proba(texts))

    def predict(self, texts: Iterable[str]) -> NDArray[np.str_]:
        """Return the most probable label of each text: str (n_texts,); the first of a tie."""
        return np.asarray(self.classes_[self.predict_log_proba(texts).argmax(axis=1)])


def clause_weights(model: Model, says: Floats, sections: NDArray[np.intp]) -> Floats:
    """Return the weight of each of n clauses: float64 (n,), the probability that it says the work, or 0.

    It is 0 below `WORK_LEVEL`. Clauses of boilerplate stand together, so a clause is judged with its neighbours. Of a
    model that learnt no clauses all weights are 1.

    Args:
        model: the model.
        says: float64 (n,), the log-odds that each says the work, as `BatchAnswers` has them.
        sections: intp (n,), the section of each clause, ascending; neighbours are of the same one.
    """
    if not model.weighs_clauses:
        return np.ones(len(says))
    weights = np.exp(log_logistic(_in_context(says, sections)))
    return np.where(weights < WORK_LEVEL, 0.0, weights)


def _in_context(says: Floats, sections: NDArray[np.intp]) -> Floats:
    """Return a third of each log-odds and two thirds of the mean over the clause and two neighbours on either side.

    >>> _in_context(np.array([9.0, 0.0, 0.0, 0.0, 6.0]), np.array([0, 0, 0, 0, 1])).tolist()
    [5.0, 1.5, 1.5, 0.0, 6.0]
    """
    places = np.arange(len(says))
    first = np.maximum(places - N_NEIGHBOURS, np.searchsorted(sections, sections))
    stop = np.minimum(places + N_NEIGHBOURS + 1, np.searchsorted(sections, sections, side="right"))
    sums = np.concatenate([[0.0], np.cumsum(says)])
    return np.asarray((says + 2 * (sums[stop] - sums[first]) / (stop - first)) / 3)


def log_proba(label_scores: Floats, calibration: Floats, n_in_scope: int) -> Floats:
    """Return calibrated log-probabilities of the labels: float64 (n, n_labels).

    Of the labels in scope, given that one of them is right, the softmax of intercept + slope * score. Of the
    label out of scope, the logistic function of intercept + slope * log-odds against all others.

    Args:
        label_scores: float64 (n, n_labels).
        calibration: float64 (n_labels, 2), intercepts and slopes.
        n_in_scope: the number of labels but the one out of scope, which is last.
    """
    scores, intercepts, slopes = label_scores[:, :n_in_scope], *calibration[:n_in_scope].T
    calibrated = intercepts + slopes * scores
    within = calibrated - logsumexp(calibrated)[:, None]
    if n_in_scope == label_scores.shape[1]:
        return np.asarray(within)
    intercept, slope = calibration[n_in_scope]
    out = intercept + slope * (label_scores[:, n_in_scope] - logsumexp(scores))
    return np.hstack([within + log_logistic(-out)[:, None], log_logistic(out)[:, None]])


def uncalibrated(n_labels: int) -> Floats:
    """Return the calibration that leaves probabilities as they are: float64 (n_labels, 2)."""
    return np.tile([0.0, 1.0], (n_labels, 1))


def clause_shares(says: Floats, position: Floats) -> Floats:
    """Return how much each clause of a text counts, adding up to 1: float64 (n_clauses,).

    Args:
        says: float64 (n_clauses,), how much each says about the work, in log-odds.
        position: float64 (2,), as in `Model`.

    >>> clause_shares(np.zeros(3), np.array([-20.0, 1.0])).round(3).tolist()
    [0.545, 0.273, 0.182]
    """
    logits = position[0] + says - position[1] * np.log(np.arange(1, len(says) + 1))
    weights = np.exp(log_logistic(np.maximum(logits, -MAX_LOGIT)))
    return np.asarray(weights / weights.sum())


def _require(condition: bool, complaint: str) -> None:  # noqa: FBT001
    if not condition:
        raise ModelError(f"not a usable model: {complaint}.")
