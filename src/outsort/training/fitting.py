"""Fit a model: terms, logistic regressions and naive Bayes, summed in one matrix of weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import normalize

from outsort import text as text_module
from outsort.data.dataset import Dataset
from outsort.errors import DataError
from outsort.labels import LABELS
from outsort.model import Model
from outsort.numeric import Floats
from outsort.training.softmax import fit_softmax

#: Smoothing of naive Bayes: most terms are rare, and adding 1 would drown them.
BAYES_SMOOTHING = 0.1


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of training.

    Attributes:
        C: inverse strength of the L2 penalty of the logistic regression.
        passes: minimum passes of the solver over the rows.
        steps: minimum rows visited by the solver in all: a small dataset gets more passes.
        min_texts: terms in fewer texts are dropped; None for 2, or 3 from 10,000 texts.
        prune: centred weights below this are dropped and the others rounded to half precision; 0 keeps all
            weights exact.
        piece_share: weight of a piece of a word, relative to a word or pair of the same idf: a word has many
            pieces, which together would outweigh it.
        ratio_power: in the model of the labels, terms are scaled by their `log_count_ratios` to this power;
            0 for no scaling.
        bayes_share: weight of naive Bayes added to each logistic regression: see `fit`.
        seed: random seed of the solver and the folds.
    """

    C: float = 5.0
    passes: int = 8
    steps: int = 20_000
    min_texts: int | None = None
    prune: float = 0.3
    piece_share: float = 0.5
    ratio_power: float = 1.0
    bayes_share: float = 0.75
    seed: int = 0


@dataclass(frozen=True)
class Counted:
    """Labelled texts, as counts of their terms.

    Attributes:
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms), likewise.
        lines: the n_texts service lines; the labels if there are no lines.
        line_labels: the label of each line.
    """

    terms: NDArray[np.str_]
    counts: scipy.sparse.csr_matrix
    lines: Sequence[str]
    line_labels: Mapping[str, str]


def count(texts: Sequence[str], labels: Sequence[str], lines: Sequence[str] | None) -> Counted:
    """Count the terms of labelled texts."""
    lines = lines or labels
    return Counted(*count_terms(texts), lines, dict(zip(lines, labels, strict=True)))


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
    vectorizer = CountVectorizer(analyzer=text_module.terms, binary=True)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:
        raise DataError("The texts have no letters or digits, so there is nothing to learn from.") from None
    return vectorizer.get_feature_names_out(), counts


def fit(
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    settings: Settings,
) -> Model:
    """Fit a model to counted texts.

    A model over service lines names the line and is best on work like its rows; a model over labels is
    better on other work, because it learns what all lines of a label share. The score of a line is its own
    plus its label's. Both models are a logistic regression plus `settings.bayes_share` of naive Bayes, which
    weighs each word independently and so generalises to new combinations. Rolled up, that is a weighted sum
    of four models' log-odds (a product of experts; Hinton, 2002).

    Args:
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        lines: the n_texts service lines.
        line_labels: the label of each line.
        settings: the settings.

    Raises:
        DataError: no term is in enough texts; see `is_frequent`.
    """
    frequent = is_frequent(counts, settings)
    counts = counts[:, frequent]
    is_piece = np.array([text_module.is_piece(term) for term in terms[frequent]])
    idf = TfidfTransformer().fit(counts).idf_ * np.where(is_piece, settings.piece_share, 1.0)
    vectors = normalize(counts.multiply(idf).tocsr()).astype(np.float32)
    labels = [line_labels[line] for line in lines]
    ratios = log_count_ratios(counts, labels) ** settings.ratio_power

    def weigh(targets: Sequence[str], scale: Floats | float) -> tuple[list[str], Floats, Floats]:
        """Return the classes, centred weights (n_classes, n_terms) and bias (n_classes,)."""
        scaled = vectors.multiply(scale).tocsr().astype(np.float32)
        classes, weights, bias = fit_softmax(
            scaled, targets, C=settings.C, passes=settings.passes, steps=settings.steps, seed=settings.seed
        )
        weights *= scale
        # Pieces repeat their words, which naive Bayes would count many times over. Texts that share no word
        # have pieces only, and naive Bayes cannot be fitted to no features.
        if not is_piece.all():
            bayes = MultinomialNB(alpha=BAYES_SMOOTHING).fit(counts[:, ~is_piece], targets)
            weights[:, ~is_piece] += settings.bayes_share * bayes.feature_log_prob_
        return classes, centred(weights), bias

    classes, kept, bias = weigh(labels, ratios)
    if labels != list(lines):
        of_labels = np.zeros((len(LABELS), len(idf)))
        of_labels[[LABELS.index(label) for label in classes]] = kept
        label_bias = dict(zip(classes, bias, strict=True))
        classes, kept, bias = weigh(lines, 1.0)
        kept = np.concatenate([kept, of_labels])
        bias = bias + np.array([label_bias[line_labels[line]] for line in classes])
    if settings.prune:
        kept[np.abs(kept) < settings.prune] = 0
        # Rounded here, so that what is saved is what is evaluated: see `model_file.pack`.
        kept = kept.astype(np.float16)
    term_places, column_places = np.nonzero(kept.T)
    return Model(
        terms=terms[frequent].tolist(),
        idf=idf.astype(np.float32),
        indptr=np.searchsorted(term_places, np.arange(kept.shape[1] + 1)).astype(np.int32),
        indices=column_places.astype(np.int16),
        weights=kept.T[term_places, column_places].astype(np.float32),
        bias=bias.astype(np.float32),
        lines=tuple(classes),
        line_labels=tuple(line_labels[line] for line in classes),
    )


def is_frequent(counts: scipy.sparse.csr_matrix, settings: Settings) -> NDArray[np.bool_]:
    """Return which terms are in at least `settings.min_texts` texts: bool (n_terms,).

    Args:
        counts: (n_texts, n_terms).
        settings: the settings.

    Raises:
        DataError: none is.
    """
    min_texts = settings.min_texts or (3 if counts.shape[0] >= 10_000 else 2)
    frequent: NDArray[np.bool_] = counts.getnnz(axis=0) >= min_texts
    if not frequent.any():
        raise DataError(
            f"No word or piece of a word is in {min_texts} texts, so there is nothing to learn from. Add more rows."
        )
    return frequent


def line_scores(model: Model, counts: scipy.sparse.csr_matrix) -> Floats:
    """Return what `Model.line_scores` does, for texts already counted: float64 (n_texts, n_lines).

    Args:
        model: a model.
        counts: (n_texts, n_terms) of 0 and 1, columns as in `model.terms`.
    """
    n_lines = len(model.lines)
    weights = scipy.sparse.csr_array(
        (model.weights.astype(np.float64), model.indices, model.indptr), shape=(len(model.terms), n_lines + len(LABELS))
    )
    sums = (normalize(counts.multiply(model.idf.astype(np.float64)).tocsr()) @ weights).toarray()
    result: Floats = model.bias.astype(np.float64) + sums[:, :n_lines] + sums[:, model.label_columns]
    return result


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
