"""From labelled texts to a model."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import normalize

import outsort
from outsort import dataset as dataset_module
from outsort import text as text_module
from outsort.errors import DataError
from outsort.evaluation import score
from outsort.model import ANSWERS, LABELS, Model, odds_to_proba

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import scipy.sparse
    from numpy.typing import NDArray

    from outsort.dataset import Dataset
    from outsort.model import Floats

#: The schemes of cross-validation, by their names in `Model.about`.
STRATIFIED = "random folds"
LINES_OUT = "whole lines left out"


@dataclass(frozen=True)
class Settings:
    """What training leaves open.

    Attributes:
        C: inverse strength of the L2 penalty of the logistic regression.
        tolerance: where the solver stops: relative change of the largest weight in a pass.
        max_iter: passes over the data, at most.
        min_texts: terms that stand in fewer texts are dropped; when None, 2, and 3 from 10,000 texts on.
        prune: centred weights smaller than this are dropped; 0 keeps them all.
        piece_share: what a piece of a word weighs beside a word or pair of the same idf: a word has many
            pieces, which together would outweigh it.
        label_share: how much a model of the labels, trained beside that of the service lines, adds to
            each line's scores: see `fit`. It counts for nothing without lines.
        ratio_power: in the model of the labels, terms weigh by how unevenly they are spread over the
            labels, to this power; 0 for all alike: see `log_count_ratios`.
        seed: of the solver's order of rows and of the folds.
    """

    C: float = 10.0
    tolerance: float = 1e-2
    max_iter: int = 1000
    min_texts: int | None = None
    prune: float = 0.2
    piece_share: float = 0.5
    label_share: float = 0.5
    ratio_power: float = 1.0
    seed: int = 0


def train(
    data: Path | str | pd.DataFrame | Dataset,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    folds: int = 5,
    settings: Settings | None = None,
) -> Model:
    """Train a model on labelled texts.

    Args:
        data: a CSV file, a frame, or data already read and checked.
        text_column: the column of texts; found by its usual name when None.
        label_column: the column of labels: BPO, KPO, NEITHER.
        line_column: the column of service lines, if there is one.
        folds: folds of cross-validation, whose scores are kept in ``about["scores"]``; 0 for none.
        settings: the settings, `Settings()` when None.

    Returns:
        A model. The same data and settings give the same model, to the last bit, with the same
        versions of NumPy and scikit-learn on the same kind of machine.

    Raises:
        DataError: the data cannot be used; see `outsort.dataset.read`.
        ValueError: `folds` is 1 or below 0.
    """
    if folds < 0 or folds == 1:
        raise ValueError(f"folds is {folds}: choose 2 or more, or 0 for no cross-validation")
    settings = settings or Settings()
    if not isinstance(data, dataset_module.Dataset):
        data = dataset_module.read(
            data, text_column=text_column, label_column=label_column, line_column=line_column
        )
    terms, counts = count_terms(data.texts)
    scores = cross_validate(data, terms, counts, folds, settings) if folds else {}
    return fit(
        terms,
        counts,
        data.lines or data.labels,
        roll_up(data),
        settings,
        about={
            "data": {
                "source": data.source.replace("\\", "/").rsplit("/", 1)[-1],
                "sha256": data.fingerprint,
                "rows": len(data.texts),
                "rows_by_label": {label: data.labels.count(label) for label in sorted(set(data.labels))},
            },
            "settings": asdict(settings),
            "scores": scores,
            "versions": {
                "outsort": outsort.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scikit-learn": sklearn.__version__,
                "joblib": joblib.__version__,
            },
        },
    )


def roll_up(dataset: Dataset) -> dict[str, str]:
    """Return the label of each service line; of each label, where the data have no lines."""
    return dict(zip(dataset.lines or dataset.labels, dataset.labels, strict=True))


def count_terms(
    texts: Sequence[str],
) -> tuple[NDArray[np.str_], scipy.sparse.csr_matrix]:
    """Return every term of some texts, sorted, and which text holds it.

    Returns:
        object (n_terms,) and int64 (n_texts, n_terms) of 0 and 1.

    Raises:
        DataError: no text holds a single term.
    """
    vectorizer = CountVectorizer(analyzer=text_module.terms, binary=True)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:
        raise DataError("The texts hold no letter or digit, so nothing can be learnt.") from None
    return vectorizer.get_feature_names_out(), counts


def fit(
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    settings: Settings,
    about: dict[str, Any] | None = None,
) -> Model:
    """Fit a model to counted texts.

    A logistic regression over service lines names the line and is best on work like its rows; one over
    labels is better on work unlike them, for it looks for what all lines of a label share. A line's
    scores here are its own plus `settings.label_share` of its label's: rolled up, the log-odds of the
    first plus that share of the log-odds of the second (a product of experts; Hinton, 2002).

    Args:
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        lines: the n_texts service lines.
        line_labels: the label of each line.
        settings: the settings.
        about: what the model shall tell of where it came from.

    Raises:
        DataError: no term stands in as many texts as `settings.min_texts` asks for.
    """
    min_texts = settings.min_texts or (3 if counts.shape[0] >= 10_000 else 2)
    frequent = counts.getnnz(axis=0) >= min_texts
    if not frequent.any():
        raise DataError(
            f"No word or piece of a word stands in {min_texts} texts, so nothing can be "
            "learnt. Add more rows."
        )
    counts = counts[:, frequent]
    is_piece = np.array([text_module.is_piece(term) for term in terms[frequent]])
    idf = TfidfTransformer().fit(counts).idf_ * np.where(is_piece, settings.piece_share, 1.0)
    vectors = normalize(counts.multiply(idf).tocsr()).astype(np.float32)
    targets = [line_labels[line] for line in lines]
    has_lines = targets != list(lines)
    columns = []
    if has_lines:
        classes, weights, bias = _regression(vectors, lines, settings)
        columns.append(centred(weights))
    if not has_lines or settings.label_share:
        scale = log_count_ratios(counts, targets) ** settings.ratio_power
        labels, label_weights, label_bias = _regression(vectors.multiply(scale).tocsr(), targets, settings)
        label_weights = centred(label_weights * scale)
    if not has_lines:
        classes, bias = labels, label_bias
        columns.append(label_weights)
    elif settings.label_share:
        of_labels = np.zeros((len(LABELS), len(idf)))
        of_labels[[LABELS.index(label) for label in labels]] = settings.label_share * label_weights
        columns.append(of_labels)
        bias = bias + settings.label_share * label_bias[[labels.index(line_labels[x]) for x in classes]]
    kept = np.concatenate(columns)
    kept[np.abs(kept) < settings.prune] = 0
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
        about=about or {},
    )


def _regression(
    vectors: scipy.sparse.csr_matrix, targets: Sequence[str], settings: Settings
) -> tuple[list[str], Floats, Floats]:
    """Return the n_classes classes, weights (n_classes, n_terms) and bias (n_classes,) as softmax."""
    classifier = LogisticRegression(
        C=settings.C,
        solver="saga",
        tol=settings.tolerance,
        max_iter=settings.max_iter,
        random_state=settings.seed,
    ).fit(vectors, np.asarray(targets))
    return [str(c) for c in classifier.classes_], *softmax_form(classifier.coef_, classifier.intercept_)


def log_count_ratios(counts: scipy.sparse.csr_matrix, labels: Sequence[str]) -> Floats:
    """Return for each term how unevenly the labels' texts hold it: float64 (n_terms,), 0 or above.

    The mean over the labels of abs(log(p / q)), with p and q the term's share of all terms in the label's
    texts and in the others, one text more added to each. Features multiplied by this before a regression
    with an L2 penalty make it prefer terms that are telling by themselves, as naive Bayes does (NB-SVM;
    Wang and Manning, 2012).

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


def softmax_form(coef: Floats, intercept: Floats) -> tuple[Floats, Floats]:
    """Return weights (n_classes, n_terms) and bias (n_classes,) of a logistic regression as softmax.

    For two classes scikit-learn holds one row w, the log-odds of the second; half of it either way
    gives the same probabilities.
    """
    if len(coef) > 1:
        return coef, intercept
    return np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2


def centred(weights: Floats) -> Floats:
    """Subtract from each term's weights (n_classes, n_terms) their median over the classes.

    Softmax does not change when all weights of a term shift alike, and most classes share the median:
    centred, most weights are next to nothing and can be dropped.
    """
    return weights - np.median(weights, axis=0, keepdims=True)


def cross_validate(
    dataset: Dataset,
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    n_folds: int,
    settings: Settings,
) -> dict[str, dict[str, Any]]:
    """Score models on rows they were not trained on.

    Each scheme's scores are those of `evaluation.score` over all rows together, each answered by the
    model of the fold that left it out. Random folds are stratified; where there are service lines, a
    second scheme leaves whole lines out, which tells how the model does on work unlike its rows.

    Args:
        dataset: the data, n_texts rows.
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        n_folds: folds, at most: no more are made than the rarest label has rows, or lines.
        settings: the settings of training.
    """
    result = {}
    for scheme, splits in folds(dataset, n_folds, settings.seed).items():
        p_kpo, p_neither = held_out_answers(
            dataset.texts,
            dataset.lines or dataset.labels,
            roll_up(dataset),
            terms,
            counts,
            splits,
            settings,
        )
        result[scheme] = score(np.array(dataset.labels), p_kpo, p_neither, source=dataset.source)
    return result


def folds(
    dataset: Dataset, n_folds: int, seed: int
) -> dict[str, list[tuple[NDArray[np.intp], NDArray[np.intp]]]]:
    """Return the (training rows, held-out rows) of each fold for each scheme the data allow."""
    labels = np.array(dataset.labels)
    lines = np.array(dataset.lines or dataset.labels)

    def fewest(values: Iterable[str]) -> int:
        return int(np.unique(list(values), return_counts=True)[1].min())

    schemes = {}
    is_kpo = labels == ANSWERS[1]
    n = min(n_folds, fewest(label for label in labels if label in ANSWERS))
    splitter = StratifiedKFold(n, shuffle=True, random_state=seed)
    # The finest strata of which every fold can have its share; with coarser ones it is left to chance.
    strata = next((s for s in (lines, labels) if fewest(s) >= n), is_kpo)
    schemes[STRATIFIED] = list(splitter.split(labels, strata))
    n = min(n_folds, fewest(label for label in roll_up(dataset).values() if label in ANSWERS))
    if dataset.lines is not None and n >= 2:
        grouped = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        splits = list(grouped.split(labels, labels if fewest(labels) >= n else is_kpo, lines))
        if all(set(ANSWERS) <= set(labels[rows]) for rows, _ in splits):
            schemes[LINES_OUT] = splits
    return schemes


def held_out_answers(
    texts: Sequence[str],
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    settings: Settings,
) -> tuple[Floats, Floats]:
    """Train on each fold's rows and answer its held-out rows.

    Args:
        texts: n_texts strings.
        lines: their service lines.
        line_labels: the label of each line.
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        splits: the (training rows, held-out rows) of each fold; each row is held out once.
        settings: the settings of training.

    Returns:
        The probability of KPO, given that the work is BPO or KPO, and of NEITHER: float64 (n_texts,) each.
    """

    def answers(rows: NDArray[np.intp], held_out: NDArray[np.intp]) -> tuple[Floats, Floats]:
        model = fit(terms, counts[rows], [lines[i] for i in rows], line_labels, settings)
        scores = model.line_scores(texts[i] for i in held_out)
        return odds_to_proba(model.log_odds(scores))[:, 1], model.neither(scores)

    p_kpo, p_neither = np.empty(len(lines)), np.empty(len(lines))
    results = joblib.Parallel(n_jobs=-1, prefer="processes")(
        joblib.delayed(answers)(rows, held_out) for rows, held_out in splits
    )
    for (_, held_out), (kpo, neither) in zip(splits, results, strict=True):
        p_kpo[held_out], p_neither[held_out] = kpo, neither
    return p_kpo, p_neither
