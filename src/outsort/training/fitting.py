"""Fit a model: terms, logistic regressions and naive Bayes, summed in one matrix of weights."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import normalize

from outsort import text as text_module
from outsort.data.dataset import Dataset
from outsort.data.identity import key_of
from outsort.data.marks import Marks, says_the_work
from outsort.errors import DataError
from outsort.labels import in_order
from outsort.model import POSITION, Model, clause_shares
from outsort.numeric import Floats
from outsort.training.softmax import fit_softmax

#: Smoothing of naive Bayes: most terms are rare, and adding 1 would drown them.
BAYES_SMOOTHING = 0.1
#: Fewest marked clauses, of those that say the work and of those that do not, to learn from.
MIN_MARKED = 30
#: Inverse strength of the penalty of the regression on marked clauses.
CLAUSE_C = 5.0
#: Weights are multiples of one over this: few different values, which a file packs well, and half precision holds them.
_PARTS = 64
#: The least that some settings may be.
_LEAST = {"passes": 1, "steps": 0, "min_texts": 1, "prune": 0, "ratio_power": 0, "bayes_share": 0}


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of training.

    Attributes:
        C: inverse strength of the L2 penalty of the logistic regression.
        passes: minimum passes of the solver over the rows.
        steps: minimum rows visited by the solver in all: a small dataset gets more passes.
        min_texts: terms in fewer texts are dropped; None for 2, or 3 from 10,000 texts.
        prune: centred weights below this are dropped, and the others rounded to 64ths; 0 keeps all
            weights exact.
        piece_share: weight of a piece of a word, relative to a word or pair of the same idf: a word has many
            pieces, which together would outweigh it.
        ratio_power: in the model of the labels, terms are scaled by their `log_count_ratios` to this power;
            0 for no scaling.
        bayes_share: weight of naive Bayes added to each logistic regression: see `fit`.
        later: log-odds by which clauses after the first are known to lean to some labels, by label; learnt from
            the rows if empty.
        seed: random seed of the solver and the folds.

    Raises:
        ValueError: a number is out of range.
    """

    C: float = 5.0
    passes: int = 8
    steps: int = 20_000
    min_texts: int | None = None
    prune: float = 0.3
    piece_share: float = 0.5
    ratio_power: float = 1.0
    bayes_share: float = 0.75
    later: dict[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("C", "piece_share"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: choose a number above 0")
        for name, least in _LEAST.items():
            if not (getattr(self, name) is None or getattr(self, name) >= least):
                raise ValueError(f"{name} is {getattr(self, name)}: choose {least} or more")


@dataclass(frozen=True)
class Counted:
    """Labelled texts, as counts of their terms.

    Attributes:
        terms: object (n_terms,), sorted.
        counts: int64 (n_texts, n_terms) of 0 and 1, which text has which term.
        clauses: int64 (n_clauses, n_terms) likewise, which clause has which term.
        owner: intp (n_clauses,), the text of each clause, ascending.
        says_the_work: int8 (n_clauses,), 0 or 1; -1 where the clauses are not marked.
        lines: the n_texts service lines; the labels if there are no lines.
        line_labels: the label of each line.
        unclear: int64 (n_unclear, n_terms) likewise, which text that says too little has which term.
        out_of_scope: the label for what is out of scope, or "".
    """

    terms: NDArray[np.str_]
    counts: scipy.sparse.csr_matrix
    clauses: scipy.sparse.csr_matrix
    owner: NDArray[np.intp]
    says_the_work: NDArray[np.int8]
    lines: Sequence[str]
    line_labels: Mapping[str, str]
    unclear: scipy.sparse.csr_matrix
    out_of_scope: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of a model's."""
        return in_order(self.line_labels.values(), self.out_of_scope)

    def part(self, rows: NDArray[np.intp]) -> "Counted":
        """Return some of the texts, with all terms."""
        at, owner = self.clauses_of(rows)
        return replace(
            self,
            counts=self.counts[rows],
            clauses=self.clauses[at],
            owner=owner,
            says_the_work=self.says_the_work[at],
            lines=[self.lines[i] for i in rows],
        )

    def lessons(self) -> tuple[scipy.sparse.csr_matrix, list[str | None]]:
        """Return the counts to learn labels from, and the service line of each.

        Of a text with clauses that are marked to say the work, each of them is a lesson; of another, the text. A text
        that says too little has no line: it teaches to be unsure.
        """
        clauses = np.flatnonzero(self.says_the_work == 1)
        whole = np.setdiff1d(np.arange(self.counts.shape[0]), self.owner[clauses])
        counts = scipy.sparse.vstack([self.counts[whole], self.clauses[clauses], self.unclear]).tocsr()
        lines = [self.lines[i] for i in [*whole, *self.owner[clauses]]]
        return counts, lines + [None] * self.unclear.shape[0]

    def clauses_of(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the clauses of some texts, text by text, and the place in `rows` of the text of each."""
        starts, stops = (np.searchsorted(self.owner, rows, side=side) for side in ("left", "right"))
        owner = np.repeat(np.arange(len(rows)), stops - starts)
        before = np.cumsum(stops - starts) - (stops - starts)
        return np.arange(len(owner)) + (starts - before)[owner], owner


def count(
    texts: Sequence[str],
    labels: Sequence[str],
    lines: Sequence[str] | None,
    *,
    out_of_scope: str = "",
    marks: Mapping[str, Marks] | None = None,
    unclear: Sequence[str] = (),
) -> Counted:
    """Count the terms of labelled texts and of their clauses.

    Args:
        texts: n_texts strings.
        labels: their labels.
        lines: their service lines, or None.
        out_of_scope: the label for what is out of scope, or "".
        marks: the marked clauses of some texts, by the texts' keys.
        unclear: texts that say too little for any label.

    Raises:
        DataError: no text has a term.
    """
    extra: list[str] = []
    clauses: list[int] = []
    owner: list[int] = []
    says: list[int] = []
    for i, text in enumerate(texts):
        spans = text_module.clauses(text)
        says += says_the_work(text, spans, marks.get(key_of(text), ()) if marks else ())
        if len(spans) == 1:
            # Its clause is the text.
            clauses.append(i)
        else:
            clauses += range(len(texts) + len(extra), len(texts) + len(extra) + len(spans))
            extra += [text[start:end] for start, end in spans]
        owner += [i] * len(spans)
    terms, counts = count_terms([*texts, *extra, *unclear])
    return Counted(
        terms,
        counts[: len(texts)],
        counts[clauses],
        np.array(owner, np.intp),
        np.array(says, np.int8),
        lines or labels,
        dict(zip(lines or labels, labels, strict=True)),
        counts[len(texts) + len(extra) :],
        out_of_scope,
    )


def roll_up(dataset: Dataset) -> dict[str, str]:
    """Return the label of each service line, or of each label if the data have no lines."""
    return dict(zip(dataset.lines or dataset.labels, dataset.labels, strict=True))


def count_terms(texts: Sequence[str]) -> tuple[NDArray[np.str_], scipy.sparse.csr_matrix]:
    """Return the terms of some texts, sorted, and which text has which term.

    Returns:
        object (n_terms,) and int64 (n_texts, n_terms) of 0 and 1.

    Raises:
        DataError: no text has a term.
    """
    whole = CountVectorizer(analyzer=_words_and_pairs, binary=True)
    try:
        counts = whole.fit_transform(texts)
    except ValueError:
        raise DataError("The texts have no letters or digits, so there is nothing to learn from.") from None
    names = whole.get_feature_names_out()
    is_word = np.array([" " not in name for name in names])
    # A word is cut into pieces once, however many texts it is in: most terms are pieces.
    parts = CountVectorizer(analyzer=text_module.pieces, binary=True)
    counts = scipy.sparse.hstack([counts, counts[:, is_word] @ parts.fit_transform(names[is_word])]).tocsr()
    names = np.concatenate([names, parts.get_feature_names_out()])
    order = np.argsort(names)
    counts = counts[:, order]
    counts.data[:] = 1
    return names[order], counts


def _words_and_pairs(text: str) -> list[str]:
    words = text_module.words(text)
    return [*words, *text_module.pairs(words)]


def fit(counted: Counted, settings: Settings) -> Model:
    """Fit a model to counted texts.

    A model over service lines names the line and is best on work like its rows; a model over labels is
    better on other work, because it learns what all lines of a label share. The score of a line is its own
    plus its label's. Both models are a logistic regression plus `settings.bayes_share` of naive Bayes, which
    weighs each word independently and so generalises to new combinations. Rolled up, that is a weighted sum
    of four models' log-odds (a product of experts; Hinton, 2002).

    How much a clause counts is learnt from marked clauses: see `weigh_clauses`.

    Raises:
        DataError: no term is in enough texts; see `is_known`.
    """
    known = is_known(counted, settings)
    terms, line_labels = counted.terms[known], counted.line_labels
    counts, lines = counted.lessons()
    counts = counts[:, known]
    is_piece = np.array([text_module.is_piece(term) for term in terms])
    idf = TfidfTransformer().fit(counts).idf_ * np.where(is_piece, settings.piece_share, 1.0)
    vectors = normalize(counts.multiply(idf).tocsr()).astype(np.float32)
    told = [line_labels[line] for line in lines if line is not None]
    # Those that say too little come last.
    labels = [*told, *[None] * (len(lines) - len(told))]
    ratios = log_count_ratios(counts[: len(told)], told) ** settings.ratio_power
    # Marked clauses have terms that no text teaches a label.
    is_taught = counts.getnnz(axis=0) > 0

    def weigh(targets: Sequence[str | None], scale: Floats | float) -> tuple[list[str], Floats, Floats]:
        """Return the classes, centred weights (n_classes, n_terms) and bias (n_classes,)."""
        scaled = vectors.multiply(scale).tocsr().astype(np.float32)
        classes, weights, bias = fit_softmax(
            scaled, targets, C=settings.C, passes=settings.passes, steps=settings.steps, seed=settings.seed
        )
        weights *= scale
        # Pieces repeat their words, which naive Bayes would count many times over. Texts that share no word
        # have pieces only, and naive Bayes cannot be fitted to no features.
        if not is_piece.all():
            bayes = MultinomialNB(alpha=BAYES_SMOOTHING).fit(counts[: len(told), ~is_piece], targets[: len(told)])
            weights[:, ~is_piece] += settings.bayes_share * bayes.feature_log_prob_
        return classes, centred(weights) * is_taught, bias

    classes, kept, bias = weigh(labels, ratios)
    if labels != lines:
        of_labels = np.zeros((len(counted.labels), len(idf)))
        of_labels[[counted.labels.index(label) for label in classes]] = kept
        label_bias = dict(zip(classes, bias, strict=True))
        classes, kept, bias = weigh(lines, 1.0)
        kept = np.concatenate([kept, of_labels])
        bias = bias + np.array([label_bias[line_labels[line]] for line in classes])
    else:
        kept = np.concatenate([kept, np.zeros((len(counted.labels), len(idf)))])
    says, position = weigh_clauses(counted, known, idf)
    kept = np.concatenate([kept, says[None, :]])
    if settings.prune:
        # Rounded here, so that what is saved is what is evaluated: see `model_file.pack`.
        kept = (np.round(kept * _PARTS) / _PARTS).astype(np.float16)
        kept[np.abs(kept) < settings.prune] = 0
    term_places, column_places = np.nonzero(kept.T)
    return Model(
        terms=terms.tolist(),
        idf=idf.astype(np.float32),
        indptr=np.searchsorted(term_places, np.arange(kept.shape[1] + 1)).astype(np.int32),
        indices=column_places.astype(np.int16),
        weights=kept.T[term_places, column_places].astype(np.float32),
        bias=bias.astype(np.float32),
        lines=tuple(classes),
        line_labels=tuple(line_labels[line] for line in classes),
        out_of_scope=counted.out_of_scope,
        position=position,
    )


def is_known(counted: Counted, settings: Settings) -> NDArray[np.bool_]:
    """Return which terms a model knows: bool (n_terms,), those in enough texts or marked clauses.

    Raises:
        DataError: none is.
    """
    min_texts = settings.min_texts or (3 if counted.counts.shape[0] >= 10_000 else 2)
    marked = counted.clauses[counted.says_the_work >= 0]
    frequent: NDArray[np.bool_] = np.maximum(counted.counts.getnnz(axis=0), marked.getnnz(axis=0)) >= min_texts
    if not frequent.any():
        raise DataError(
            f"No word or piece of a word is in {min_texts} texts, so there is nothing to learn from. Add more rows."
        )
    return frequent


def weigh_clauses(counted: Counted, known: NDArray[np.bool_], idf: Floats) -> tuple[Floats, Floats]:
    """Learn from marked clauses how much a clause counts: the chance that it says the work.

    A logistic regression of the marks on the terms of a clause and the logarithm of its rank.

    Args:
        counted: the texts.
        known: bool (n_terms,), the terms to use.
        idf: float64 (n_known,), of these.

    Returns:
        float64 (n_known,), the weight of each term, and float64 (2,), the bias and decay of `Model.position`.
        Without `MIN_MARKED` clauses of either kind, zeros and `POSITION`.
    """
    marked = np.flatnonzero(counted.says_the_work >= 0)
    says = counted.says_the_work[marked]
    if min((says == 1).sum(), (says == 0).sum()) < MIN_MARKED:
        return np.zeros(len(idf)), POSITION.copy()
    vectors = normalize(counted.clauses[marked][:, known].multiply(idf).tocsr())
    # The regression penalises what is far from 0: a scale of its own leaves the position free.
    log_rank = scipy.sparse.csr_matrix(-np.log(1 + ranks(counted.owner)[marked])[:, None])
    # Newton's method comes nearer the optimum than L-BFGS, in a fifth of the time.
    regression = LogisticRegression(C=CLAUSE_C, solver="newton-cg")
    fitted = regression.fit(scipy.sparse.hstack([vectors, log_rank]).tocsr(), says)
    *weights, decay = fitted.coef_[0]
    return np.array(weights), np.array([fitted.intercept_[0], max(decay, 0.0)])


def ranks(owner: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rank of each clause in its text, from 0: intp (n_clauses,), for owners that ascend."""
    places = np.arange(len(owner))
    result: NDArray[np.intp] = places - np.searchsorted(owner, owner)
    return result


def read_counted(model: Model, counted: Counted, known: NDArray[np.bool_]) -> Floats:
    """Return what `Model.label_scores` does, without `later`, for texts already counted.

    Args:
        model: a model.
        counted: the n_texts texts.
        known: bool (n_terms,), the terms of the model.

    Returns:
        float64 (n_texts, n_labels + 1): the scores of the labels, and the share of the clauses after the first.
    """
    n_lines, n_labels, n_texts = len(model.lines), len(model.labels), counted.counts.shape[0]
    weights = scipy.sparse.csr_array(
        (model.weights.astype(np.float64), model.indices, model.indptr),
        shape=(len(model.terms), n_lines + n_labels + 1),
    )
    vectors = normalize(counted.clauses[:, known].multiply(model.idf.astype(np.float64)).tocsr())
    sums = (vectors @ weights).toarray()
    scores = model.roll_up(model.bias.astype(np.float64) + sums[:, :n_lines] + sums[:, model.label_columns])
    starts = np.searchsorted(counted.owner, np.arange(n_texts + 1))
    shares = np.concatenate(
        [clause_shares(sums[a:b, -1], model.position) for a, b in itertools.pairwise(starts)] or [np.empty(0)]
    )
    together = np.add.reduceat(shares[:, None] * scores, starts[:-1]) if n_texts else scores
    return np.column_stack([together, 1 - shares[starts[:-1]]])


def log_count_ratios(counts: scipy.sparse.csr_matrix, labels: Sequence[str]) -> Floats:
    """Return how unevenly each term is distributed over the labels: float64 (n_terms,), 0 or above.

    The mean over the labels of abs(log(p / q)), with p and q the term's share of all terms in the label's
    texts and in the others, smoothed by one text each. Scaling features by it before a regression with an L2
    penalty favours terms that are discriminative by themselves, as naive Bayes does (NB-SVM; Wang and
    Manning, 2012).

    Args:
        counts: (n_texts, n_terms) of 0 and 1.
        labels: the n_texts labels.
    """
    of_text = np.asarray(labels)
    in_all = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    ratios = []
    for label in sorted(set(labels)):
        inside = np.asarray(counts[of_text == label].sum(axis=0), dtype=np.float64).ravel()
        p, q = inside + 1, in_all - inside + 1
        ratios.append(np.abs(np.log(p / p.sum()) - np.log(q / q.sum())))
    mean: Floats = np.mean(ratios, axis=0)
    return mean


def centred(weights: Floats) -> Floats:
    """Subtract from each term's weights (n_classes, n_terms) their median over the classes.

    Softmax is invariant to shifting all weights of a term equally, and most classes share the median, so most
    centred weights are near 0 and can be dropped.
    """
    return weights - np.median(weights, axis=0, keepdims=True)
