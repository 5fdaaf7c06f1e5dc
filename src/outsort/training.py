"""From labelled texts to a model."""

from __future__ import annotations

import itertools
import platform
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
import numpy as np
import scipy.sparse
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import normalize

import outsort
from outsort import dataset as dataset_module
from outsort import text as text_module
from outsort.calibration import calibrate
from outsort.compiled import nb
from outsort.decision import confidence
from outsort.errors import DataError
from outsort.evaluation import score
from outsort.model import ANSWERS, LABELS, Model, odds_to_proba
from outsort.softmax import fit_softmax
from outsort.threshold import Certificate, certify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from outsort.dataset import Dataset
    from outsort.model import Floats

#: The schemes of cross-validation, by their names in `Model.about`.
STRATIFIED = "random folds"
LINES_OUT = "whole lines left out"
UNSEEN = "unseen {}"
LATER = "later {}"
#: The (training rows, held-out rows) of each fold: intp (n,) each.
Splits = list[tuple["NDArray[np.intp]", "NDArray[np.intp]"]]
#: Added to every count of naive Bayes: most terms are rare, and 1 would drown what they say.
BAYES_SMOOTHING = 0.1


@dataclass(frozen=True)
class Settings:
    """What training leaves open.

    Attributes:
        C: inverse strength of the L2 penalty of the logistic regression.
        passes: how often the solver goes through the rows, at least.
        steps: how many rows the solver looks at in all, at least: few rows are gone through more often.
        min_texts: terms that stand in fewer texts are dropped; when None, 2, and 3 from 10,000 texts on.
        prune: centred weights smaller than this are dropped and the others rounded to half precision; 0 keeps
            them all as they are.
        piece_share: what a piece of a word weighs beside a word or pair of the same idf: a word has many
            pieces, which together would outweigh it.
        ratio_power: in the model of the labels, terms weigh by how unevenly they are spread over the
            labels, to this power; 0 for all alike: see `log_count_ratios`.
        bayes_share: how much naive Bayes adds to each logistic regression: see `fit`.
        seed: of the solver's order of rows and of the folds.
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
class Checks:
    """How a model is validated, and what its accepted answers promise.

    Attributes:
        folds: folds of cross-validation; 0 for none, and so for no calibration and no threshold. Lines are
            left out in twice as many.
        target_precision: share of accepted answers that shall be right; an accepted text that is NEITHER
            counts as wrong.
        confidence: probability that the promise is kept.
        group_column: a column whose values are left out whole in a scheme of their own: suppliers, say.
        time_column: a column of dates; a scheme of its own scores rows later than those trained on.
        weight_column: a column of how much each row counts in scores, calibration and threshold: spend.
    """

    folds: int = 5
    target_precision: float = 0.95
    confidence: float = 0.9
    group_column: str | None = None
    time_column: str | None = None
    weight_column: str | None = None


class HeldOut(NamedTuple):
    """Answers to rows by models that were not trained on them.

    Attributes:
        rows: intp (n,), places of the rows in the data, ascending.
        log_odds: float64 (n,), of KPO against BPO, calibrated.
        neither: float64 (n,), probability of NEITHER, calibrated, or NaN.
    """

    rows: NDArray[np.intp]
    log_odds: Floats
    neither: Floats


class Validation(NamedTuple):
    """What cross-validation found.

    Attributes:
        scores: for each scheme the scores of `evaluation.score`, with `uncalibrated`: the log loss and
            calibration error of the same answers before calibration.
        held_out: for each scheme the answers that were scored.
        scheme: the one that calibration and threshold were fitted on: the hardest without a time column.
        calibration: float64 (2, 2), as in `Model`.
        certificate: what the rows say of the threshold.
    """

    scores: dict[str, dict[str, Any]]
    held_out: dict[str, HeldOut]
    scheme: str
    calibration: Floats
    certificate: Certificate


def train(
    data: Path | str | pd.DataFrame | Dataset,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    line_column: str | None = None,
    settings: Settings | None = None,
    checks: Checks | None = None,
) -> Model:
    """Train a model on labelled texts.

    Args:
        data: a CSV file, a frame, or data already read and checked.
        text_column: the column of texts; found by its usual name when None.
        label_column: the column of labels: BPO, KPO, NEITHER.
        line_column: the column of service lines, if there is one.
        settings: the settings, `Settings()` when None.
        checks: how the model is validated, calibrated and given its threshold, `Checks()` when None.

    Returns:
        A model. The same data and settings give the same model, to the last bit, with the same
        versions of NumPy, scikit-learn and Numba on the same kind of machine.

    Raises:
        DataError: the data cannot be used; see `outsort.dataset.read`.
        ValueError: a number in `checks` is out of its range.
    """
    if not isinstance(data, dataset_module.Dataset):
        data = dataset_module.read(
            data, text_column=text_column, label_column=label_column, line_column=line_column
        )
    return train_validated(data, settings, checks)[0]


def train_validated(
    dataset: Dataset, settings: Settings | None = None, checks: Checks | None = None
) -> tuple[Model, Validation | None]:
    """Do what `train` does, and return what cross-validation found, too; None without folds."""
    settings, checks = settings or Settings(), checks or Checks()
    if checks.folds < 0 or checks.folds == 1:
        raise ValueError(f"folds is {checks.folds}: choose 2 or more, or 0 for no cross-validation")
    # What the columns named in `checks` lack is told before the work, not after it.
    schemes = folds(dataset, checks, settings.seed) if checks.folds else {}
    weights = dataset_module.weights_of(dataset, checks.weight_column) if checks.weight_column else None
    terms, counts = count_terms(dataset.texts)
    model, raw = _fit_with_folds(dataset, terms, counts, schemes, settings)
    validation = validate(dataset, schemes, raw, checks, weights, settings.seed) if schemes else None
    about = {
        "data": data_identity(dataset),
        "settings": asdict(settings),
        "scores": validation.scores if validation else {},
        "decision": _decision(validation) if validation else {},
        "versions": {
            "outsort": outsort.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "numba": nb.__version__,
            "joblib": joblib.__version__,
        },
    }
    model = replace(model, about=about, seen=np.unique(dataset_module.hashes_of(dataset.texts)))
    if validation:
        model = replace(model, calibration=validation.calibration, threshold=validation.certificate.threshold)
    return model, validation


def data_identity(dataset: Dataset) -> dict[str, Any]:
    """Return what tells some data from others: name without folders, sha256, rows, rows by label."""
    return {
        "source": dataset.source.replace("\\", "/").rsplit("/", 1)[-1],
        "sha256": dataset.fingerprint,
        "rows": len(dataset.texts),
        "rows_by_label": {label: dataset.labels.count(label) for label in sorted(set(dataset.labels))},
    }


def _decision(validation: Validation) -> dict[str, Any]:
    """Return the certificate as plain values, with what it was found on; what it lacks is None."""
    figures = validation.certificate._asdict()
    return {"held_out": validation.scheme} | {k: None if v != v else v for k, v in figures.items()}


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
) -> Model:
    """Fit a model to counted texts.

    A model of service lines names the line and is best on work like its rows; one of labels is better on
    work unlike them, for it looks for what all lines of a label share. A line's scores are its own plus its
    label's. Either model is a logistic regression and `settings.bayes_share` of naive Bayes, which takes each
    word for what it says by itself and so holds in company it was never seen in. Rolled up, that is a
    weighted sum of four models' log-odds (a product of experts; Hinton, 2002).

    Args:
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        lines: the n_texts service lines.
        line_labels: the label of each line.
        settings: the settings.

    Raises:
        DataError: no term stands in enough texts; see `is_frequent`.
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
        # Pieces repeat what their words say, which naive Bayes would count again and again. Texts that share
        # no word have pieces only, and naive Bayes refuses to learn from nothing.
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
        # Rounded here, so that what is saved is what is evaluated: see `artefact.pack`.
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
    """Tell which terms stand in as many texts as `settings.min_texts` asks for: bool (n_terms,).

    Args:
        counts: (n_texts, n_terms).
        settings: the settings.

    Raises:
        DataError: none does.
    """
    min_texts = settings.min_texts or (3 if counts.shape[0] >= 10_000 else 2)
    frequent: NDArray[np.bool_] = counts.getnnz(axis=0) >= min_texts
    if not frequent.any():
        raise DataError(
            f"No word or piece of a word stands in {min_texts} texts, so nothing can be "
            "learnt. Add more rows."
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
        (model.weights.astype(np.float64), model.indices, model.indptr),
        shape=(len(model.terms), n_lines + len(LABELS)),
    )
    sums = (normalize(counts.multiply(model.idf.astype(np.float64)).tocsr()) @ weights).toarray()
    result: Floats = model.bias.astype(np.float64) + sums[:, :n_lines] + sums[:, model.label_columns]
    return result


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


def centred(weights: Floats) -> Floats:
    """Subtract from each term's weights (n_classes, n_terms) their median over the classes.

    Softmax does not change when all weights of a term shift alike, and most classes share the median:
    centred, most weights are next to nothing and can be dropped.
    """
    return weights - np.median(weights, axis=0, keepdims=True)


def validate(
    dataset: Dataset,
    schemes: Mapping[str, Splits],
    raw: Mapping[str, tuple[Floats, Floats]],
    checks: Checks,
    weights: Floats | None,
    seed: int,
) -> Validation:
    """Calibrate, certify and score answers to rows by models that were not trained on them.

    Each scheme's scores are those of `evaluation.score` over its held-out rows together. A scheme of random
    folds is stratified. The others tell how the model does on work unlike its rows: whole service lines
    left out, where there are lines; whole groups left out; rows later than all it was trained on.

    Calibration and threshold come from the hardest of the schemes that hold out every row: lines, or else
    groups, or else random rows. There each fold is calibrated by the others, so that no row is judged by
    a line it helped to draw.

    Args:
        dataset: the data, n_texts rows.
        schemes: as `folds` returns them.
        raw: for each scheme what `held_out_answers` returns.
        checks: the columns and target.
        weights: float64 (n_texts,), how much each row counts; None for all alike.
        seed: of the certificate.
    """
    labels = np.array(dataset.labels)
    unseen = UNSEEN.format(checks.group_column)
    scheme = next(name for name in (LINES_OUT, unseen, STRATIFIED) if name in schemes)
    row_weights = np.ones(len(labels)) if weights is None else weights
    calibration = calibrate(labels, *raw[scheme], row_weights)
    held_out, scores = {}, {}
    for name, splits in schemes.items():
        answers = np.stack(raw[name])
        calibrated = np.empty_like(answers)
        for _, out in splits:
            line = calibration
            if name == scheme:
                others = np.setdiff1d(np.arange(len(labels)), out)
                line = calibrate(labels[others], answers[0, others], answers[1, others], row_weights[others])
            calibrated[:, out] = line[:, :1] + line[:, 1:] * answers[:, out]
        rows = np.sort(np.concatenate([out for _, out in splits]))
        held_out[name] = HeldOut(rows, calibrated[0, rows], odds_to_proba(calibrated[1, rows])[:, 1])
        before, after = (
            score(
                labels[rows],
                *(odds_to_proba(log_odds)[:, 1] for log_odds in both[:, rows]),
                weights=row_weights[rows],
                source=dataset.source,
            )
            for both in (answers, calibrated)
        )
        scores[name] = after | {"uncalibrated": {k: before[k] for k in ("log_loss", "calibration_error")}}
    chosen = held_out[scheme]
    certificate = certify(
        confidence(chosen.log_odds, chosen.neither),
        labels[chosen.rows] == np.where(chosen.log_odds > 0, *ANSWERS[::-1]),
        checks.target_precision,
        checks.confidence,
        weights,
        seed,
    )
    return Validation(scores, held_out, scheme, calibration, certificate)


def folds(dataset: Dataset, checks: Checks, seed: int) -> dict[str, Splits]:
    """Return the (training rows, held-out rows) of each fold for each scheme the data allow.

    No more folds are made than the rarest label has rows, lines or groups.

    Raises:
        DataError: a group or time column was named and does not allow its scheme.
    """
    labels = np.array(dataset.labels)
    lines = np.array(dataset.lines or dataset.labels)
    is_kpo = labels == ANSWERS[1]

    def fewest(values: Iterable[str]) -> int:
        return int(np.unique(list(values), return_counts=True)[1].min())

    schemes: dict[str, Splits] = {}
    n = min(checks.folds, fewest(label for label in labels if label in ANSWERS))
    splitter = StratifiedKFold(n, shuffle=True, random_state=seed)
    # The finest strata of which every fold can have its share; with coarser ones it is left to chance.
    strata = next((s for s in (lines, labels) if fewest(s) >= n), is_kpo)
    schemes[STRATIFIED] = list(splitter.split(labels, strata))
    # The final model knows every line: the fewer a fold leaves out, the more its models are like that one.
    n = min(2 * checks.folds, fewest(label for label in roll_up(dataset).values() if label in ANSWERS))
    if dataset.lines is not None and n >= 2:
        splits = _grouped(labels if fewest(labels) >= n else is_kpo, lines, n, seed)
        if is_teachable(labels, splits):
            schemes[LINES_OUT] = splits
    if checks.group_column:
        schemes[UNSEEN.format(checks.group_column)] = _unseen(dataset, checks, labels, seed)
    if checks.time_column:
        schemes[LATER.format(checks.time_column)] = _later(dataset, checks, labels)
    return schemes


def _grouped(strata: NDArray[Any], groups: NDArray[Any], n: int, seed: int) -> Splits:
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return list(splitter.split(strata, strata, groups))


def is_teachable(labels: NDArray[np.str_], splits: Splits) -> bool:
    """Tell whether the training rows of each fold hold both answers: labels are str (n_rows,)."""
    return all(set(ANSWERS) <= set(labels[rows]) for rows, _ in splits)


def _unseen(dataset: Dataset, checks: Checks, labels: NDArray[np.str_], seed: int) -> Splits:
    groups = np.array(dataset_module.column_of(dataset, str(checks.group_column)))
    n = min(checks.folds, len(set(groups)))
    if n < 2:
        raise DataError(
            f"{dataset.source}: column {checks.group_column!r} holds one value only, so no group can be left "
            "out. Name another --group-column."
        )
    splits = _grouped(labels == ANSWERS[1], groups, n, seed)
    if not is_teachable(labels, splits):
        raise DataError(
            f"{dataset.source}: with some groups of column {checks.group_column!r} left out, no row of BPO "
            "or none of KPO is left to learn from. Name a column with smaller groups."
        )
    return splits


def _later(dataset: Dataset, checks: Checks, labels: NDArray[np.str_]) -> Splits:
    """Cut the times into blocks; each but the first is held out from a model of those before it."""
    times = dataset_module.times_of(dataset, str(checks.time_column))
    moments, codes = np.unique(times, return_inverse=True)
    if len(moments) < 2:
        raise DataError(
            f"{dataset.source}: column {checks.time_column!r} holds one time only, so nothing is later. "
            "Name another --time-column."
        )
    blocks = np.array_split(np.arange(len(moments)), min(checks.folds + 1, len(moments)))
    splits = [(np.flatnonzero(codes < out[0]), np.flatnonzero(np.isin(codes, out))) for out in blocks[1:]]
    splits = [split for split in splits if is_teachable(labels, [split])]
    if not splits:
        raise DataError(
            f"{dataset.source}: before the last times of column {checks.time_column!r} there are no rows of "
            "both BPO and KPO to learn from. Name another --time-column."
        )
    return splits


def held_out_answers(
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    splits: Splits,
    settings: Settings,
) -> tuple[Floats, Floats]:
    """Train on each fold's rows and answer its held-out rows.

    Args:
        lines: the n_texts service lines.
        line_labels: the label of each line.
        terms: (n_terms,), as `count_terms` returns them.
        counts: (n_texts, n_terms).
        splits: the (training rows, held-out rows) of each fold; each row is held out once at most.
        settings: the settings of training.

    Returns:
        The uncalibrated log-odds of KPO against BPO, and of NEITHER against the two: float64 (n_texts,)
        each; NaN for rows that no fold holds out.
    """
    tasks = _of_folds(lines, line_labels, terms, counts, splits, settings)
    return _in_place(len(lines), splits, joblib.Parallel(n_jobs=-1, prefer="processes")(tasks))


def _fit_with_folds(
    dataset: Dataset,
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    schemes: Mapping[str, Splits],
    settings: Settings,
) -> tuple[Model, dict[str, tuple[Floats, Floats]]]:
    """Fit the model to all rows, and return for each scheme what `held_out_answers` does.

    All fits are one batch, so that no core waits while another is at the last of a scheme, or at the model.
    """
    lines, line_labels = dataset.lines or dataset.labels, roll_up(dataset)
    if not schemes:
        return fit(terms, counts, lines, line_labels, settings), {}
    splits = [split for of_scheme in schemes.values() for split in of_scheme]
    tasks = _of_folds(lines, line_labels, terms, counts, splits, settings)
    whole = joblib.delayed(fit)(terms, counts, lines, line_labels, settings)
    model, *results = joblib.Parallel(n_jobs=-1, prefer="processes")([whole, *tasks])
    left = iter(results)
    return model, {
        scheme: _in_place(len(lines), of_scheme, list(itertools.islice(left, len(of_scheme))))
        for scheme, of_scheme in schemes.items()
    }


def _of_folds(
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    splits: Splits,
    settings: Settings,
) -> list[Any]:
    """Return a call of `_held_out` for each fold, for joblib to make."""
    return [
        joblib.delayed(_held_out)(
            terms, counts, rows, held_out, [lines[i] for i in rows], line_labels, settings
        )
        for rows, held_out in splits
    ]


def _in_place(
    n_texts: int, splits: Splits, results: Sequence[tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Put the answers of each fold where its held-out rows stand; NaN elsewhere."""
    log_odds, neither_log_odds = np.full((2, n_texts), np.nan)
    for (_, held_out), (kpo, neither) in zip(splits, results, strict=True):
        log_odds[held_out], neither_log_odds[held_out] = kpo, neither
    return log_odds, neither_log_odds


# A function of the module, and what is large an argument: on a cluster it then goes to each worker once.
def _held_out(
    terms: NDArray[np.str_],
    counts: scipy.sparse.csr_matrix,
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
    lines: Sequence[str],
    line_labels: Mapping[str, str],
    settings: Settings,
) -> tuple[Floats, Floats]:
    counted = counts[rows]
    model = fit(terms, counted, lines, line_labels, settings)
    scores = line_scores(model, counts[held_out][:, is_frequent(counted, settings)])
    return model.log_odds(scores), model.neither_log_odds(scores)
