"""The plan: a curve through accuracies, and labels where they take most mistakes away."""

import io
import json
import random
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.improving.plan import MAX_FORECAST, Curve, _curve_through, allocate, plan
from outsort.reporting.layout import write_tables
from outsort.reporting.terminal import plan_tables

SHARED = ["review", "update", "manage", "check", "prepare", "align", "deliver", "track", "shape"]
OWN = {"typing": ["key", "type", "copy", "scan", "punch"], "lawyering": ["sue", "plead", "argue", "appeal", "litigate"]}
LABELS = {"typing": "BPO", "lawyering": "KPO", "murky_bpo": "BPO", "murky_kpo": "KPO"}


@pytest.fixture(scope="module")
def dataset():
    """Two lines told apart by their words, and two of the same words, one BPO and one KPO."""
    rng = random.Random(0)
    rows = [
        (" ".join(rng.choices(OWN.get(line, SHARED), k=4)) + f" {line[:3] if line in OWN else ''}{i}", label, line)
        for line, label in LABELS.items()
        for i in range(60 if line in OWN else 40)
    ]
    return read(pd.DataFrame(rows, columns=["text", "label", "service_line"]).drop_duplicates("text"))


@pytest.fixture(scope="module")
def planned(dataset):
    return plan(dataset, n_labels=100, n_folds=3)


def test_labels_go_to_the_lines_that_are_mistaken(planned):
    labels = {line.service_line: line.labels for line in planned.lines}
    assert sum(labels.values()) == planned.to_make == 100
    assert labels["murky_bpo"] + labels["murky_kpo"] >= 90
    assert {line.accuracy for line in planned.lines if line.service_line in OWN} == {1.0}


def test_the_curve_is_measured_at_growing_sizes_on_rows_held_out(planned, dataset):
    sizes = [point.rows for point in planned.curve]
    assert sizes == sorted(sizes)
    assert sizes[-1] == round(len(dataset.texts) * 2 / 3)
    assert planned.curve[-1].accuracy < 0.9


def test_weight_draws_labels(dataset):
    lines = np.array(dataset.lines)
    weighty = dataset.frame.assign(spend=np.where(lines == "murky_kpo", "100", "1"))
    labels = {
        line.service_line: line.labels
        for line in plan(read(weighty), n_labels=100, n_folds=3, weight_column="spend").lines
    }
    assert labels["murky_kpo"] > 80


@pytest.mark.parametrize("curve", [Curve(0.95, 2.0, 0.5), Curve(0.9, 1.0, 0.3)])
def test_a_curve_is_found_again_from_its_points(curve):
    sizes = [300, 530, 940, 1670, 2970]
    found = _curve_through(sizes, np.array([curve.accuracy(n) for n in sizes]))
    assert astuple(found) == pytest.approx(astuple(curve), rel=0.02)


def test_accuracy_that_does_not_rise_has_no_curve():
    assert _curve_through([100, 200, 400], np.array([0.8, 0.81, 0.8])) is None


def test_a_hundred_labels_bring_the_least_gain_where_they_cease_to_be_worth_it():
    curve = Curve(0.95, 2.0, 0.5)
    n = curve.rows_until(0.001)
    assert (curve.accuracy(n + 0.5) - curve.accuracy(n - 0.5)) * 100 == pytest.approx(0.001, rel=1e-3)


def test_no_other_allocation_leaves_less_error():
    rng = np.random.default_rng(0)
    n, errors, power = rng.integers(5, 200, 8), rng.random(8), 0.4
    best = allocate(n, errors, 300, power)

    def left(more):
        return (errors * (n / (n + more)) ** power).sum()

    assert best.sum() == 300
    moves = [(i, j) for i in range(8) for j in range(8) if i != j and best[i]]
    assert moves
    for i, j in moves:
        other = best.copy()
        other[i] -= 1
        other[j] += 1
        assert left(other) >= left(best) - 1e-4


@pytest.fixture(scope="module")
def learnable():
    """Three hundred texts of words that each belong to one label: the more are known, the better."""
    rng = random.Random(0)
    labels = ["KPO", "BPO"] * 150
    texts = [" ".join(f"{label[0]}{rng.randrange(100)}x" for _ in range(2)) for label in labels]
    return read(
        pd.DataFrame({"text": [f"{t} s{rng.randrange(20)}" for t in texts], "label": labels}).drop_duplicates("text")
    )


@pytest.mark.parametrize(("min_gain", "is_more"), [(1e-6, True), (0.001, False)])
def test_more_than_is_shown_where_labels_are_still_worth_it_at_the_end_of_the_forecast(learnable, min_gain, is_more):
    result = plan(learnable, min_gain=min_gain, n_folds=3)
    # The oracle: what a hundred labels bring on the curve where the forecast ends.
    curve, end = result.fit, MAX_FORECAST * len(learnable.texts)
    assert (curve.accuracy(end + 50) - curve.accuracy(end - 50) > min_gain) == is_more
    assert result.is_more == is_more
    assert 0 < result.worth <= end - len(learnable.texts)
    shown = io.StringIO()
    write_tables(shown, plan_tables(result, 0))
    beginning = "More than" if is_more else "About"
    assert f"{beginning} {result.worth:,} more labels are worth making" in " ".join(shown.getvalue().split())


def test_labels_of_ones_own_are_planned_like_any():
    rng = random.Random(0)
    own = {"Billing": OWN["typing"], "Network": OWN["lawyering"], "Hardware": SHARED, "Software": SHARED}
    rows = [(" ".join(rng.choices(words, k=4)) + f" {i}", name) for name, words in own.items() for i in range(40)]
    result = plan(read(pd.DataFrame(rows, columns=["text", "label"])), n_labels=50, n_folds=3)
    labels = {line.service_line: line.labels for line in result.lines}
    assert set(labels) == set(own)
    assert labels["Hardware"] + labels["Software"] >= 45


def test_too_few_rows_are_refused(csv_file):
    with pytest.raises(DataError, match="15 rows are too few"):
        plan(read(csv_file))


@pytest.mark.slow
def test_the_command_says_how_many_and_where(outsort, dataset, tmp_path):
    path = tmp_path / "data.csv"
    dataset.frame.to_csv(path, index=False)
    arguments = ("plan", path, "-n", "50", "--folds", "3")
    done = outsort(*arguments, "--lines", "2")
    assert done.code == 0, done.err
    assert "service line (50 labels to make)" in done.out
    assert "and 2 more lines" in done.out
    result = json.loads(outsort(*arguments, "--json").out)
    assert sum(line["labels"] for line in result["lines"]) == 50
