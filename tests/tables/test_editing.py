"""Editing a text: what changes is right, and what does not is there byte by byte."""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from outsort.tables.base import Dialect, ReadOptions
from outsort.tables.delimited import CsvReader
from outsort.tables.editing import EDITORS, Edits

CELLS = st.text(st.sampled_from('a b,;"\r\n\té'), max_size=5)


@st.composite
def records(draw):
    """A record of three cells as somebody may write it: cells in quotes that need none, any line end."""
    cells = draw(st.lists(CELLS, min_size=3, max_size=3))
    quoted = [draw(st.booleans()) or any(mark in cell for mark in ',"\r\n') for cell in cells]
    written = ['"' + c.replace('"', '""') + '"' if q else c for c, q in zip(cells, quoted, strict=True)]
    return ",".join(written) + draw(st.sampled_from(["\n", "\r\n", "\r"]))


def read(text):
    """The records of a text as Python's csv module reads them."""
    return list(csv.reader(io.StringIO(text, newline="")))


def numbered(content):
    """The rows by number as the package's own reader reads them."""
    reader = CsvReader("a file", io.BytesIO(content), ReadOptions(encoding="utf-8"))
    return {n: row for batch in reader for n, row in zip(batch.numbers, batch.values(reader.columns), strict=True)}


@given(st.lists(records() | st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=8), st.data())
def test_edited_rows_of_csv_are_those_that_readers_number_so(body, data):
    before = "x,y,z\r\n" + "".join(body)
    rows = numbered(before.encode())
    wanted = st.dictionaries(st.sampled_from("xyz"), CELLS, min_size=1)
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(rows)), wanted, max_size=3) if rows else st.just({}))
    added = data.draw(st.lists(wanted, max_size=2))
    edits = Edits(data.draw(st.sampled_from([[], ["new"]])), changed, added)
    after = EDITORS["csv"](before.encode(), Dialect(), edits).decode()

    more = [""] * len(edits.columns)
    expected = [["x", "y", "z", *edits.columns]]
    for number, cells in rows.items():
        expected.append(list((dict(zip("xyz", cells, strict=True)) | changed.get(number, {})).values()) + more)
    expected += [[row.get(name, "") for name in "xyz"] + more for row in added]
    assert [record for record in read(after) if record] == expected
    if not edits.columns and not changed:
        assert after.startswith(before)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=3)
OBJECTS = st.dictionaries(st.text(max_size=3) | st.sampled_from(["label", "text"]), VALUES, max_size=4)


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.sampled_from([",", " ,\t"]), st.booleans(), st.data())
def test_edited_lines_of_json_hold_the_new_values(objects, comma, is_ascii, data):
    lines = [f" {json.dumps(o, ensure_ascii=is_ascii, separators=(comma, ' :'))} " for o in objects]
    place = data.draw(st.integers(0, len(objects) - 1))
    new = data.draw(st.dictionaries(st.sampled_from(["label", "reviewer", "a"]), st.text(max_size=3), min_size=1))
    after = EDITORS["jsonl"]("\n".join(lines).encode(), Dialect(), Edits(cells={place + 2: new}))
    found = after.decode().split("\n")
    assert json.loads(found[place]) == objects[place] | new
    del found[place], lines[place]
    assert found == lines
