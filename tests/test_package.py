"""What ships: a lean start, the default model, and documents that tell the truth about it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outsort
from outsort import model_file
from outsort.data.dataset import read
from outsort.reporting.card import card as card_of

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["predict", "--help"], ["predict", "key invoices", "--format", "json"]]
)
def test_start_up_imports_nothing_heavy(arguments):
    code = f"""
import sys
from outsort.cli.main import main
try:
    main({arguments!r})
except SystemExit as stopped:
    assert not stopped.code, stopped.code
heavy = ("sklearn", "scipy", "pandas", "numba", "pyarrow", "dask", "distributed")
print([m for m in heavy if m in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_importing_the_package_does_no_work():
    code = "import sys, outsort; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_the_service_starts_without_what_trains_a_model():
    """If it trains, it does so in a process of its own."""
    code = """
import sys
import outsort.service.app
from outsort.improving.history import History
print([m for m in ("outsort.training", "sklearn", "scipy.stats", "scipy.optimize") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_merging_verdicts_does_without_the_statistics_of_scipy():
    code = "import sys, outsort.improving.merge; print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_program_runs_as_a_module_too():
    done = subprocess.run(
        [sys.executable, "-m", "outsort", "predict", "draft a lease", "-f", "jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["label"] == "KPO"


def test_the_default_model_was_trained_on_the_data_as_they_stand():
    about = model_file.load(ROOT / "models" / "default.joblib").about
    assert about["data"]["sha256"] == read(ROOT / "data" / "tasks.csv").fingerprint
    assert about["versions"]["outsort"] == outsort.__version__
    assert about["scores"]


def test_the_pinned_libraries_are_those_the_default_model_was_made_with():
    pins = dict(re.findall(r"^([\w-]+)==(.+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    versions = model_file.load(ROOT / "models" / "default.joblib").about["versions"]
    libraries = versions.keys() - {"outsort", "python"}
    assert {name: pins.get(name) for name in libraries} == {name: versions[name] for name in libraries}


def test_the_model_card_is_what_the_command_prints():
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    made = card_of(model_file.load(ROOT / "models" / "default.joblib"))
    assert card == made, "make it again: outsort card -m models/default.joblib > models/README.md"


def test_the_data_follow_their_own_service_lines():
    data = read(ROOT / "data" / "tasks.csv")
    table = read(ROOT / "data" / "service_lines.csv", text_column="covers", line_column="service_line").frame
    roll_up = dict(zip(table["service_line"], table["label"], strict=True))
    assert {(line, roll_up[line]) for line in data.lines} == set(zip(data.lines, data.labels, strict=True))
    short = {"phrase", "title", "statement", "catalogue", "request", "scope"}
    assert set(data.frame["genre"]) == short | {"post", "advert", "tender", "occupation"}
    assert set(data.frame["source"]) == {"article", "written"}
    assert data.n_repeats == 0


def test_every_activity_the_article_names_is_in_the_data_with_its_label():
    guide = (ROOT / "data" / "labelling-guide.md").read_text(encoding="utf-8")
    rule = re.search(r"\*\*The article decides.*?(?=\n2\.)", guide, re.DOTALL)[0]
    data = read(ROOT / "data" / "tasks.csv").frame
    article = data[data["source"] == "article"]
    for label, n_named in (("BPO", 18), ("KPO", 5)):
        named = re.search(rf"{label}: ([^.]*)\.", rule)[1]
        activities = [name.strip() for name in named.replace("\n", " ").split(",")]
        assert len(activities) == n_named
        texts = " ".join(article["text"][article["label"] == label]).lower()
        words = {word for name in activities for word in re.findall(r"[a-z]{4,}", name)}
        assert {word for word in words if word not in texts} == set()


def test_nothing_imports_the_package_itself():
    """Its names are fetched when first used; a module that asked for one would turn the imports round."""
    source = ROOT / "src" / "outsort"
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert "outsort" not in [alias.name for alias in node.names], path
            if isinstance(node, ast.ImportFrom) and node.module == "outsort":
                for alias in node.names:
                    assert (source / f"{alias.name}.py").exists() or (source / alias.name).is_dir(), path
