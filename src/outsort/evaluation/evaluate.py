"""How good answers are: small pure functions over labels and probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from outsort.data.identity import hashes_of
from outsort.data.values import column_of, weights_of
from outsort.decision import ACCEPT, REVIEW, threshold_of
from outsort.explanation import explain
from outsort.labels import ANSWERS
from outsort.metrics import curve, decisions, intervals, plain, score
from outsort.prediction import predictions, strongest_terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.numeric import Floats
    from outsort.prediction import Prediction

#: Texts answered at a time.
_TEXTS_PER_TASK = 10_000


@dataclass(frozen=True)
class Answers:
    """Labelled rows and the answers to them.

    Attributes:
        numbers: of each of the n_rows rows, the number its file knows it by.
        texts: n_rows strings.
        labels: str (n_rows,) of BPO, KPO, NEITHER, UNCLEAR.
        lines: str (n_rows,), the service lines that the data name, or None.
        p_kpo: float64 (n_rows,), the probability of KPO, given that the work is BPO or KPO.
        p_neither: float64 (n_rows,), the probability of NEITHER, or NaN.
        accepted: bool (n_rows,), whether the answer is taken without a look.
        weights: float64 (n_rows,), how much each row counts.
        source: the name to call the data by.
        groups: for columns to score apart by, their n_rows values.
    """

    numbers: Sequence[object]
    texts: Sequence[str]
    labels: NDArray[np.str_]
    lines: NDArray[np.str_] | None
    p_kpo: Floats
    p_neither: Floats
    accepted: NDArray[np.bool_]
    weights: Floats
    source: str
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    @property
    def said(self) -> NDArray[np.str_]:
        """The better of BPO and KPO for each row; a tie is BPO."""
        return np.where(self.p_kpo > 0.5, *ANSWERS[::-1])

    @property
    def probability(self) -> Floats:
        """What that answer was given, 0.5 to 1."""
        return np.maximum(self.p_kpo, 1 - self.p_kpo)

    @property
    def confidence(self) -> Floats:
        """What the threshold cuts: see `decision.confidence`."""
        return self.probability * (1 - np.nan_to_num(self.p_neither))


def evaluate(
    model: Model,
    dataset: Dataset,
    *,
    by: Sequence[str] = (),
    weight_column: str | None = None,
    n_mistakes: int = 10,
) -> dict[str, Any]:
    """Score a model's answers to labelled texts.

    Args:
        model: the model to ask.
        dataset: read with ``for_training=False``; rows that are NEITHER or UNCLEAR are counted, and
            used for how well they are told from the rest and for what is accepted.
        by: columns; each of their values is scored apart, too.
        weight_column: a column of how much each row counts: spend, headcount.
        n_mistakes: how many of the worst mistakes to list.

    Returns:
        The scores of `score`, and:

        - `intervals`: see `intervals`;
        - `decision`: see `decisions`, at the model's threshold;
        - `curve`: see `curve`;
        - `by`: for each column, for each of its values, the scores of `score` on its rows; a value
          without a row of BPO or KPO has its counts only;
        - `mistakes`: the wrong rows the model was surest of, by weight, as dicts with row, text, label,
          predicted, probability, weight, decision, `for` and `against` (terms and their log-odds);
        - `share_seen`: what share of the texts stands in the model's training data.

    Raises:
        DataError: no row is labelled BPO or KPO; a column is missing; a weight is no number of 0 or above.
    """
    answers = answer(model, dataset, by=by, weight_column=weight_column)
    return evaluate_answers(model, answers, n_mistakes=n_mistakes)


def answer(
    model: Model, dataset: Dataset, *, by: Sequence[str] = (), weight_column: str | None = None
) -> Answers:
    """Ask a model about every row; the arguments are those of `evaluate`."""
    weights = weights_of(dataset, weight_column) if weight_column else np.ones(len(dataset.texts))
    groups = {name: np.array(column_of(dataset, name)) for name in by}
    given = _answers(dataset.texts, model)
    return Answers(
        numbers=[plain(number) for number in dataset.frame.index],
        texts=dataset.texts,
        labels=np.array(dataset.labels),
        lines=None if dataset.lines is None else np.array(dataset.lines),
        p_kpo=np.array([a.p_kpo for a in given]),
        p_neither=np.array([a.p_neither for a in given]),
        accepted=np.array([a.decision == ACCEPT for a in given]),
        weights=weights,
        source=dataset.source,
        groups=groups,
    )


def evaluate_answers(model: Model, answers: Answers, *, n_mistakes: int = 10) -> dict[str, Any]:
    """Do what `evaluate` does for answers that are at hand."""
    a = answers
    return measure(model, a, n_mistakes=n_mistakes) | {
        "intervals": intervals(a.labels, a.p_kpo, a.p_neither, weights=a.weights),
        "by": {
            name: {
                str(value): score(
                    *(array[values == value] for array in (a.labels, a.p_kpo, a.p_neither)),
                    weights=a.weights[values == value],
                )
                for value in sorted(set(values))
            }
            for name, values in a.groups.items()
        },
        "share_seen": float(np.isin(hashes_of(a.texts), model.seen).mean()),
    }


def measure(model: Model, answers: Answers, *, n_mistakes: int = 10) -> dict[str, Any]:
    """Return the scores, `decision`, `curve` and `mistakes` of `evaluate`.

    The answers need not be the model's own: those of cross-validation are by models without the row. The
    model says at which threshold they are accepted, and which words speak for and against a wrong answer.
    """
    a = answers
    wrong = np.flatnonzero(np.isin(a.labels, ANSWERS) & (a.labels != a.said))
    worst = wrong[np.argsort(-(a.weights * (a.probability - 0.5))[wrong], kind="stable")]
    return score(a.labels, a.p_kpo, a.p_neither, weights=a.weights, source=a.source) | {
        "decision": {"threshold": threshold_of(model)} | decisions(a.labels, a.said, a.accepted, a.weights),
        "curve": curve(a.labels == a.said, a.confidence, a.weights),
        "mistakes": [_mistake(model, a, i) for i in worst[:n_mistakes].tolist()],
    }


def _mistake(model: Model, answers: Answers, i: int) -> dict[str, Any]:
    said = str(answers.said[i])
    spoke_for, against = strongest_terms(explain(model, answers.texts[i]), said)
    return {
        "row": answers.numbers[i],
        "text": answers.texts[i],
        "label": str(answers.labels[i]),
        "predicted": said,
        "probability": float(answers.probability[i]),
        "weight": float(answers.weights[i]),
        "decision": ACCEPT if answers.accepted[i] else REVIEW,
        "for": dict(spoke_for),
        "against": dict(against),
    }


def _answers(texts: Sequence[str], model: Model) -> list[Prediction]:
    """Answer texts: here, or many at a time where joblib was told of other places to work."""
    pieces = (texts[start : start + _TEXTS_PER_TASK] for start in range(0, len(texts), _TEXTS_PER_TASK))
    answered = joblib.Parallel()(joblib.delayed(_answered)(piece, model) for piece in pieces)
    return list(chain.from_iterable(answered))


def _answered(texts: Sequence[str], model: Model) -> list[Prediction]:
    return list(predictions(texts, model))
