"""Readers by themselves; what they come to in whole runs is in test_scoring."""

import csv
import io

import pytest

from outsort.tables.base import Batch, plain_rows
from outsort.tables.formats import open_reader


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("batch_bytes", [1, 16, 50, 1 << 20])
@pytest.mark.parametrize("odd", ["", "\n", 'c,d"e\n', 'a,b"c\r', '"a\u2028\nb",c\n', "x" * 100 + ",y\n"])
def test_rows_are_those_of_the_csv_module_wherever_it_takes_over(monkeypatch, mark, batch_bytes, odd):
    monkeypatch.setattr("outsort.tables.delimited._BATCH_BYTES", batch_bytes)
    text = '"id\n",te\u2028xt\n' + 'ä,"b,\n"\nc,\n' * 9 + odd + "e,f\ng,h"
    reader = open_reader("in.csv", io.BytesIO(mark + text.encode()), "csv")
    rows = [row for batch in reader for row in plain_rows(batch, reader.columns)]
    expected = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert [reader.columns, *rows] == expected
    reader.close()


def test_the_first_rows_of_a_batch():
    batch = Batch([["a"], ["b"]], {1: "is odd"}, ["a\n", "b\n"])
    assert batch.head(1) == Batch([["a"]], {}, ["a\n"])
    assert batch.n_rows == 2


def test_an_error_between_two_hands_on_the_stream_is_the_one_that_is_raised():
    class Broken(io.BytesIO):
        def seek(self, *_):
            raise OSError("the disk is gone")

    reader = open_reader("in.csv", io.BytesIO(b"text\nkey invoices\n"), "csv")
    reader._stream = Broken()
    with pytest.raises(OSError, match="the disk is gone"):
        list(reader)
    reader.close()
