"""A small data set, a model of it, and the command line, for the tests of every module."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from typer.main import get_command

from outsort.cli import main as command_line

#: Three texts a line, enough for every fold to hold each line.
ROWS = {
    ("data_entry", "BPO"): ["key invoices into sap", "type scanned invoices", "copy records into excel"],
    ("translation", "BPO"): ["translate a contract to french", "localise subtitles", "translate subtitles"],
    ("legal_services", "KPO"): ["draft a contract", "research contract law", "review contract clauses"],
    ("data_science", "KPO"): ["train a churn model", "build a vision model", "tune a language model"],
    ("cleaning", "NEITHER"): ["clean the office", "mop office floors", "wash the windows"],
}

#: Support tickets of eight labels, none of them ours or out of scope.
TICKETS = Path(__file__).parents[1] / "data" / "tickets.csv"


# Where changes are checked, Hypothesis takes its own profile for that; elsewhere fewer examples are soon done. None has
# a time limit in either: a machine may be busy, and a first example compiles.
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("quick")


def pytest_addoption(parser):
    """Add ``--texts N`` and ``--rows N``, for thorough runs, and ``--update-documents``."""
    parser.addoption("--texts", type=int, default=5000, help="texts on which score must equal predict")
    parser.addoption("--rows", type=int, default=50_000, help="rows of the table that a cluster scores")
    parser.addoption("--update-documents", action="store_true", help="write what documents' blocks print")


@pytest.fixture
def n_texts(request):
    """How many texts to compare score with predict on."""
    return request.config.getoption("--texts")


@pytest.fixture(scope="session", autouse=True)
def _in_this_process():
    """Train without further processes: each would load NumPy, scikit-learn and Numba for a few small folds."""
    with joblib.parallel_config("sequential"):
        yield


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
    return _trained(rows_frame, folds=0)


@pytest.fixture(scope="session")
def model_path(model, tmp_path_factory):
    """The same in a file, for commands whose answers do not matter: the default model takes longer to lay out."""
    from outsort import model_file

    path = tmp_path_factory.mktemp("model") / "small.joblib"
    model_file.save(model, path)
    return path


@pytest.fixture(scope="session")
def two_class_model():
    """A model of BPO and KPO texts without service lines."""
    rows = [(t, label) for (_, label), texts in ROWS.items() if label != "NEITHER" for t in texts]
    return _trained(pd.DataFrame(rows, columns=["text", "label"]), folds=0)


@pytest.fixture
def tickets():
    """Two thirds of the tickets, to be changed at will."""
    return pd.read_csv(TICKETS).drop(range(0, 810, 3)).reset_index(drop=True)


@pytest.fixture
def new_tickets():
    """The other third, which `ticket_model` has not seen."""
    return pd.read_csv(TICKETS)[::3].reset_index(drop=True)


@pytest.fixture(scope="session")
def ticket_model():
    """A model of two thirds of the tickets that promises a precision of 90 %."""
    rows = pd.read_csv(TICKETS).drop(range(0, 810, 3))
    return _trained(rows, target_precision=0.9)


def _trained(rows, **checks):
    # Imported here, as what only some fixtures need: the process that hands out the tests does without.
    from outsort.training import folds, train

    return train.train(rows, checks=folds.Checks(**checks))


class Outcome:
    """What a command left: its exit code and what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture(scope="session")
def commands():
    """All commands, which Typer reads anew at each run otherwise: that takes longer than to score a small table."""
    return get_command(command_line.app)


@pytest.fixture
def outsort(capsys, monkeypatch, commands):
    """Run a command line: ``outsort("predict", "text", stdin=b"...")``."""
    monkeypatch.setattr(command_line, "app", commands)

    def run(*arguments, stdin=b""):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        # Kept in a variable of this frame, the exception would keep the model and all that the command held.
        try:
            command_line.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code or 0
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def client(model):
    """A client of the service around the small model."""
    from serving import serving

    with serving(model) as client:
        yield client


@pytest.fixture(scope="module")
def browser():
    """Chromium, where the machine has it; its tests are skipped where it does not."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install 'outsort[browser]'")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    # A container's root has no sandbox, and nothing is fetched from elsewhere.
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def office(tmp_path):
    """LibreOffice, where the machine has it: ``office(path, "csv", folder)`` opens and saves a file."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if not program:
        pytest.skip("no LibreOffice on this machine: apt-get install libreoffice-calc-nogui")

    def resave(path, kind, folder):
        # A profile of its own: another LibreOffice may be running.
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", kind, "--outdir", folder, path]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return folder / f"{path.stem}.{kind.partition(':')[0]}"

    return resave
