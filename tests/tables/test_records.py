"""Compiled CSV against the csv module: what is called plain must be read and written as it does."""

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outsort.tables.records import Records, parse_prefix

pieces = st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "\0", "a", "ü", "翻", " ", ";"])
raw_texts = st.lists(pieces, max_size=30).map("".join)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


def read(text):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(text=raw_texts, n_cells=st.integers(1, 3))
@example(text='a,"b\0,c', n_cells=2)
@example(text='"a"b,c\n', n_cells=2)
@example(text="a,\r", n_cells=2)
@example(text="a,", n_cells=2)
@example(text='"a""', n_cells=1)
def test_what_is_plain_is_what_the_csv_module_reads(text, n_cells):
    records, go_on = parse_prefix(text.encode(), ",", n_cells, is_last=True)
    size = int(records.starts[-1])
    plain = text.encode()[:size].decode()
    expected = [row or [""] for row in read(plain)]
    assert records.cells() == expected
    assert {len(row) for row in expected} <= {n_cells}
    for place in range(n_cells):
        assert records.texts(place).to_pylist() == [row[place] for row in expected]
    assert size == len(text.encode()) or not go_on


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_plain(rows, quoting):
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quoting).writerows(rows)
    records, go_on = parse_prefix(file.getvalue().encode(), ",", 3, is_last=True)
    assert (records.cells(), go_on) == (rows, True)


@given(text=raw_texts, size=st.integers(0, 40))
def test_a_cut_through_a_record_loses_nothing(text, size):
    raw = text.encode()
    whole, _ = parse_prefix(raw, ",", 2, is_last=True)
    first, go_on = parse_prefix(raw[:size], ",", 2, is_last=False)
    n = first.n_records
    assert first.starts.tolist() == whole.starts[: n + 1].tolist()
    if go_on and size < len(raw):
        rest, _ = parse_prefix(raw[first.starts[-1] :], ",", 2, is_last=True)
        assert first.cells() + rest.cells() == whole.cells()


def test_bytes_that_are_no_utf_8_are_not_plain():
    records, go_on = parse_prefix(b"1,a\n2,\xff\n", ",", 2, is_last=True)
    assert (records.n_records, go_on) == (0, False)


def test_columns_are_added_behind_each_record():
    raw = b'1,"a\nb"\r\n2,c'
    records, _ = parse_prefix(raw, ",", 2, is_last=True)
    out = records.extended([np.array([1, 0]), np.array([0.5, 1.0])], ["x", '"y,z"'], "\n")
    assert out == b'1,"a\nb","y,z",0.5\n2,c,x,1.0\n'


@pytest.mark.slow
def test_every_share_is_written_as_python_writes_it():
    shares = np.arange(1_000_001) / 1_000_000
    records = Records(np.full(len(shares), 10, np.uint8), np.arange(len(shares) + 1), ",")
    lines = records.extended([shares], [], "\n").decode().splitlines()
    assert lines == [f",{share!r}" for share in shares.tolist()]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_first_records_of_some(n):
    records, _ = parse_prefix(b"1\n2\n3\n", ",", 1, is_last=True)
    assert records.head(n).cells() == [["1"], ["2"], ["3"]][:n]
