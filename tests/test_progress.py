"""Progress is told in the order of the work, not by the clock."""

import io
import sys

import joblib
import pytest

from outsort import progress
from outsort.evaluation import evaluate
from outsort.improving import check, plan
from outsort.reporting.progress import rows_line, steps_line
from outsort.training import folds, train


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def told():
    """What is told while a test runs."""
    events = []
    with progress.watched(lambda *event: events.append(event)):
        yield events


def test_training_tells_before_its_first_fold_ends_and_after_each(told, rows_frame, monkeypatch):
    fit = folds.fit

    def fitted(*arguments):
        model = fit(*arguments)
        told.append("ended")
        return model

    monkeypatch.setattr(folds, "fit", fitted)
    with joblib.parallel_config("threading"):
        train.train(rows_frame, checks=folds.Checks(folds=3))
    steps = [event for event in told if event == "ended" or event[0] == "fold"]
    n = steps.count("ended")
    assert steps[0] == ("fold", 0, n)
    assert [event for event in steps if event != "ended"] == [("fold", done, n) for done in range(n + 1)]
    for i, event in enumerate(steps):
        if event != "ended":
            assert steps[:i].count("ended") >= event[1]
    assert told[0][0] == "counting terms"
    assert told[-1][0] == "calibrating"


def test_every_row_that_is_answered_is_counted(told, model, csv_file, monkeypatch):
    monkeypatch.setattr("outsort.evaluation.evaluate._TEXTS_PER_TASK", 4)
    data = train.dataset.read(csv_file, known_labels=model.labels, for_training=False)
    evaluate.evaluate(model, data)
    assert [event for event in told if event[0] == "row"] == [("row", done, 15) for done in (0, 4, 8, 12, 15)]


@pytest.mark.slow
def test_check_and_plan_name_their_steps(told, frame):
    frame = frame.loc[frame.index.repeat(24)].reset_index(drop=True)
    frame["text"] += [f" {n % 7} in lot {n}" for n in range(360)]
    with joblib.parallel_config("threading"):
        check.check(frame, tell=lambda _: None)
        plan.plan(train.dataset.read(frame), n_folds=2)
    names = list(dict.fromkeys(what for what, *_ in told))
    assert names[:4] == ["near duplicates", "style leakage", "label errors, fold", "lopsided words"]
    # The smallest share of these rows has too few for a model.
    assert names[4:] == [f"size {i} of 5, fold" for i in (2, 3, 4, 5)]


def test_results_keep_the_order_of_the_tasks_whichever_ends_first(told):
    tasks = [joblib.delayed(divmod)(n, 3) for n in range(20)]
    assert progress.in_parallel("task", tasks, n_jobs=4, prefer="threads") == [divmod(n, 3) for n in range(20)]
    assert told[-1] == ("task", 20, 20)
    assert list(progress.each("item", "abc", 3)) == list("abc")
    assert told[-4:] == [("item", n, 3) for n in range(4)]


def test_nobody_is_told_outside_of_the_context():
    seen = []
    with progress.watched(lambda *event: seen.append(event)), progress.watched(None):
        progress.tell("fold")
    progress.tell("fold")
    assert seen == []


def shown_by(line, work, monkeypatch, *, stream, quiet=False):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with line(quiet=quiet) as given:
        work(given)
    return stream.getvalue()


def steps(_):
    progress.tell("counting terms")
    progress.tell("fold", 0, 16)
    progress.tell("fold", 3, 16)
    progress.tell("[odd] step", 5, 0)


@pytest.mark.parametrize(
    ("line", "work", "words"),
    [
        (steps_line, steps, ["counting terms", "fold 0 of 16", "[odd] step"]),
        (rows_line, lambda told: told and told(4_000, 0.5), ["4,000 rows"]),
    ],
)
def test_a_terminal_shows_it_unless_it_is_to_be_quiet(line, work, words, monkeypatch):
    text = shown_by(line, work, monkeypatch, stream=Terminal())
    assert [word for word in words if word not in text] == []
    assert shown_by(line, work, monkeypatch, stream=io.StringIO()) == ""
    assert shown_by(line, work, monkeypatch, stream=Terminal(), quiet=True) == ""
