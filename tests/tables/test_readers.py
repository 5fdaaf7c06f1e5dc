"""Readers by themselves; what they come to in whole runs is in test_scoring."""

import csv
import io
import json

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from outsort.errors import DataError
from outsort.tables.base import BATCH_BYTES, ReadOptions
from outsort.tables.delimited import CsvReader, LineRows
from outsort.tables.jsonl import JsonlReader
from outsort.tables.parquet import ParquetReader
from outsort.tables.workbooks.excel import ExcelReader
from workbooks import wide_rows, workbook


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
    assert batch.faults == {1: 'has cells beyond the header: ["surplus"]', 3: "has cells beyond the header: [7]"}


@pytest.mark.parametrize(
    ("row", "is_read"),
    [
        ('<row r="2000000000"><c><v>1</v></c></row>', False),
        ('<row r="1048577"><c><v>1</v></c></row>', False),
        pytest.param('<row r="1048576"><c><v>1</v></c></row>', True, marks=pytest.mark.slow),
        ('<row r="2"><c r="ZZZ2"><v>1</v></c></row>', False),
        ('<row r="2"><c r="XFE2"><v>1</v></c></row>', False),
        ('<row r="2"><c r="XFD2"><v>1</v></c></row>', True),
    ],
)
def test_a_sheet_ends_where_one_of_excel_does(row, is_read):
    # A few bytes that claimed more kept a worker of the service busy for good, or took its memory.
    content = io.BytesIO(workbook(row.encode()))
    if is_read:
        reader = ExcelReader("in.xlsx", content, ReadOptions())
        assert [number for batch in reader for number in batch.numbers][-1] in (2, 1_048_576)
    else:
        with pytest.raises(DataError, match=r"in.xlsx: has cells beyond row 1,048,576 or column 16,384 \(XFD\)"):
            list(ExcelReader("in.xlsx", content, ReadOptions()))


def test_more_cell_formats_than_excel_has_are_refused_before_objects_are_made_of_them():
    styles = b"<xf/>" * 300_000
    with pytest.raises(DataError, match="has more cell formats than Excel allows"):
        ExcelReader("in.xlsx", io.BytesIO(workbook(b"", styles)), ReadOptions())
    few = workbook(b"<row><c><v>1</v></c></row>", b"<xf/>" * 100)
    (batch,) = ExcelReader("in.xlsx", io.BytesIO(few), ReadOptions())
    assert len(batch) == 1


def test_a_batch_of_a_wide_sheet_has_fewer_rows():
    reader = ExcelReader("in.xlsx", io.BytesIO(workbook(wide_rows(40))), ReadOptions())
    batches = list(reader)
    assert [number for batch in batches for number in batch.numbers] == list(range(2, 42))
    reasons = [batch.faults[place] for batch in batches for place in range(len(batch))]
    assert reasons == [f"has cells beyond the header: [{number}]" for number in range(2, 42)]
    assert max(len(batch) for batch in batches) * 16_384 * 64 < 2 * BATCH_BYTES


@pytest.mark.slow
def test_one_long_text_in_every_row_of_parquet_is_decoded_in_parts():
    # By dictionary it takes a few bytes a row in the file, and all of its length in memory.
    text, stream = "key invoices " * 1600, io.BytesIO()
    table = pa.table({"text": pa.array([text] * 5000).dictionary_encode(), "n": range(5000)})
    pa.parquet.write_table(table.cast(pa.schema([("text", pa.string()), ("n", pa.int64())])), stream)
    assert stream.tell() < 100_000
    reader = ParquetReader("in.parquet", stream, ReadOptions())
    batches = list(reader)
    assert [n for batch in batches for _, n in batch.values([])] == list(range(5000))
    assert [number for batch in batches for number in batch.numbers] == list(range(2, 5002))
    assert max(batch.content.nbytes for batch in batches) < 2 * BATCH_BYTES


def test_memory_that_runs_out_is_no_damage_of_the_file(monkeypatch):
    book = io.BytesIO(workbook(b"<row><c><v>1</v></c></row>"))
    table = io.BytesIO()
    pa.parquet.write_table(pa.table({"text": ["key invoices"]}), table)
    readers = [ExcelReader("in.xlsx", book, ReadOptions()), ParquetReader("in.parquet", table, ReadOptions())]

    def fail(*_):
        raise pa.ArrowMemoryError("malloc of size 1 failed")
        yield

    monkeypatch.setattr(readers[0]._tables[0], "blocks", fail)
    monkeypatch.setattr(readers[1], "_batches", fail)
    for reader in readers:
        with pytest.raises(MemoryError):
            list(reader)
