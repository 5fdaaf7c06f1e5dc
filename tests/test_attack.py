"""The attack's own judgement: what is lost, moved, doubled, changed or torn is found, and a crash is survived."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from attack.harness import Found, Outcome, check_refusal
from attack.interruptions import check_end, check_files
from attack.tables import Cells, Table, check_left, check_rows, spoilt_table

ROWS = {f"r{i}": Cells(f"text {i}", i) for i in range(3)}
WRITTEN = [[("id", name), ("text", cells.text), ("n", cells.n), ("label", "BPO")] for name, cells in ROWS.items()]
TABLE = Table(b"", ROWS, set(ROWS), "utf-8", has_names=False)


def test_rows_that_are_there_in_order_are_right():
    check_rows(TABLE, WRITTEN, 3)
    check_rows(TABLE._replace(has_names=True), [list(reversed(row)) for row in WRITTEN], 3)


@pytest.mark.parametrize(
    ("written", "n_told"),
    [
        (WRITTEN[:2], 2),
        (WRITTEN[:2], 3),
        ([*WRITTEN, WRITTEN[2]], 4),
        ([WRITTEN[1], WRITTEN[0], WRITTEN[2]], 3),
        ([WRITTEN[0], WRITTEN[0], WRITTEN[2]], 3),
        ([*WRITTEN[:2], [("id", "r2"), ("text", "other"), ("n", 2)]], 3),
    ],
    ids=["lost", "fewer than told", "one more", "moved", "doubled", "changed"],
)
def test_a_row_that_is_not_what_it_was_is_found(written, n_told):
    with pytest.raises(Found) as found:
        check_rows(TABLE, written, n_told)
    assert found.value.kind == "lost"


def test_of_a_spoilt_table_only_intact_rows_must_be_what_they_were():
    changed = [*WRITTEN[:2], [("id", "?"), ("text", "?"), ("n", "?")]]
    check_rows(TABLE._replace(intact={"r0", "r1"}), changed, 3)
    check_rows(TABLE._replace(intact=set()), changed[2:], 1)


@pytest.mark.parametrize(
    ("code", "err"),
    [
        (1, "Traceback (most recent call last):\nValueError: x\n"),
        (0, "outsort: in.csv: is damaged.\n"),
        (1, "outsort: is damaged.\n"),
        (1, "outsort: in.csv: is\ndamaged.\n"),
        (1, "Exception ignored\nTraceback (most recent call last):\noutsort: in.csv: is damaged.\n"),
        (-11, ""),
    ],
)
def test_what_is_no_message_about_the_file_is_found(code, err):
    check_refusal(Outcome(1, "in.csv: a note\noutsort: in.csv: is damaged.\n"), "in.csv")
    with pytest.raises(Found):
        check_refusal(Outcome(code, err), "in.csv")


def test_a_torn_or_left_file_is_found(tmp_path):
    before, after = {"a": b"old"}, {"a": b"new"}
    part = {".a.outsort.part": b"ne"}
    check_files(None, before, before, after, is_killed=False)
    check_files(None, before, after | part, after, is_killed=True)
    for found, is_killed in (({"a": b"ne"}, True), (after | part, False), (after | {"tmp": b""}, True), ({}, False)):
        with pytest.raises(Found):
            check_files(None, before, found, after, is_killed=is_killed)
    (tmp_path / "rest").touch()
    with pytest.raises(Found):
        check_left(tmp_path, set())


def test_a_process_ends_as_the_signal_says_and_says_nothing():
    check_end(15, 143, "")
    check_end(9, -9, "")
    for code, err in ((1, ""), (143, "Traceback (most recent call last):\n")):
        with pytest.raises(Found):
            check_end(15, code, err)


def test_a_seed_makes_the_same_table_again():
    for seed in range(40):
        first, second = (spoilt_table(random.Random(seed), "csv.gz") for _ in range(2))
        assert first.rows == second.rows
        assert first.intact == second.intact


@pytest.mark.slow
def test_a_few_tries_of_the_program_are_printed_as_a_table():
    program = Path(__file__).with_name("attack")
    arguments = ["--only", "tables", "--only", "models", "--tries", "3", "--seed", "1", "--seconds", "60"]
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| damaged tables | 3 | 3 | 0 | 0 | 0 | 0 |" in done.stdout
    assert "| damaged model files | 3 | 3 | 0 | 0 | 0 | 0 |" in done.stdout
