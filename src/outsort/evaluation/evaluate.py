"""Score a model's answers to labelled texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import joblib
import numpy as np
from numpy.typing import NDArray

from outsort import progress
from outsort.data.dataset import Dataset
from outsort.data.identity import hashes_of
from outsort.data.values import column_of, groups_of, weights_of
from outsort.decision import ACCEPT, REVIEW, threshold_of
from outsort.evaluation.baselines import Baseline, baselines
from outsort.evaluation.breakdown import (
    LabelError,
    LineScore,
    MatrixRow,
    Threshold,
    by_line,
    label_errors,
    matrix,
    thresholds,
)
from outsort.explanation import explain
from outsort.metrics import Counts, CurvePoint, Decisions, Scores, curve, decisions, intervals, score, weighted_share
from outsort.model import Model
from outsort.numeric import Floats
from outsort.prediction import Prediction, predictions, strongest_terms
from outsort.results import Result, plain
from outsort.rules.rule import Rules
from outsort.taxonomy import Taxonomy
from outsort.taxonomy import predictions as with_categories

#: Share of the texts that a model was trained on above which its answers to them are no evidence: scores then say how
#: well it remembers. Below it they are off by less than this.
MOST_SEEN = 0.05
#: Texts of one task.
_TEXTS_PER_TASK = 1_000


@dataclass(frozen=True)
class RuledRows(Result):
    """Labelled rows that rules decided.

    Attributes:
        rows: how many.
        labelled: how many of these have a label that the model knows.
        right: how many of these the rules have right.
        model_right: how many of these the model alone has right.
    """

    rows: int
    labelled: int
    right: int
    model_right: int


@dataclass(frozen=True)
class RuledBy(RuledRows):
    """The rows that one rule decided: its name, and the label that it gives."""

    rule: str
    label: str


@dataclass(frozen=True)
class Ruled(RuledRows):
    """What rules decided of labelled rows.

    Attributes:
        rules: their fingerprint.
        model_accuracy: the accuracy of the model alone, on all rows; None without rows of a known label.
        by_rule: the rules that decided, the most rows first.
    """

    rules: str
    model_accuracy: float | None
    by_rule: list[RuledBy]


@dataclass(frozen=True)
class Answers:
    """Labelled rows and the answers to them.

    Attributes:
        numbers: the number of each of the n_rows rows in its file.
        texts: n_rows strings.
        labels: str (n_rows,), the actual labels; UNCLEAR where the text says too little.
        lines: str (n_rows,), the service lines in the data, or None.
        proba: float64 (n_rows, n_labels), the probability of each label.
        names: the n_labels labels that the model knows.
        out_of_scope: one of them, or "".
        accepted: bool (n_rows,), whether the answer is accepted without review.
        weights: float64 (n_rows,), the weight of each row.
        source: the name of the data in messages.
        groups: str (n_rows,), for each column to score by: see `groups_of`.
        threshold: the confidence from which answers were accepted; None for that of the model.
        by_label: whether they were accepted where the model accepts its label, as categories are that no sample
            certified, and not by their own confidence.
        ruled: what rules decided; None without rules.
    """

    numbers: Sequence[object]
    texts: Sequence[str]
    labels: NDArray[np.str_]
    lines: NDArray[np.str_] | None
    proba: Floats
    names: Sequence[str]
    out_of_scope: str
    accepted: NDArray[np.bool_]
    weights: Floats
    source: str
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    threshold: float | None = None
    by_label: bool = False
    ruled: Ruled | None = None

    @property
    def predicted(self) -> NDArray[np.str_]:
        """The most probable label of each row; the first of a tie."""
        return np.asarray(np.array(self.names)[self.proba.argmax(axis=1)])

    @property
    def probability(self) -> Floats:
        """Its probability, which is compared with the threshold."""
        return np.asarray(self.proba.max(axis=1))


@dataclass(frozen=True)
class Mistake(Result):
    """A row with the wrong answer.

    Attributes:
        row: its number in the file.
        text: the text.
        label: the actual label.
        predicted: the predicted label.
        probability: the probability of the predicted label.
        weight: the weight of the row.
        decision: accept or review.
        for_: the top terms for the predicted label, each with its log-odds.
        against: the top terms against it, likewise.
    """

    row: object
    text: str
    label: str
    predicted: str
    probability: float
    weight: float
    decision: str
    for_: dict[str, float]
    against: dict[str, float]


@dataclass(frozen=True)
class Evaluation(Scores):
    """The scores of a model, and what is behind them.

    Attributes:
        decision: what accepting answers at the model's threshold comes to.
        is_certified: whether that threshold was certified, by held-out rows or a sample.
        curve: precision against coverage.
        matrix: labels and answers, with what goes to review.
        thresholds: what those of the curve and that of the model would accept.
        mistakes: the wrong rows with the highest probability times weight, worst first.
        baselines: what the model has to be better than.
        intervals: the low and high ends of each score: see `metrics.intervals`.
        by: for each column, for each of its values, the scores of its rows; of a value without rows of
            a known label, the counts only.
        share_seen: the share of the texts that the model was trained on.
        service_lines: the scores of each, worst first.
        label_errors: labels that are probably wrong, most likely first; None where that was not looked for: without
            cleanlab, or where the answers are no evidence.
        ruled: what rules decided; None without rules.
    """

    decision: Decisions
    is_certified: bool
    curve: list[CurvePoint]
    matrix: list[MatrixRow]
    thresholds: list[Threshold]
    mistakes: list[Mistake]
    baselines: list[Baseline] = field(default_factory=list)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    by: dict[str, dict[str, Counts]] = field(default_factory=dict)
    share_seen: float = 0.0
    service_lines: list[LineScore] = field(default_factory=list)
    label_errors: list[LabelError] | None = None
    ruled: Ruled | None = None

    @property
    def is_evidence(self) -> bool:
        """Whether the answers say how good the model is: it was trained on none of the texts, or on very few."""
        return self.share_seen <= MOST_SEEN


def evaluate(
    model: Model,
    dataset: Dataset,
    *,
    by: Sequence[str] = (),
    weight_column: str | None = None,
    n_mistakes: int = 10,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
) -> Evaluation:
    """Score a model's answers to labelled texts.

    Args:
        model: the model.
        dataset: read with ``for_training=False`` and the model's labels. Rows labelled UNCLEAR count in
            `out_of_scope_auc` and `decision` only.
        by: columns; each of their values is scored separately, of dates each month.
        weight_column: a column of weights: spend, headcount.
        n_mistakes: mistakes to list.
        taxonomy: score the categories of its one axis instead of labels; the dataset is then labelled with their codes.
            Where no sample certified them, what is accepted is what the model accepts.
        rules: let these rules decide before the model, not with a taxonomy. A label that one gives trades its
            probability with the label that the model would have given.

    Raises:
        DataError: no row has a label that the model knows; a column is missing; a weight is not a number of 0 or above.
    """
    answers = answer(model, dataset, by=by, weight_column=weight_column, taxonomy=taxonomy, rules=rules)
    return evaluate_answers(model, answers, n_mistakes=n_mistakes)


def answer(
    model: Model,
    dataset: Dataset,
    *,
    by: Sequence[str] = (),
    weight_column: str | None = None,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
) -> Answers:
    """Answer every row; the arguments are those of `evaluate`."""
    of_rules = rules.columns_in(dataset.source, [str(column) for column in dataset.frame.columns]) if rules else {}
    weights = weights_of(dataset, weight_column)
    groups = {name: groups_of(dataset, name) for name in by}
    given = _answers(dataset.texts, model, taxonomy)
    is_certified = taxonomy is not None and not np.isnan(taxonomy.axes[0].threshold)
    of_rows = [a.categories[0].probabilities if taxonomy else a.probabilities for a in given]
    answers = Answers(
        numbers=[plain(number) for number in dataset.frame.index],
        texts=dataset.texts,
        labels=np.array(dataset.labels),
        lines=None if dataset.lines is None else np.array(dataset.lines),
        proba=np.array([list(probabilities.values()) for probabilities in of_rows]),
        names=taxonomy.axes[0].codes if taxonomy else model.labels,
        out_of_scope=taxonomy.axes[0].out_of_scope if taxonomy else model.out_of_scope,
        accepted=np.array([(a.categories[0] if is_certified else a).decision == ACCEPT for a in given]),
        weights=weights,
        source=dataset.source,
        groups=groups,
        threshold=taxonomy.axes[0].threshold if taxonomy and is_certified else None,
        by_label=taxonomy is not None and not is_certified,
    )
    return _ruled(answers, dataset, rules, of_rules) if rules else answers


def _ruled(answers: Answers, dataset: Dataset, rules: Rules, of_rules: Mapping[str, str]) -> Answers:
    """Return answers as rules have them, with the columns that `Rules.columns_in` found."""
    hits = rules.hits(dataset.texts, lambda name: column_of(dataset, of_rules[name]), dataset.source)
    decided = rules.deciding(hits, ~answers.accepted)
    rows = np.flatnonzero(decided >= 0)
    names = list(answers.names)
    proba = answers.proba.copy()
    given = np.array([names.index(rules.rules[i].label) for i in decided[rows].tolist()], np.intp)
    best = answers.proba[rows].argmax(axis=1)
    proba[rows, given], proba[rows, best] = answers.proba[rows, best], answers.proba[rows, given]
    with_rules = replace(answers, proba=proba, accepted=answers.accepted | (decided >= 0))
    known = np.isin(answers.labels, names)
    right, model_right = (a.predicted == answers.labels for a in (with_rules, answers))

    def counts(of: NDArray[np.bool_]) -> dict[str, int]:
        parts = {"rows": of, "labelled": of & known, "right": of & right, "model_right": of & model_right}
        return {name: int(part.sum()) for name, part in parts.items()}

    places, n_rows = np.unique(decided[rows], return_counts=True)
    ranked = places[np.argsort(-n_rows, kind="stable")].tolist()
    ruled = Ruled(
        **counts(decided >= 0),
        rules=rules.fingerprint,
        model_accuracy=weighted_share(answers.weights, model_right, known),
        by_rule=[RuledBy(**counts(decided == i), rule=rules.rules[i].name, label=rules.rules[i].label) for i in ranked],
    )
    return replace(with_rules, ruled=ruled)


def evaluate_answers(model: Model, answers: Answers, *, n_mistakes: int = 10) -> Evaluation:
    """Do what `evaluate` does for existing answers."""
    a = answers
    progress.tell("scores and their intervals")
    measured = replace(
        measure(model, a, n_mistakes=n_mistakes),
        intervals=intervals(a.labels, a.proba, a.names, a.out_of_scope, weights=a.weights),
        share_seen=float(np.isin(hashes_of(a.texts), model.seen).mean()),
        ruled=a.ruled,
    )
    return replace(measured, label_errors=label_errors(a)) if measured.is_evidence else measured


def measure(model: Model, answers: Answers, *, n_mistakes: int = 10) -> Evaluation:
    """Return what `evaluate` does, without intervals of scores, what the model has seen and probable label errors.

    The answers may come from other models, as in cross-validation: `model` supplies the threshold and the
    top terms.
    """
    a = answers
    threshold = threshold_of(model) if a.threshold is None else a.threshold
    points = curve(a.labels == a.predicted, a.probability, a.weights)
    wrong = np.flatnonzero(np.isin(a.labels, a.names) & (a.labels != a.predicted))
    worst = wrong[np.argsort(-(a.weights * a.probability)[wrong], kind="stable")]
    return Evaluation(
        **vars(score(a.labels, a.proba, a.names, a.out_of_scope, weights=a.weights, source=a.source)),
        decision=decisions(a.labels, a.names, a.predicted, a.accepted, a.weights, threshold),
        is_certified=a.threshold is not None or model.is_certified,
        curve=points,
        matrix=matrix(a),
        thresholds=thresholds(a, [point.threshold for point in points], None if a.by_label else threshold),
        mistakes=[_mistake(model, a, i) for i in worst[:n_mistakes].tolist()],
        baselines=baselines(a.texts, a.labels, a.predicted, a.names, a.weights),
        by={
            name: {str(value): _score_group(a, values == value) for value in sorted(set(values))}
            for name, values in a.groups.items()
        },
        service_lines=by_line(a),
    )


def _score_group(answers: Answers, rows: NDArray[np.bool_]) -> Counts:
    a = answers
    decided = rows & np.isin(a.labels, a.names)
    if not a.weights[decided].any():
        return Counts(int(decided.sum()), int((rows & ~decided).sum()))
    return score(a.labels[rows], a.proba[rows], a.names, a.out_of_scope, weights=a.weights[rows])


def _mistake(model: Model, answers: Answers, i: int) -> Mistake:
    predicted = str(answers.predicted[i])
    # A category has no terms of its own: those of the model's label stand for them.
    label = predicted if predicted in model.labels else None
    for_, against = strongest_terms(explain(model, answers.texts[i], label))
    return Mistake(
        row=answers.numbers[i],
        text=answers.texts[i],
        label=str(answers.labels[i]),
        predicted=predicted,
        probability=float(answers.probability[i]),
        weight=float(answers.weights[i]),
        decision=ACCEPT if answers.accepted[i] else REVIEW,
        for_=dict(for_),
        against=dict(against),
    )


def _answers(texts: Sequence[str], model: Model, taxonomy: Taxonomy | None) -> list[Prediction]:
    """Answer texts: in this process, or as tasks of the joblib backend in use."""
    pieces = [texts[start : start + _TEXTS_PER_TASK] for start in range(0, len(texts), _TEXTS_PER_TASK)]
    tasks = [joblib.delayed(_answered)(piece, model, taxonomy) for piece in pieces]
    return list(chain.from_iterable(progress.in_parallel("row", tasks, list(map(len, pieces)))))


def _answered(texts: Sequence[str], model: Model, taxonomy: Taxonomy | None) -> list[Prediction]:
    return list(with_categories(texts, model, taxonomy) if taxonomy else predictions(texts, model))
