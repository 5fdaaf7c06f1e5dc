"""What a terminal of 60, 80 and 120 columns shows, beside files of what it should.

``pytest tests/reporting/test_terminal.py --update-documents`` writes what it shows now.
"""

import io
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models import model_of
from outsort.data.dataset import read
from outsort.evaluation.compare import compare
from outsort.evaluation.evaluate import evaluate
from outsort.improving.findings import Check, Example, Finding, Style
from outsort.improving.plan import Curve, Forecast, Need, Plan, Size
from outsort.metrics import score
from outsort.prediction import predict_explained, predictions
from outsort.reporting import terminal
from outsort.reporting.answers import explanation_tables, predictions_table
from outsort.reporting.comparison import comparison_tables
from outsort.reporting.layout import write_tables
from outsort.training.about import Promise, Summary
from outsort.training.folds import LINES_OUT, STRATIFIED

GOLDEN = Path(__file__).parent / "terminal"
LINES = {
    "data_entry_and_processing": "BPO",
    "supply_chain_analytics": "KPO",
    "legal_research": "KPO",
    "cleaning_and_facilities": "NEITHER",
}
WEIGHTS = {
    "key": {"data_entry_and_processing": 3.5},
    "invoices": {"data_entry_and_processing": 2.5, "supply_chain_analytics": -1.0},
    "suppliers": {"data_entry_and_processing": 1.25, "supply_chain_analytics": 0.75},
    "analyse": {"supply_chain_analytics": 4.0},
    "spend": {"supply_chain_analytics": 2.25},
    "contract": {"legal_research": 3.75},
    "research": {"legal_research": 3.0, "supply_chain_analytics": 0.5},
    "clean": {"cleaning_and_facilities": 4.5},
    "office": {"cleaning_and_facilities": 2.0, "data_entry_and_processing": 0.5},
}
#: Text, label, genre.
ROWS = [
    ("Key the invoices of forty suppliers into the ledger, every working day before noon", "BPO", "request"),
    ("Key 500 invoices", "BPO", "title"),
    ("Analyse spend by category and name three suppliers to talk to about prices", "KPO", "request"),
    ("Contract research", "KPO", "title"),
    ("Research which suppliers key their own invoices", "KPO", "request"),
    ("Clean the office", "NEITHER", "title"),
    ("Clean up the spend of the office supplies by category", "KPO", "request"),
    ("Office contract", "NEITHER", "title"),
]


def model(**changed):
    weights = {word: {line: changed.get(word, 1) * w for line, w in of.items()} for word, of in WEIGHTS.items()}
    return model_of(weights, LINES, out_of_scope="NEITHER", threshold=0.75)


@pytest.fixture
def dataset():
    rows = pd.DataFrame(ROWS, columns=["text", "label", "genre"])
    return read(rows, known_labels=("BPO", "KPO", "NEITHER"), for_training=False)


def scores(figures):
    """The scores of three rows whose answers have these probabilities of being right."""
    names = ["BPO", "KPO", "NEITHER"]
    proba = [[(1 - p) / 2] * i + [p] + [(1 - p) / 2] * (2 - i) for i, p in enumerate(figures)]
    return score(pd.Series(names).to_numpy(str), pd.DataFrame(proba).to_numpy(), names, "NEITHER")


def predicted(_):
    yield predictions_table(predictions([text for text, *_ in ROWS[:4]] + ["", "ξξ"], model()))


def explained(_):
    text = "Key the 500 invoices of forty suppliers into the ledger. Research the contract.\n- Clean the office"
    yield from explanation_tables(*predict_explained(model(), text), [], n_lines=3)


def evaluated(dataset):
    return terminal.evaluation_tables(evaluate(model(), dataset, by=["genre"]))


def compared(dataset):
    return comparison_tables(compare(model(), model(office=0.1, clean=0.25, key=2), dataset))


def trained(dataset):
    found = {STRATIFIED: scores((0.9, 0.8, 0.95)), LINES_OUT: scores((0.6, 0.3, 0.7))}
    promise = Promise(0.95, 0.9, 4_321, 0, 0.8125, 0.9712, 0.955, 0.4375)
    summary = Summary("a1b2c3", 12_345, 4, None, {}, found, promise, {})
    yield from terminal.training_lines(summary, replace(dataset, lines=["a"] * len(dataset.texts)))
    yield from terminal.written_lines("mine.joblib", 1_234_567, summary, ", in 12.3 s")


def checked(_):
    near = Example(
        row=17,
        other_row=1_204,
        similarity=0.875,
        text="Key the invoices of forty suppliers into the ledger, every working day before noon",
        other_text="Key the invoices of fifty suppliers into the ledger, every working day before ten",
    )
    wrong = Example(row=3, text=ROWS[2][0], label="BPO", probably="KPO", probability_of_label=0.0)
    thin = Example(line="mergers_and_acquisitions_due_diligence", rows=7)
    word = Example(
        word="ledger", rows=31, lines=9, label="BPO", share=0.968, usual_share=0.438, guide="Ledgers are BPO."
    )
    none = Finding(0, 0, [])
    return terminal.check_tables(
        Check(
            source="tasks.csv",
            encoding="utf-8",
            n=1_600,
            by_label={"BPO": 700, "KPO": 650, "NEITHER": 250},
            by_line={},
            by_genre={},
            empty=none,
            not_text=none,
            exact_duplicates=none,
            near_duplicates=Finding(1, 1, [near], 0.6, 1),
            thin_lines=Finding(1, 1, [thin], 20),
            style=Style(0.5612, 1_350, 0.5, 0.58, 0),
            label_errors=Finding(1, 1, [wrong]),
            lopsided_words=Finding(1, 1, [word]),
        ),
        2,
    )


def planned(_):
    names = ("mergers_and_acquisitions_due_diligence", "tax_and_audit_advisory", "data_entry")
    lines = [
        Need(name, label, 40 + n, 0.5 + n / 10, 90 - n)
        for n, (name, label) in enumerate(zip(names, ["KPO", "KPO", "BPO"], strict=True))
    ]
    sizes = [Size(160, 0.612), Size(320, 0.688), Size(640, 0.741)]
    forecast = [Forecast(100, 0.756, (0.751, 0.762)), Forecast(300, 0.777, (0.765, 0.789))]
    curve = Curve(0.9, 2.5, 0.4)
    plan = Plan(
        "tasks.csv", 800, 0.744, sizes, curve, 0.001, 2_300, is_more=False, to_make=267, forecast=forecast, lines=lines
    )
    return terminal.plan_tables(plan, 2)


def test_a_threshold_that_nothing_certified_is_said_to_be_none_where_answers_are_accepted(dataset):
    uncertified = replace(model(), threshold=float("nan"))
    shown = [item for item in terminal.evaluation_tables(evaluate(uncertified, dataset)) if isinstance(item, str)]
    assert any(line.startswith("at threshold 0.700 (not certified): coverage") for line in shown)
    trained = Summary("a1b2c3", 1, 1, None, {}, {}, Promise(0.95, 0.9, 50, 1_000), {})
    for summary in (trained, replace(trained, decision=None)):
        *_, said = terminal.written_lines("mine.joblib", 1_000, summary)
        assert said == (
            "answers are accepted from probability 0.7, without a promise: outsort certify can make one, on a random "
            "sample of your own texts"
        )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("make", [predicted, explained, evaluated, compared, trained, checked, planned])
def test_a_terminal_shows_everything_whole(make, width, dataset, monkeypatch, request):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    file = Terminal()
    write_tables(file, make(dataset))
    shown = re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())
    shown = "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    golden = GOLDEN / f"{make.__name__}-{width}.txt"
    if request.config.getoption("--update-documents"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
