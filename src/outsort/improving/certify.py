"""Make the promise of a model one's own: calibrate and certify it on a random sample of one's own texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort import progress
from outsort.data.dataset import Dataset
from outsort.data.identity import as_text, hashes_of, same_text
from outsort.decision import WEAK
from outsort.errors import DataError
from outsort.improving.queue import DRAWN
from outsort.labels import UNCLEAR
from outsort.likeness import Tally
from outsort.model import CERTIFIED, Model, log_proba
from outsort.numeric import Floats, logsumexp
from outsort.results import Result
from outsort.scoring.scorer import Scorer
from outsort.training.about import Promise
from outsort.training.calibration import calibrate, frequencies
from outsort.training.threshold import Certificate, certify, rows_to_accept

#: Fewer drawn rows promise nothing.
MIN_DRAWN = 30
N_FOLDS = 5


class NoSampleError(DataError):
    """Rows that cannot certify anything, however good the model is."""


class Drawn(NamedTuple):
    """The rows of a sample that were drawn at random.

    Attributes:
        texts: the n_texts texts.
        rows: intp (n_rows,), the text of each draw; a text may be drawn more than once.
        codes: intp (n_rows,), the place of its label; -1 for UNCLEAR.
        fold: intp (n_rows,), 0 to `N_FOLDS` - 1.
        unlike: bool (n_rows,), whether its answer goes to review whatever its confidence.
    """

    texts: list[str]
    rows: NDArray[np.intp]
    codes: NDArray[np.intp]
    fold: NDArray[np.intp]
    unlike: NDArray[np.bool_]


@dataclass(frozen=True)
class Certified(Result):
    """What a random sample says of a model.

    Attributes:
        n_texts: labelled texts in the sample.
        certificate: what they certify.
        n_for_more: about how many labels would certify the threshold that accepts `more`; -1 if no number would.
        more: the largest share of rows whose answers were right often enough in the sample.
        share_of: the share of another table's rows that are accepted; None without one.
    """

    n_texts: int
    certificate: Certificate
    n_for_more: int
    more: float
    share_of: float | None = None


def certify_model(
    model: Model,
    sample: Dataset,
    *,
    is_random: bool = False,
    target_precision: float = 0.95,
    level: float = 0.9,
    seed: int = 0,
) -> tuple[Model, Certified]:
    """Calibrate a model and certify its threshold on a random sample of the texts that it is to answer.

    The present answers are calibrated again, as in training: each fifth of the sample by a curve fitted to the
    others, so that no answer is judged by a curve that it helped to fit. Those answers certify the threshold; the
    curve of the new model is fitted to all.

    Args:
        model: the model.
        sample: labelled texts, read with ``for_training=False`` and the model's labels. UNCLEAR counts as a
            mistake wherever the answer is accepted.
        is_random: take every row for drawn at random, once; otherwise the column `DRAWN` says how often each was.
        target_precision: precision that accepted answers must have.
        level: confidence level of that promise.
        seed: random seed.

    Returns:
        The model with its new calibration and threshold, and what it promises. With no threshold certified, the
        model as it was.

    Raises:
        DataError: the model was trained on texts of the sample.
        NoSampleError: the sample is not marked as random, is too small, or has one label only.
    """
    texts, rows, codes, fold, unlike = drawn_sample(model, sample, model.labels, is_random=is_random, seed=seed)
    progress.tell("answering the sample")
    scores = _scores(model, texts)[rows]
    proba = np.empty((len(rows), len(model.labels)))
    for k in range(N_FOLDS):
        out = fold == k
        proba[out] = np.exp(log_proba(scores[out], _fitted(codes[~out], scores[~out], model), model.n_in_scope))
    confidence = np.where(unlike, 0.0, proba.max(axis=1))
    correct = proba.argmax(axis=1) == codes
    certificate = certify(confidence, correct, target_precision, level)
    more, n_for_more = rows_to_accept(confidence, correct, target_precision, level)
    result = Certified(len(texts), certificate, n_for_more, more)
    if not certificate.coverage:
        return model, result
    again = _fitted(codes, scores, model)
    calibration = model.calibration * again[:, 1:]
    calibration[:, 0] += again[:, 0]
    known = codes[codes >= 0]
    prior = frequencies(known, np.ones(len(known)), len(model.labels))
    certified = replace(model, calibration=calibration, prior=prior, threshold=certificate.threshold)
    tally = Tally()
    Scorer(certified, workers=1).columns([texts[i] for i in rows.tolist()], tally=tally)
    promise = Promise(
        **vars(certificate),
        held_out=f"random sample {Path(sample.source).name}",
        measured=tally.profile(model.labels).to_dict(),
    )
    # What was certified of categories held for the old calibration.
    about = {name: value for name, value in model.about.items() if name != CERTIFIED}
    about |= {"decision": promise.to_dict()}
    return replace(certified, seen=np.union1d(model.seen, hashes_of(texts)), about=about), result


def drawn_sample(model: Model, sample: Dataset, names: Sequence[str], *, is_random: bool, seed: int) -> Drawn:
    """Return the rows of a sample that were drawn at random; see `certify_model`.

    Args:
        model: the model.
        sample: texts labelled with `names`, or UNCLEAR.
        names: what the codes are places in.
        is_random: see `certify_model`.
        seed: random seed.

    Raises:
        DataError: the model was trained on texts of the sample.
        NoSampleError: the sample is not marked as random, is too small, or has one label only.
    """
    drawn = _times_drawn(sample, is_random=is_random)
    kept = np.flatnonzero(drawn)
    texts = [sample.texts[i] for i in kept.tolist()]
    labels = np.array(sample.labels)[kept]
    _check(model, sample, texts, labels, drawn[kept])
    codes = np.array([names.index(label) if label != UNCLEAR else -1 for label in labels.tolist()])
    rows = np.repeat(np.arange(len(kept)), drawn[kept])
    # Rows of the same text are in the same fold.
    _, text_of_row = np.unique([same_text(text) for text in texts], return_inverse=True)
    fold = np.random.default_rng(seed).permutation(text_of_row.max() + 1)[text_of_row][rows] % N_FOLDS
    # What goes to review whatever its confidence is never accepted.
    reasons = Scorer(model, workers=1).columns(texts)["reason"].tolist()
    unlike = np.array([reason not in WEAK for reason in reasons])
    return Drawn(texts, rows, codes[rows], fold, unlike[rows])


def _times_drawn(sample: Dataset, *, is_random: bool) -> NDArray[np.intp]:
    """Return how often each row was drawn at random: intp (n_texts,)."""
    if is_random:
        return np.ones(len(sample.texts), np.intp)
    if DRAWN not in sample.frame:
        raise NoSampleError(
            f"{sample.source}: does not say that it is a random sample. Make one with `outsort review --strategy "
            "random`; if its rows were drawn at random elsewhere, say so with --random-sample."
        )
    cells = [as_text(cell).strip() or "0" for cell in sample.frame[DRAWN]]
    for number, cell in zip(sample.frame.index, cells, strict=True):
        if not (cell.removesuffix(".0").isascii() and cell.removesuffix(".0").isdigit()):
            raise DataError(f"{sample.source}: row {number}: {DRAWN} {cell!r} is not a number of draws.")
    return np.array([int(cell.removesuffix(".0")) for cell in cells], np.intp)


def _check(
    model: Model, sample: Dataset, texts: Sequence[str], labels: NDArray[np.str_], drawn: NDArray[np.intp]
) -> None:
    n_seen = int(np.isin(hashes_of(texts), model.seen).sum())
    if n_seen:
        raise DataError(
            f"{sample.source}: the model was trained on {n_seen:,} of its {len(texts):,} texts, or certified on them "
            "before. Draw others, or certify the model as it was trained."
        )
    if drawn.sum() < MIN_DRAWN:
        raise NoSampleError(
            f"{sample.source}: {drawn.sum():,} rows drawn at random promise nothing. Label {MIN_DRAWN} or more; "
            "200 are usual."
        )
    decided = set(labels.tolist()) - {UNCLEAR}
    if len(decided) < 2:
        only = f"only the label {decided.pop()!r}" if decided else "no label but UNCLEAR"
        raise NoSampleError(f"{sample.source}: has {only}. A sample needs two labels or more.")


def _scores(model: Model, texts: Sequence[str]) -> Floats:
    """Return the present answers as scores whose calibration leaves them as they are: float64 (n, n_labels)."""
    answers = model.predict_log_proba(texts)
    in_scope = logsumexp(answers[:, : model.n_in_scope])
    return np.asarray(answers - in_scope[:, None])


def _fitted(codes: NDArray[np.intp], scores: Floats, model: Model) -> Floats:
    """Return the calibration of scores that fits their labels: float64 (n_labels, 2); UNCLEAR teaches nothing."""
    decided = codes >= 0
    codes, scores = codes[decided], scores[decided]
    calibration, _ = calibrate(codes, scores, np.zeros(len(codes)), np.ones(len(codes)), model.n_in_scope)
    return calibration
