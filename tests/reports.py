"""Answers and reports of a few rows, for the tests of reports and their verdicts."""

import datetime
from dataclasses import replace

import numpy as np

from outsort.evaluation import evaluate
from outsort.evaluation.evaluate import Answers
from outsort.labels import find_out_of_scope
from outsort.reporting import report
from outsort.training import folds
from outsort.training.about import DataIdentity

CERTIFIED = {"target": 0.8, "level": 0.9, "threshold": 0.9, "precision": 0.9, "bound": 0.8, "coverage": 0.5}
CERTIFIED |= {"n_rows": 500, "n_more": 0, "held_out": folds.LINES_OUT, "measured": {}}
UNCERTIFIED = CERTIFIED | {"threshold": None, "precision": None, "bound": None, "coverage": 0.0}


def answers_of(labels, p_second, accepted=None, weights=None, lines=None, names=("BPO", "KPO", "NEITHER")):
    """Answers of `names` with the probabilities of the second, and of the first for what is left."""
    n = len(labels)
    proba = np.zeros((n, len(names)))
    proba[:, 1] = p_second
    proba[:, 0] = 1 - proba[:, 1]
    return Answers(
        numbers=list(range(n)),
        texts=[f"key invoices {i}" for i in range(n)],
        labels=np.array(labels),
        lines=None if lines is None else np.array(lines),
        proba=proba,
        names=names,
        out_of_scope=find_out_of_scope(names),
        accepted=np.ones(n, bool) if accepted is None else np.array(accepted),
        weights=np.ones(n) if weights is None else np.array(weights, dtype=float),
        source="d.csv",
    )


def report_of(model, answers, decision=None, scheme=None, **figures):
    model = replace(model, about=model.about | {"decision": decision or {}})
    data = DataIdentity(source="d.csv", sha256="0", rows=len(answers.texts), rows_by_label={}, longest=9)
    figures = replace(evaluate.measure(model, answers), **figures)
    return report.Report(model, answers, figures, data, datetime.date(2026, 4, 30), scheme)
