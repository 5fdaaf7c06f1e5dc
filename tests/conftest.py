"""A small data set, a model of it, and the command line, for the tests of every module."""

import io
import sys

import pandas as pd
import pytest

from outsort import cli, training
from outsort.dataset import read

#: Three texts a line, enough for every fold to hold each line.
ROWS = {
    ("data_entry", "BPO"): ["key invoices into sap", "type scanned forms", "copy paste records to excel"],
    ("translation", "BPO"): ["translate a contract to french", "localise app strings", "translate subtitles"],
    ("legal_services", "KPO"): ["draft a contract", "research case law", "review contract clauses"],
    ("data_science", "KPO"): ["train a churn model", "build a vision model", "tune a language model"],
    ("cleaning", "NEITHER"): ["clean the office", "mop office floors", "wash the windows"],
}


def pytest_addoption(parser):
    """Add ``--texts N``, for a thorough run by hand."""
    parser.addoption("--texts", type=int, default=5000, help="texts on which score must equal predict")


@pytest.fixture
def n_texts(request):
    """How many texts to compare score with predict on."""
    return request.config.getoption("--texts")


@pytest.fixture(scope="session")
def rows_frame():
    """Fifteen labelled texts with service lines, for fixtures that last; nobody may change it."""
    rows = [(text, label, line) for (line, label), texts in ROWS.items() for text in texts]
    return pd.DataFrame(rows, columns=["text", "label", "service_line"])


@pytest.fixture
def frame(rows_frame):
    """The same to be changed at will."""
    return rows_frame.copy()


@pytest.fixture
def csv_file(frame, tmp_path):
    """The same as a CSV file."""
    path = tmp_path / "tasks.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def model(rows_frame):
    """A model of the fifteen texts, with lines and NEITHER."""
    return training.train(rows_frame, checks=training.Checks(folds=0))


@pytest.fixture(scope="session")
def two_class_model():
    """A model of BPO and KPO texts without service lines."""
    rows = [(t, label) for (_, label), texts in ROWS.items() if label != "NEITHER" for t in texts]
    return training.train(
        read(pd.DataFrame(rows, columns=["text", "label"])), checks=training.Checks(folds=0)
    )


class Outcome:
    """What a command left: its exit code and what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def outsort(capsys, monkeypatch):
    """Run a command line: ``outsort("predict", "text", stdin=b"...")``."""

    def run(*arguments, stdin=b""):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(argument) for argument in arguments])
        return Outcome(stopped.value.code or 0, *capsys.readouterr())

    return run
