"""What the README and docs/ show is what happens: blocks are run again, options exist, links lead somewhere.

``pytest tests/test_documents.py --update-documents`` writes what blocks print now over what they show.
"""

import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from decimal import Decimal
from doctest import DocTestParser
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from outsort.cli.main import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
#: Where Markdown files have links to be followed.
FOLDERS = [".", "benchmarks", "data", "docs", "models", "notebooks"]
#: ``bash`` is run for its exit code alone; ``console`` and ``pycon`` show what they print, too.
BLOCK = re.compile(r"```(bash|console|pycon)\n(.*?)```", re.DOTALL)
TENDERS = """lot,description,closes
007,Annual payroll and pension deductions for 300 staff,03/04/2026
008,Economic impact study of the harbour tunnel,17/04/2026
"""


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _read(path):
    return path.read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a reader has at hand: the repository's files, some rows of their own, and a table to score."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(ROOT / "models", tmp_path / "models")
    tasks = pd.read_csv(ROOT / "data" / "tasks.csv")
    tasks[::20].to_csv(tmp_path / "labelled.csv", index=False)
    (tmp_path / "tenders.csv").write_text(TENDERS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    # On a busy machine, threads that spin while they wait for each other take five times the processor time.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if BLOCK.search(_read(d))], ids=_name)
def test_blocks_print_what_the_document_shows(document, request):
    shown, names = _read(document), {}

    def again(block):
        kind, body = block.groups()
        if kind == "bash":
            _run(body)
            return block[0]
        printed = "\n".join(_console(body) if kind == "console" else _pycon(body, names))
        # What differs only as it may stays, so that an update changes only what it must.
        return block[0] if _is_the_same(printed, body) else f"```{kind}\n{printed}\n```"

    printed = BLOCK.sub(again, shown)
    if request.config.getoption("--update-documents"):
        document.write_text(printed, encoding="utf-8")
    else:
        assert printed == shown, f"if it should read so: pytest {__file__} --update-documents"


def _console(body):
    """Run the commands of a block, each after ``$ ``, and give the lines of a terminal that shows them."""
    for command in re.findall(r"^\$ ((?:.*\\\n)*.*)\n", body, re.MULTILINE):
        yield f"$ {command}"
        yield from _lines(_run(command))


def _run(command):
    # Without pipefail, `outsort ... | head` passes whatever outsort does.
    arguments = ["bash", "-e", "-o", "pipefail", "-c", command]
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{command}\nexits with {done.returncode}\n{done.stderr}"
    # Figures are held-out ones: `compare` and `evaluate` warn when the model was trained on the rows that measure it.
    assert "WARNING" not in done.stderr, done.stderr
    return done.stdout


def _pycon(body, names):
    """Run the examples of a Python session, which share ``names``, and give the session's lines."""
    for example in DocTestParser().get_examples(body):
        first, *others = example.source.splitlines()
        yield f">>> {first}"
        yield from (f"... {line}".rstrip() for line in others)
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(example.source, "<session>", "single"), names)
        yield from _lines(printed.getvalue())


def _lines(printed):
    """The lines without what pads a table on a terminal."""
    return [line.rstrip() for line in printed.splitlines() if line.strip()]


def _is_the_same(printed, shown):
    """Whether a block prints what is shown, apart from its timings and figures that are near.

    Processors round differently, so a model trained on another one may answer a row at the threshold differently.
    """
    (printed, figures), (shown, shown_figures) = _split(printed), _split(shown)
    return printed == shown and all(map(_are_near, figures, shown_figures))


def _split(printed):
    """The lines with a mark for each figure, without timings; and the figures."""
    lines = "\n".join(_lines(re.sub(r"in \d+\.\d s", "in … s", printed)))
    figure = r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?"
    return re.sub(figure, "#", lines), [found.replace(",", "") for found in re.findall(figure, lines)]


def _are_near(figure, other):
    """Whether two written figures differ by 1 in the last digit at most, or by a hundredth."""
    last_digit = Decimal((0, (1,), Decimal(figure).as_tuple().exponent))
    return abs(Decimal(figure) - Decimal(other)) <= max(last_digit, Decimal(figure) / 100)


def test_a_block_that_shows_something_else_is_found_and_rewritten():
    names = {}
    assert list(_console("$ echo one \\\n    two\nthree\n")) == ["$ echo one \\\n    two", "one two"]
    assert list(_pycon(">>> for i in range(2):\n...     print(i)\n7\n>>> i\n7\n", names)) == [
        *(">>> for i in range(2):", "...     print(i)", "0", "1", ">>> i", "1")
    ]
    assert _is_the_same("file: in 12.3 s\n\n", "file: in 0.1 s  ")
    assert _is_the_same("accept→review 191, p = 9.16e-08", "accept→review 192, p = 9.17e-08")
    assert not _is_the_same("191 rows", "193 rows")
    assert not _is_the_same("p = 9.16e-08", "p = 9.16e-07")
    assert not _is_the_same("0.825 of 40,632 rows", "0.825 of 40,632 terms")
    with pytest.raises(AssertionError, match="exits with 4"):
        list(_console("$ exit 4 | cat\n"))


def test_the_two_commands_make_their_own_environment_and_are_on_the_first_screen():
    first_screen = "\n".join(_read(README).splitlines()[:50])
    commands = re.findall(r"```sh\n(.*?)\n```", first_screen, re.DOTALL)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv &&\n") for command in commands)
    assert all(".venv/bin/pip install" in command for command in commands)
    assert "outsort predict" in commands[0]
    assert "-m pytest" in commands[1]
    assert max(map(len, "\n".join(commands).splitlines())) <= 80


def test_the_readme_is_short_and_its_first_answer_fits_a_terminal():
    assert len(_read(README).split()) <= 700
    answer = re.search(r"```console\n(.*?)```", _read(README), re.DOTALL)[1]
    assert max(map(len, answer.splitlines())) <= 80


def test_the_readmes_first_screen_shows_the_page_in_light_and_dark():
    first_screen = "\n".join(_read(README).splitlines()[:20])
    picture = re.search(r"<picture>(.*?)</picture>", first_screen, re.DOTALL)[1]
    sources = re.findall(r'src(?:set)?="([^"]+)"', picture)
    assert len(sources) == 2
    assert 'media="(prefers-color-scheme: dark)"' in picture
    assert all((ROOT / source).stat().st_size <= 150_000 for source in sources)


def _commands_and_options(text):
    """Each ``outsort COMMAND --option`` of a document, and each option named by itself between backticks."""
    for command, rest in re.findall(r"\boutsort ([a-z]+)\b((?:[^`\n|;&>]|\\\n)*)", text):
        yield command, re.findall(r"(?<=\s)--[a-z-]+", rest)
    for option in re.findall(r"`(--[a-z-]+)", text):
        yield None, [option]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_options_in_documents_exist(document):
    group = get_command(app)
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()
    }
    options[None] = set().union(*options.values(), *(parameter.opts for parameter in group.params))
    named = [pair for pair in _commands_and_options(_read(document)) if pair[0] is None or pair[0] in options]
    assert [pair for pair in named if not set(pair[1]) <= options[pair[0]]] == []


def _anchors(document):
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.*)$", _read(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "document", sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md")), ids=_name
)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", _read(document)):
        path, _, anchor = target.partition("#")
        led_to = document.parent / path if path else document
        assert led_to.exists(), target
        assert not anchor or anchor in _anchors(led_to), target


def test_every_page_is_in_the_index_and_the_index_is_in_the_readme():
    index = ROOT / "docs" / "README.md"
    pages = {page.name for page in index.parent.glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", _read(index)))
    assert "](docs/README.md)" in _read(README)
