"""The help: whole at any width, and without docstrings."""

import inspect
import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command

from outsort.cli import manual
from outsort.cli.main import app

COMMANDS = list(get_command(app).commands)


def squeezed(text):
    return re.sub(r"\s", "", text)


@pytest.fixture
def help_of(outsort, monkeypatch):
    """The help of a command in a terminal of some width."""

    def run(*command, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        return outsort(*command, "--help").out

    return run


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_word_of_the_help_is_there_and_no_line_is_too_long(help_of, width):
    for name in COMMANDS:
        shown, of = help_of(name, width=width), manual.commands[name]
        told = [of.text, *(parameter.text for parameter in manual.parameters(of))]
        assert [text for text in told if squeezed(text) not in squeezed(shown)] == [], name
        examples = of.example.splitlines()
        assert [line for line in shown.splitlines() if len(line) > width and line.strip() not in examples] == []
        assert "…" not in shown.replace("OWN=LABEL,…", "")


def test_a_narrow_terminal_has_the_text_below_the_option_and_a_wide_one_beside_it(help_of):
    assert "\n  -o, --output PATH\n      Model file to write. (required)\n" in help_of("train", width=40)
    assert "\n  -o, --output PATH  Model file to write. (required)\n" in help_of("train", width=80)


@pytest.mark.slow
def test_the_help_is_the_same_without_docstrings(help_of):
    lines = [
        "from outsort.cli.main import app",
        f"for name in {COMMANDS}:",
        " try: app([name, '-h'], prog_name='outsort')",
    ]
    run = [sys.executable, "-OO", "-c", "\n".join([*lines, " except SystemExit: pass"])]
    environment = os.environ | {"COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(run, capture_output=True, text=True, encoding="utf-8", check=True, env=environment)
    # What runs the tests has another name.
    expected = [re.sub(rf"^Usage: .*? {name}", f"Usage: outsort {name}", help_of(name)) for name in COMMANDS]
    assert done.stdout == "".join(expected)


def test_every_command_is_in_a_group_and_has_an_example_that_it_understands(help_of):
    shown = help_of()
    places = [shown.index(f"\n{group}\n") for group in manual.GROUPS]
    assert places == sorted(places)
    for name in COMMANDS:
        of = manual.commands[name]
        assert re.search(rf"^{of.group}\n(?:  .*\n)*  {name} ", shown, re.MULTILINE), name
        known = {option for parameter in get_command(app).commands[name].params for option in parameter.opts}
        last = of.example.splitlines()[-1]
        assert last.startswith(f"outsort {name}")
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", last)) <= known, name


def test_the_usual_options_come_first_and_the_required_ones_before_them(help_of):
    shown = help_of("score")
    order = ["--output", "--model", "--text-column", "--encoding", "--to ", "--workers", "--quiet", "--help"]
    assert [shown.index(f"{option}") for option in order] == sorted(shown.index(f"{option}") for option in order)
    # A name that no command has would be forgotten.
    names = {parameter.name for of in manual.commands.values() for parameter in manual.parameters(of)}
    listed = {name for panel in manual.PANELS.values() for name in panel}
    assert listed <= names


def test_ranges_and_defaults_are_told(help_of):
    assert "(2 or more; default: 5)" in " ".join(help_of("retrain").split())
    assert "(0.5 to 0.999; default: 0.95)" in " ".join(help_of("train").split())
    assert ["--strategy uncertain", "weight", "novel", "random", "mixed"][0][:10] in help_of("review")
    assert inspect.signature(manual.commands["plan"].run, eval_str=True).parameters["lines"].default == 10
    assert "Service lines to list. (0 or more; default: 10)" in " ".join(help_of("plan").split())


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("outsort re", ["retrain", "review"]),
        ("outsort train --label-", ["--label-column", "--label-map"]),
        ("outsort predict -f js", ["json", "jsonl"]),
        ("outsort score in.csv --to ts", ["tsv"]),
        ("outsort train in.csv --share N", ["NEITHER="]),
    ],
)
def test_a_shell_completes_commands_options_and_values(words, completed):
    given = words.split()
    environment = os.environ | {"_OUTSORT_COMPLETE": "complete_bash", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(given) - 1)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['outsort']; from outsort.cli.main import main; main()"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == completed


def test_a_missing_argument_is_called_as_in_the_usage_with_what_to_give(outsort):
    done = outsort("compare", "old.joblib", "new.joblib")
    assert done.code == 2
    assert "Missing argument 'DATA'. Table of texts, with or without labels." in done.err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["trian"], "'train'"),
        (["train", "{}", "--outptu", "x"], "--output"),
        (["train", "{}", "-o", "x.joblib", "--label-column", "lable"], "Did you mean 'label'?"),
        (["train", "{}", "-o", "x.joblib", "--text-column", "Texts"], "Did you mean 'text'?"),
        (["train", "{}", "-o", "x.joblib", "--group-column", "service line"], "Did you mean 'service_line'?"),
        (["train", "{}", "-o", "x.joblib", "--folds", "0", "--later", "BP0=1"], "Did you mean 'BPO'?"),
        (["train", "{}", "-o", "x.joblib", "--out-of-scope", "NIETHER"], "Did you mean 'NEITHER'?"),
        (["review", "{}", "-o", "q.csv", "--weight-column", "label_"], "Did you mean 'label'?"),
    ],
)
def test_what_was_probably_meant_is_suggested(outsort, csv_file, tmp_path, monkeypatch, arguments, meant):
    monkeypatch.chdir(tmp_path)
    done = outsort(*(argument.format(csv_file) for argument in arguments))
    assert done.code in (1, 2)
    assert meant in done.err
