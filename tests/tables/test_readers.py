"""Readers by themselves; what they come to in whole runs is in test_scoring."""

import csv
import io
import json

import openpyxl
import pytest

from outsort.tables.base import ReadOptions
from outsort.tables.delimited import CsvReader, LineRows
from outsort.tables.excel import ExcelReader
from outsort.tables.jsonl import JsonlReader


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("batch_bytes", [1, 16, 50, 1 << 20])
@pytest.mark.parametrize("odd", ["", "\n", 'c,d"e\n', 'a,b"c\r', '"a\u2028\nb",c\n', "x" * 100 + ",y\n"])
def test_rows_are_those_of_the_csv_module_wherever_it_takes_over(monkeypatch, mark, batch_bytes, odd):
    monkeypatch.setattr("outsort.tables.delimited._BATCH_BYTES", batch_bytes)
    text = '"id\n",te\u2028xt\n' + 'ä,"b,\n"\nc,\n' * 9 + odd + "e,f\ng,h"
    reader = CsvReader("in.csv", io.BytesIO(mark + text.encode()), ReadOptions())
    rows = [row for batch in reader for row in batch.values(reader.columns)]
    expected = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert [reader.columns, *rows] == expected
    reader.close()


def test_the_first_rows_of_a_batch():
    (batch,) = CsvReader("in.csv", io.BytesIO("t,u\n\na,b\nc,d\n".encode("utf-16")), ReadOptions())
    assert isinstance(batch, LineRows)
    assert list(batch.numbers) == [3, 4]
    first = batch.head(1)
    assert (len(batch), len(first)) == (2, 1)
    assert list(first.values(["t", "u"])) == [["a", "b"]]
    assert list(first.numbers) == [3]


def test_an_error_between_two_hands_on_the_stream_is_the_one_that_is_raised():
    class Broken(io.BytesIO):
        def seek(self, *_):
            raise OSError("the disk is gone")

    reader = CsvReader("in.csv", io.BytesIO(b"text\nkey invoices\n"), ReadOptions())
    reader._stream = Broken()
    with pytest.raises(OSError, match="the disk is gone"):
        list(reader)
    reader.close()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_the_encoding_that_is_named_need_not_say_whether_there_is_a_mark(encoding, mark):
    # A mark that was skipped where there is none took three bytes of the first row.
    reader = CsvReader("in.csv", io.BytesIO(mark + b"text,n\nkey invoices,1\n"), ReadOptions(encoding=encoding))
    assert reader.columns == ["text", "n"]
    assert [row for batch in reader for row in batch.values(reader.columns)] == [["key invoices", "1"]]
    reader.close()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_mark_before_json_lines_is_no_part_of_them(newline):
    # Editors on Windows write one. U+FEFF further on is a character of the text.
    objects = [{"text": "key invoices", "n": 1}, {"text": "\ufeffdraft a contract"}]
    content = "".join(json.dumps(o, ensure_ascii=False) + newline for o in objects).encode("utf-8-sig")
    reader = JsonlReader("in.jsonl", io.BytesIO(content), ReadOptions())
    (batch,) = reader
    assert (batch.cells, batch.faults, reader.columns) == (objects, {}, ["text", "n"])
    assert [json.loads(line) for line in batch.lines] == objects


def test_cells_beyond_the_header_of_a_sheet_are_told_in_the_fault_of_their_row():
    book, stream = openpyxl.Workbook(), io.BytesIO()
    rows = [["key invoices", 1], ["draft a contract", 2, None, "surplus"], ["a logo"], [None, None, 7]]
    for row in [["text", "n"], *rows]:
        book.active.append(row)
    book.save(stream)
    reader = ExcelReader("in.xlsx", stream, ReadOptions())
    (batch,) = reader
    assert reader.columns == ["text", "n"]
    assert batch.values(reader.columns) == [rows[0], rows[1][:2], ["a logo", None], [None, None]]
    assert batch.faults == {1: 'has cells beyond the header: [null, "surplus"]', 3: "has cells beyond the header: [7]"}
