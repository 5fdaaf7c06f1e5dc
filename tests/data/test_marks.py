"""Marked clauses: which parts of a long text say the work."""

import pytest

from outsort.data.identity import key_of
from outsort.data.marks import read_marks, says_the_work
from outsort.errors import DataError
from outsort.text import clauses

TEXT = "About us: a firm. Key the invoices. Key the invoices. Apply now."
KEY = key_of(TEXT)


@pytest.fixture
def marked(tmp_path):
    """Write a table of marks and read it."""

    def read(rows, header="row,clause,says_the_work"):
        path = tmp_path / "marks.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return read_marks(path, ["another text", TEXT])

    return read


def test_marks_belong_to_the_text_of_their_key_in_order(marked):
    rows = [f"{KEY},About us: a firm.,0", f"{KEY},Key the invoices.,1", f"{KEY},Key the invoices.,0"]
    assert marked(rows) == {
        KEY: [("About us: a firm.", False), ("Key the invoices.", True), ("Key the invoices.", False)]
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["nobody,About us,0"], "row 2: no text has the key 'nobody'"),
        ([f"{KEY},About us,yes"], "row 2: says_the_work is 'yes', not 0 or 1"),
        ([f"{KEY},Draft a lease,1"], "row 2: 'Draft a lease' is not in its text, or not in this order"),
        ([f"{KEY},,1"], "row 2: '' is not in its text"),
        ([f"{KEY},Apply now.,0", f"{KEY},About us,0"], "row 3: 'About us' is not in its text, or not in this order"),
        # A clause that overlaps the one before, and one that is there twice but marked three times.
        ([f"{KEY},About us: a,0", f"{KEY},a firm.,0"], "row 3: 'a firm.' is not in its text"),
        ([f"{KEY},Key the invoices.,1"] * 3, "row 4: 'Key the invoices.' is not in its text"),
    ],
)
def test_marks_that_fit_no_text_are_named_with_their_row(marked, rows, message):
    with pytest.raises(DataError) as refusal:
        marked(rows)
    assert message in str(refusal.value)


def test_a_missing_column_is_named(marked):
    with pytest.raises(
        DataError, match=r"has no column 'says_the_work'\. Marked clauses have row, clause, says_the_work"
    ):
        marked([f"{KEY},About us"], header="row,clause")


def test_a_clause_says_the_work_if_most_of_what_is_marked_of_it_does():
    spans = clauses(TEXT)
    assert [TEXT[slice(*span)].strip() for span in spans] == [
        *("About us: a firm.", "Key the invoices.", "Key the invoices.", "Apply now.")
    ]
    marks = [("About us: a firm. Key", False), ("the invoices. Key the", True), ("invoices. Apply now.", False)]
    assert says_the_work(TEXT, spans, marks) == [0, 1, 0, 0]
    # What is not marked says nothing; a text without marks teaches nothing.
    assert says_the_work(TEXT, spans, [("firm.", True)]) == [1, 0, 0, 0]
    assert says_the_work(TEXT, spans, []) == [-1] * 4
