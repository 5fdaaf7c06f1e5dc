"""The README's commands run, and what they print is what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


TENDERS = """lot,description,closes
007,Annual payroll and pension deductions for 300 staff,03/04/2026
008,Economic impact study of the harbour tunnel,17/04/2026
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of what the commands read, which keeps what one command writes for the next."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "data", folder / "data")
    shutil.copytree(ROOT / "models", folder / "models")
    (folder / "tenders.csv").write_text(TENDERS, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_what_the_commands_print_is_what_the_readme_shows(folder):
    assert CONSOLE
    for block in CONSOLE:
        command, _, shown = block.removeprefix("$ ").partition("\n")
        assert _masked(_output(command, folder)) == _masked(shown), command


def _output(command, folder):
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _masked(printed):
    """Leave out what may differ: how long a command took, and white space at the end of a line."""
    lines = re.sub(r"in \d+\.\d s", "in … s", printed).splitlines()
    return [line.rstrip() for line in lines if line.strip()]


def test_the_python_session_runs():
    import doctest

    (session,) = re.findall(r"```pycon\n(.*?)```", README, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_two_commands_make_their_own_environment_and_stand_on_the_first_screen():
    first_screen = "\n".join(README.splitlines()[:40])
    commands = re.findall(r"```sh\n(.*?)\n```", first_screen, re.DOTALL)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && .venv/bin/pip install") for command in commands)
    assert "outsort predict" in commands[0]
    assert "-m pytest" in commands[1]


def test_every_link_to_a_file_leads_somewhere():
    for document in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document, target)
