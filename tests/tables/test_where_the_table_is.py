"""Tables as people have them: below titles, on the second sheet, with totals and notes after them."""

import datetime
import io
import random
import shlex

import openpyxl
import pytest
from openpyxl.chart import BarChart

from outsort.errors import DataError
from outsort.files import csv_record
from outsort.tables.base import ReadOptions
from outsort.tables.columns import NoColumnError
from outsort.tables.delimited import CsvReader, TsvReader
from outsort.tables.not_work import AGAIN, NOTE, OTHER, SEPARATOR, TITLE, TOTAL
from outsort.tables.workbooks import sheet_rows
from outsort.tables.workbooks.excel import ExcelReader

HEADERS = [["Ref", "Description", "Amount"], ["No.", "What is to be done", "Value (GBP)", "Supplier"]]
WORK = ["Type supplier invoices into the ledger", "Draft a patent claim chart", "Answer customer calls"]


def table(header, n=3):
    """Return rows of work under a header."""
    rows = [[f"C-{i + 1}", WORK[i % len(WORK)], 100 * i + 5, f"Firm {i}"] for i in range(n)]
    return [header, *(row[: len(header)] for row in rows)]


def book_of(**sheets):
    """Return a workbook of sheets of rows, as a stream."""
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for number, row in enumerate(rows, 1):
            for column, cell in enumerate(row, 1):
                if cell is not None:
                    page.cell(number, column, cell)
    book.save(stream)
    stream.seek(0)
    return stream


def text_of(rows, delimiter=",", *, padded=False):
    width = max(map(len, rows)) if padded else 0
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    lines = [csv_record(row, delimiter) if row else "" for row in full]
    return "".join(f"{line}\n" for line in lines).encode()


def read(reader):
    """Return the rows of a reader, their numbers and their faults by number."""
    rows, numbers, faults = [], [], {}
    for batch in reader:
        rows += batch.values(reader.columns)
        numbers += batch.numbers
        faults |= {batch.numbers[place]: why for place, why in batch.faults.items()}
    reader.close()
    return rows, numbers, faults


TITLES = {
    "a title, a date, a blank row": [["Contracts register, Example Borough"], ["Published 1 April 2026"], []],
    "notes in two cells": [["Department:", "Finance"], ["Period:", "April"], []],
    "a title": [["Register of tenders"]],
    "a usual name of texts": [["Description"]],
    "two titles and notes": [["Spend over 500"], ["All figures exclude VAT."], ["Source: ledger"], [], []],
}


@pytest.mark.parametrize("above", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize("style", ["comma", "semicolon", "tab", "padded", "workbook"])
def test_the_header_is_found_below_titles_and_rows_keep_their_numbers(above, style):
    header = HEADERS[1] if "Department:" in above[0] else HEADERS[0]
    rows = [*above, *table(header)]
    if style == "workbook":
        reader = ExcelReader("in.xlsx", book_of(S=rows), ReadOptions())
    else:
        kind = TsvReader if style == "tab" else CsvReader
        raw = text_of(rows, {"semicolon": ";", "tab": "\t"}.get(style, ","), padded=style == "padded")
        reader = kind("in.csv", io.BytesIO(raw), ReadOptions())
    found, numbers, faults = read(reader)
    assert reader.columns == header
    assert [[str(cell) for cell in row] for row in found] == [[str(cell) for cell in row] for row in rows[-3:]]
    assert numbers == list(range(len(above) + 2, len(above) + 5))
    assert not faults
    assert (reader.location.header_row, reader.location.options) == (len(above) + 1, [f"--header-row {len(above) + 1}"])


@pytest.mark.parametrize(
    "rows",
    [
        [["text"], ["a,b"], ["c"]],
        [["text", ""], ["key invoices", "x"], ["draft", "y"]],
        [["text", "n"], ["Total quality management", "x"], ["key", "y"]],
        [["C-1", "Type supplier invoices into the ledger", "1200"], ["C-2", "Draft a patent claim chart", "800"]],
        [["Alpha", "Beta"], ["one", "two", "three", "four"], ["one", "two", "three", "five"]],
        [["a", "b"], ["id", "description"], ["x", "y"]],
    ],
)
def test_row_one_is_the_header_unless_it_plainly_is_not(rows):
    stream = io.BytesIO(text_of(rows))
    reader = CsvReader("in.csv", stream, ReadOptions(keep=True))
    assert reader.columns == rows[0]
    assert len(read(reader)[0]) == len(rows) - 1


ONLY_ROW = "its only row was taken for the names of the columns: pass --no-header if it is work"
FIRST_ROW = ONLY_ROW.replace("only", "first")


@pytest.mark.parametrize("is_book", [False, True], ids=["csv", "workbook"])
@pytest.mark.parametrize(
    ("rows", "remarks"),
    [
        ([["Keying of invoices into SAP"]], [ONLY_ROW]),
        ([["C-1", "Keying of invoices into SAP"]], [ONLY_ROW]),
        ([["Description"]], []),
        ([["C-1", "Description"]], []),
        ([["Keying of invoices into SAP"], ["Draft a patent claim"]], [FIRST_ROW]),
        ([["Answer customer e-mails"], ["Draft a patent claim"]], [FIRST_ROW]),
        ([["Type meeting notes", "3", "May"], ["Draft a patent claim", "8", "June"]], [FIRST_ROW]),
        ([["What is done", "Place", "Month"], ["Draft a patent claim", "Leeds", "June"]], []),
        ([["Payroll processing"], ["Draft a patent claim"]], [FIRST_ROW]),
        ([["What we do"], ["Draft a patent claim"]], []),
        ([["Task to do"], ["Draft a patent claim"]], []),
        ([["Tenders of April"], [], ["Description"]], []),
    ],
)
def test_a_first_row_that_names_no_columns_is_told_unless_the_user_named_it(rows, remarks, is_book):
    for number in (None, 1):
        stream = book_of(S=rows) if is_book else io.BytesIO(text_of(rows))
        options = ReadOptions(header_row=number, text_columns=["1"])
        reader = ExcelReader("in.xlsx", stream, options) if is_book else CsvReader("in.csv", stream, options)
        read(reader)
        assert reader.location.remarks == ([] if number else remarks)


@pytest.mark.parametrize(
    ("rows", "header_row"),
    [
        (
            [
                [None, "Pipeline"],
                [],
                [None, "#", "Scope of work", "Vendor"],
                [None, 1, WORK[0], "A"],
                [None, 2, WORK[1], "B"],
            ],
            3,
        ),
        ([["Sum of spend", "Year"], ["Service", "2024/25", "2025/26", "Grand Total"], ["Payroll", 5, 6, 11]], 2),
        (
            [["Year", "(All)"], [], ["Sum of spend", "Column Labels"], ["Row Labels", "Q1", "Q2", "Q3", "Grand Total"]]
            + [[text, 3, 4, 5, 12] for text in WORK],
            4,
        ),
        ([["Budget"], ["Cost line", 2024, 2025, 2026], ["Payroll bureau", 5, 6, 7], ["Actuary", 8, 9, 1]], 2),
    ],
    ids=["a sign for numbers", "a pivot", "a pivot with a filter", "years"],
)
def test_signs_and_periods_name_columns(rows, header_row):
    reader = ExcelReader("in.xlsx", book_of(S=rows), ReadOptions(text_columns=["1"]))
    assert reader.location.header_row == header_row
    assert reader.columns == [str(cell or "") for cell in rows[header_row - 1]]


def test_years_under_a_group_make_the_lower_of_two_header_rows_the_one():
    rows = [["Ref", "Description", "Volume", None, "Cost"], [None, None, 2024, 2025, None], ["1", WORK[0], 3, 4, 5]]
    book = openpyxl.load_workbook(book_of(S=rows))
    for cells in ("A1:A2", "B1:B2", "C1:D1", "E1:E2"):
        book.active.merge_cells(cells)
    stream = io.BytesIO()
    book.save(stream)
    reader = ExcelReader("in.xlsx", stream, ReadOptions())
    assert (reader.columns, len(read(reader)[0])) == (["Ref", "Description", "2024", "2025", "Cost"], 1)


def test_a_title_above_rows_none_of_which_names_columns_stops_with_the_options():
    rows = [["Our own list"], ["Payroll bureau", 12, 7.5], ["Audit of leases", 3, 8]]
    why = r"row 1 has 1 cell and rows below it have up to 3, .* with --header-row, or pass --no-header\."
    with pytest.raises(DataError, match=why):
        ExcelReader("in.xlsx", book_of(S=rows), ReadOptions())
    assert ExcelReader("in.xlsx", book_of(S=rows), ReadOptions(header_row=2)).columns == ["Payroll bureau", "12", "7.5"]
    assert len(read(ExcelReader("in.xlsx", book_of(S=rows), ReadOptions(has_header=False)))[0]) == 3


@pytest.mark.parametrize("above", [[], [["Spend of the borough"], []]], ids=["at the top", "below a title"])
@pytest.mark.parametrize(
    "groups",
    [["Line", None, None, "Payment"], ["Line", None, "Money", "Payment"], ["Line", "Work", None, "Payment"]],
    ids=["two groups", "three groups", "a gap inside"],
)
def test_a_row_that_names_groups_of_columns_is_not_the_header(above, groups):
    header = HEADERS[1]
    reader = ExcelReader("in.xlsx", book_of(S=[*above, groups, *table(header)]), ReadOptions())
    assert reader.columns == header
    assert reader.location.header_row == len(above) + 2
    assert len(read(reader)[0]) == 3


@pytest.mark.parametrize(
    "rows",
    [
        # Values, one of them in a column without a name.
        [
            ["Ref", "Title", None, "Supplier"],
            ["Alpha", "Payroll", "by hand", "Firm"],
            ["B 1", "Audit", "post 7", "G 2"],
        ],
        # Nothing below differs from what could be names.
        [
            ["Ref", "Title", None, "Supplier"],
            ["Code", "Description", "Amount", "Vendor"],
            ["Beta", "Audit", "Post", "No"],
        ],
        # No gap: rows of this table are longer than its header.
        [["Ref", "Title"], ["Contract", "Service description", "Amount"], ["C-1", "Audit", "5"]],
        # What could be names leaves out a column that the header names.
        [["Ref", "Title", None, "Cost"], [None, "Description", "Amount", "Date"], ["C-1", "Audit", "5", "6"]],
    ],
    ids=["values", "nothing differs", "no gap", "a column left out"],
)
def test_a_header_with_a_column_without_a_name_stays_the_header(rows):
    assert ExcelReader("in.xlsx", book_of(S=rows), ReadOptions()).location.header_row == 1


def test_titles_above_what_may_be_data_stop_with_both_options():
    rows = [["Our own list"], ["Alice", "Contract work", "Legal"], ["Bob", "Payroll", "Finance"]]
    with pytest.raises(DataError, match=r"in row 1 or in row 2\. Say which with --header-row 1 or --header-row 2"):
        ExcelReader("in.xlsx", book_of(S=rows), ReadOptions())
    reader = ExcelReader("in.xlsx", book_of(S=rows), ReadOptions(header_row=2))
    assert (reader.columns, read(reader)[0]) == (rows[1], rows[2:])


@pytest.mark.parametrize("row", [2, 9])
def test_a_header_row_that_is_blank_is_refused(row):
    for reader, stream in (
        (CsvReader, io.BytesIO(b"text,n\n\na,1\n")),
        (ExcelReader, book_of(S=[["text", "n"], [], ["a", 1]])),
    ):
        with pytest.raises(DataError, match=f"row {row}, which --header-row names, is blank"):
            reader("in", stream, ReadOptions(header_row=row))


@pytest.mark.parametrize("reader", ["csv", "xlsx"])
def test_without_a_header_columns_have_letters_and_the_first_row_is_row_one(reader):
    rows = table(HEADERS[0])[1:]
    options = ReadOptions(has_header=False, text_columns=["B"])
    if reader == "csv":
        found = CsvReader("in.csv", io.BytesIO(text_of(rows)), options)
    else:
        found = ExcelReader("in.xlsx", book_of(S=rows), options)
    cells, numbers, _ = read(found)
    assert (found.columns, numbers) == (["A", "B", "C"], [1, 2, 3])
    assert [row[1] for row in cells] == WORK


def test_what_names_the_delimiter_is_no_row():
    reader = CsvReader("in.csv", io.BytesIO(b"sep=;\r\nref;description\r\n1;Type, and check\r\n"), ReadOptions())
    assert (reader.columns, read(reader)[0]) == (["ref", "description"], [["1", "Type, and check"]])


@pytest.mark.parametrize("n", [1, 2, 5, 300])
def test_a_delimiter_at_the_end_of_every_row_is_no_cell(n):
    raw = b"ref,description\n" + b"".join(b"C-%d,Type invoices,\n" % i for i in range(n))
    reader = CsvReader("in.csv", io.BytesIO(raw), ReadOptions())
    assert read(reader)[0] == [[f"C-{i}", "Type invoices"] for i in range(n)]
    # In one row of several it is a cell too many.
    with pytest.raises(DataError, match="row 3 has 3 cells where the header has 2"):
        read(CsvReader("in.csv", io.BytesIO(b"ref,description\n1,a\n2,b,\n3,c\n"), ReadOptions()))


AFTER = {
    "a total": ([[None, "Total", 2000]], {5: TOTAL}),
    "rules": ([["---", "---", "---"], ["C-9", "Type forms", 7], ["------", None, None]], {5: SEPARATOR, 7: SEPARATOR}),
    "a total in every column of numbers": ([["Grand total", 7, 9]], {5: TOTAL}),
    "a grand total and a source": (
        [["Grand total", None, 9], [], ["Source: finance system, unaudited"]],
        {5: TOTAL, 7: NOTE},
    ),
    "remarks after a blank row": ([[], ["Extract of the ledger"], ["as of April"]], {6: NOTE, 7: NOTE}),
    "the header again": ([HEADERS[0], ["C-9", "Type forms", 7]], {5: AGAIN}),
    "another table": ([[], ["Code", "Supplier name", "Value"], ["S-1", "Firm A", 3]], {6: OTHER}),
}


@pytest.mark.parametrize(("after", "marked"), AFTER.values(), ids=AFTER)
@pytest.mark.parametrize("style", ["plain", "latin", "workbook"])
def test_rows_that_are_no_work_are_marked_and_kept(after, marked, style):
    rows = [*table(HEADERS[0]), *after]
    if style == "workbook":
        reader = ExcelReader("in.xlsx", book_of(S=rows), ReadOptions())
    else:
        encoding = "cp1252" if style == "latin" else None
        reader = CsvReader("in.csv", io.BytesIO(text_of(rows, padded=True)), ReadOptions(encoding=encoding))
    found, _, faults = read(reader)
    assert faults == marked
    assert len(found) == len(rows) - 1
    assert ("another table" in " ".join(reader.location.remarks)) == (OTHER in marked.values())


def test_notes_of_fewer_cells_do_not_stop_a_run_and_other_short_rows_do():
    start = "Register of work\n\nref,description,n\nC-1,Type invoices,5\n"
    notes = "Register of work\n\nSource: finance, unaudited\nPage 1 of 2\nAs of April\n"
    _, _, faults = read(CsvReader("in.csv", io.BytesIO((start + notes).encode()), ReadOptions()))
    assert faults == {5: TITLE, 7: NOTE, 8: NOTE, 9: NOTE}
    with pytest.raises(DataError, match="row 5 has 1 cell where the header has 3"):
        read(CsvReader("in.csv", io.BytesIO(f"{start}x\nC-2,Draft,6\n".encode()), ReadOptions()))


def test_a_rule_below_the_header_is_no_work_and_dashes_in_a_text_are():
    raw = b"ref,text\n---,----\n1,Type forms\n2,Answer: -----Original message-----\n3,---\n"
    assert read(CsvReader("in.csv", io.BytesIO(raw), ReadOptions()))[2] == {2: SEPARATOR}


@pytest.mark.parametrize(
    "row",
    [
        ["C-9", "Total rewards consulting", 5],
        ["C-9", "Sources of funding", 5],
        [None, "Total spend analysis", 5],
        ["Total", "Type", 5],
        [9, "Total", 5],
    ],
)
def test_work_that_sounds_like_a_total_is_work(row):
    assert not read(ExcelReader("in.xlsx", book_of(S=[*table(HEADERS[0]), row]), ReadOptions()))[2]


COVERS = {
    "a sentence": [["About this register"], ["It lists contracts."]],
    "nothing": [],
    "terms": [["Term", "Meaning"], ["VAT", "a tax"]],
    "a number": [[2026]],
}


#: Two columns that read like descriptions.
UNDECIDED = [
    ["Ref", "Done by hand", "Done by machine", "Value"],
    *([f"C-{i}", WORK[i % 3], WORK[(i + 1) % 3], i] for i in range(6)),
]
PROSE = {
    "a title and sentences": [
        ["Work of the council, second edition"],
        ["This file says what is done by whom."],
        ["Mind the values."],
    ],
    "a usual heading": [
        ["Description"],
        ["This workbook lists the work of the council."],
        ["Values have no tax in them."],
    ],
    "a codebook": [["Column", "Meaning"], *([name, f"what the buyer says of the {name}"] for name in UNDECIDED[0])],
    "changes": [
        ["Version", "Change"],
        ["1", "First edition of the list"],
        ["2", "Added the work of the leisure trust"],
    ],
}


class TestSheets:
    @pytest.mark.parametrize("cover", COVERS.values(), ids=COVERS)
    def test_covers_are_passed_over_and_named(self, cover):
        reader = ExcelReader("in.xlsx", book_of(Cover=cover, Work=table(HEADERS[0])), ReadOptions())
        assert reader.columns == HEADERS[0]
        assert reader.location.sheet == "Work"
        assert reader.location.remarks == ["not read: 'Cover' (--sheet NAME, or all)"]
        assert reader.location.options == ["--sheet Work"]

    @pytest.mark.parametrize("notes", PROSE.values(), ids=PROSE)
    def test_notes_do_not_stand_for_a_larger_table_without_a_clear_text_column(self, notes):
        book = book_of(Notes=notes, Work=UNDECIDED)
        with pytest.raises(NoColumnError) as caught:
            ExcelReader("in.xlsx", book, ReadOptions())
        assert str(caught.value) == (
            "in.xlsx: sheet 'Work' has no clear text column; it may be 'Done by hand' or 'Done by machine'. Name it "
            "with --sheet Work --text-column NAME; or read 'Notes' with --sheet Notes."
        )
        assert caught.value.columns == UNDECIDED[0]
        book.seek(0)
        assert ExcelReader("in.xlsx", book, ReadOptions(text_columns=["Done by hand"])).location.sheet == "Work"

    def test_notes_do_not_stand_for_a_table_whose_header_is_not_clear(self):
        unclear = [["Work of May"], [], ["What", "Who", "Where"], *([text, "Firm", "Leeds"] for text in WORK)]
        with pytest.raises(DataError, match="sheet 'Work': the names of the columns are in row 1 or in row 3"):
            ExcelReader("in.xlsx", book_of(Notes=PROSE["a title and sentences"], Work=unclear), ReadOptions())

    def test_a_list_of_texts_is_read_beside_a_smaller_table(self):
        texts = [["Jobs"], *([text] for text in WORK * 4)]
        reader = ExcelReader("in.xlsx", book_of(Jobs=texts, Other=UNDECIDED), ReadOptions())
        assert reader.location.sheet == "Jobs"

    @pytest.mark.parametrize("heading", ["Description", "Meaning"])
    def test_a_codebook_is_not_the_table_that_it_describes(self, heading):
        codes = [["Column", heading], *([name, f"what the buyer says of the {name}"] for name in HEADERS[1])]
        reader = ExcelReader("in.xlsx", book_of(Codes=codes, Work=table(HEADERS[1])), ReadOptions())
        assert reader.location.sheet == "Work"

    def test_of_tables_told_by_their_cells_the_larger_is_read(self):
        changes = [["Version", "Change"], ["1", "First edition of the list"], ["2", "Added the work of the trust"]]
        work = [["No.", "Job to hand over", "Value"], *([f"C-{i}", text, i] for i, text in enumerate(WORK))]
        book = book_of(Changes=changes, Work=work)
        assert ExcelReader("in.xlsx", book, ReadOptions()).location.sheet == "Work"
        book.seek(0)
        assert ExcelReader("in.xlsx", book, ReadOptions(sheet="all")).location.sheet == "Changes, Work"

    def test_hidden_sheets_and_charts_are_passed_over_unless_named(self):
        book = openpyxl.load_workbook(book_of(Old=table(HEADERS[0]), Work=table(HEADERS[1])))
        book["Old"].sheet_state = "hidden"
        book.create_chartsheet("Chart", 0).add_chart(BarChart())
        stream = io.BytesIO()
        book.save(stream)
        reader = ExcelReader("in.xlsx", stream, ReadOptions(text_columns=[HEADERS[1][1]]))
        assert reader.columns == HEADERS[1]
        assert reader.location.remarks == ["'Chart' is a chart or macro sheet; 'Old' is hidden"]
        assert ExcelReader("in.xlsx", stream, ReadOptions(sheet="Old")).columns == HEADERS[0]
        with pytest.raises(DataError, match="sheet 'Chart' is a chart or macro sheet, which has no rows"):
            ExcelReader("in.xlsx", stream, ReadOptions(sheet="1"))

    def test_all_sheets_make_one_table_with_a_column_of_their_names(self):
        more = [["Description", "sheet", "Ref"], ["Answer calls", "x", "C-9"]]
        stream = book_of(April=table(HEADERS[0], 1), Cover=[["Read me"]], May=more)
        reader = ExcelReader("in.xlsx", stream, ReadOptions(sheet="all"))
        assert reader.columns == [*HEADERS[0], "sheet", "sheet 2"]
        rows, numbers, _ = read(reader)
        assert rows == [["C-1", WORK[0], 5, None, "April"], ["C-9", "Answer calls", None, "x", "May"]]
        assert numbers == [2, 2]

    def test_a_sheet_is_named_or_numbered(self):
        stream = book_of(**{"2": table(HEADERS[0]), "May": table(HEADERS[0], 1)})
        assert ExcelReader("in.xlsx", stream, ReadOptions(sheet="2")).location.sheet == "2"
        assert ExcelReader("in.xlsx", stream, ReadOptions(sheet="1")).location.sheet == "2"
        with pytest.raises(DataError, match="no sheet '3'; it has '2', 'May'"):
            ExcelReader("in.xlsx", stream, ReadOptions(sheet="3"))

    def test_an_empty_sheet_is_none_with_a_blank_first_row(self):
        with pytest.raises(DataError, match="the sheet is empty"):
            ExcelReader("in.xlsx", book_of(S=[]), ReadOptions())
        reader = ExcelReader("in.xlsx", book_of(S=[[]] * 70 + table(HEADERS[0])), ReadOptions())
        assert (reader.location.header_row, read(reader)[1]) == (71, [72, 73, 74])


def test_cells_merged_downwards_count_for_each_of_their_rows():
    book = openpyxl.load_workbook(book_of(S=[["Dept", "Description"], ["Legal", "a"], [None, "b"], ["IT", "c"]]))
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("B4:C4")
    stream = io.BytesIO()
    book.save(stream)
    for limit in (sheet_rows.MAX_AT_ONCE, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sheet_rows, "MAX_AT_ONCE", limit)
            rows, _, _ = read(ExcelReader("in.xlsx", stream, ReadOptions()))
        assert rows == [["Legal", "a"], ["Legal", "b"], ["IT", "c"]]


def odd_book(seed):
    """Return a workbook of all kinds of cells, in which the first columns may be blank."""
    rng = random.Random(seed)
    before = [None] * (seed % 3)
    days = [datetime.datetime(1900, 1, 1), datetime.datetime(1900, 3, 1), datetime.datetime(2026, 5, 1, 9, 30)]
    cells = [
        *(None, "x", " ", "\n", "_x000D_", "007", "=1+1", "#N/A", 5, -5, 0, 0.25, 10**15, 10**17),
        *(True, *days, datetime.time(9, 30), datetime.time(23, 59, 59, 999600), datetime.timedelta(days=2, hours=1)),
    ]
    book = openpyxl.Workbook()
    book.active.append([*before, "text", "a", "b", "c"])
    for _ in range(30):
        book.active.append([*before, rng.choice(["key", "draft"]), *(rng.choice(cells) for _ in "abc")])
    for row in book.active.iter_rows(2):
        for cell in row:
            if isinstance(cell.value, int) and abs(cell.value) < 10**6 and rng.random() < 0.5:
                cell.number_format = rng.choice(["yyyy-mm-dd", "0.00", "[h]:mm", '0 "days"'])
    stream = io.BytesIO()
    book.save(stream)
    return stream


@pytest.mark.filterwarnings("ignore:Cell .* is marked as a date")
@pytest.mark.parametrize("seed", range(8))
def test_a_sheet_read_at_once_is_as_openpyxl_reads_it_cell_by_cell(seed, monkeypatch):
    stream = odd_book(seed)

    def everything():
        reader = ExcelReader("in.xlsx", stream, ReadOptions())
        return [(b.cells, list(b.numbers), dict(b.faults), [list(f) for f in b.number_formats]) for b in reader]

    with monkeypatch.context() as patch:
        # Or this would compare a way with itself.
        patch.setattr(sheet_rows, "_streamed", lambda *_: pytest.fail("was read cell by cell"))
        at_once = everything()
    monkeypatch.setattr(sheet_rows, "MAX_AT_ONCE", -1)
    streamed = everything()
    for one, other in zip(at_once, streamed, strict=True):
        for row, same in zip(one[0], other[0], strict=True):
            for cell, expected in zip(row, same, strict=True):
                # A day beyond all calendars stays a number, where openpyxl makes an error of it.
                assert (cell, type(cell)) == (expected, type(expected)) or expected == "#VALUE!"
        assert one[1:] == other[1:]


@pytest.mark.filterwarnings("ignore:Cell .* is marked as a date")
@pytest.mark.parametrize("style", ["yyyy-mm-dd", "[h]:mm"])
def test_a_day_beyond_all_calendars_is_no_damage_of_the_workbook(style):
    # The library that reads at once fails on it, and with it the sheet.
    book = openpyxl.load_workbook(book_of(S=[["text", "n"], ["key", 10**15], ["draft", 1]]))
    book.active["B2"].number_format = style
    stream = io.BytesIO()
    book.save(stream)
    rows, _, _ = read(ExcelReader("in.xlsx", stream, ReadOptions()))
    assert [row[0] for row in rows] == ["key", "draft"]


def test_two_cells_far_apart_take_no_memory():
    # Read at once they would have ended the process.
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active["A2"], book.active["XFD200000"] = "key invoices", 1
    stream = io.BytesIO()
    book.save(stream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet_rows, "_streamed", lambda *_: iter([sheet_rows.Block([["text"], ["key"]], [(), ()], {})]))
        assert read(ExcelReader("in.xlsx", stream, ReadOptions()))[0] == [["key"]]


def test_a_formula_without_a_result_is_a_fault_of_its_row():
    stream = book_of(S=[["text", "n", "m"], ["key", "=1+1", 2], ["draft", 3, "=A1"], ["a logo", 1, 2]])
    for limit in (sheet_rows.MAX_AT_ONCE, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sheet_rows, "MAX_AT_ONCE", limit)
            _, _, faults = read(ExcelReader("in.xlsx", stream, ReadOptions()))
        assert faults == {2: "has a formula without a result: B2", 3: "has a formula without a result: C3"}


class TestCommand:
    @pytest.mark.parametrize(
        "command", ["score", "review", "train", "evaluate", "compare", "check", "certify", "retrain", "plan"]
    )
    def test_every_command_that_reads_tables_can_be_told_where_the_table_is(self, command, outsort):
        shown = outsort(command, "--help").out
        for option in ("--encoding", "--delimiter", "--sheet", "--header-row", "--no-header"):
            assert f"{option} " in shown

    def test_what_was_read_is_said_with_the_options_for_the_same(self, outsort, tmp_path):
        path = tmp_path / "in.xlsx"
        path.write_bytes(book_of(Cover=[["Read me"]], Work=[["A title of it"], [], *table(HEADERS[0])]).getvalue())
        done = outsort("score", path, "-o", tmp_path / "out.csv")
        assert done.err.splitlines()[0] == (
            f"{path}: sheet 'Work', header in row 3, text column 'Description', 3 rows; not read: 'Cover' (--sheet "
            "NAME, or all). The same again: --sheet Work --header-row 3 --text-column 'Description'"
        )
        again = ["--sheet", "Work", "--header-row", 3, "--text-column", "Description"]
        done = outsort("score", path, "-o", tmp_path / "again.csv", *again)
        assert done.code == 0
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()

    def test_marked_rows_go_to_review_and_are_not_offered_for_labels(self, outsort, tmp_path):
        path = tmp_path / "in.csv"
        path.write_bytes(text_of([*table(HEADERS[0]), ["", "Total", 9]]))
        outsort("score", path, "-o", tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text().count(",review,not a row of work (a total),") == 1
        done = outsort("review", path, "-o", tmp_path / "queue.csv")
        assert "3 of 3 texts to review" in done.err

    def test_work_in_row_one_alone_is_said_and_read_without_a_header(self, outsort, tmp_path):
        path = tmp_path / "in.csv"
        path.write_text("Keying of invoices into SAP\n")
        done = outsort("score", path, "-o", tmp_path / "out.csv")
        assert f"0 rows; {ONLY_ROW}\n" in done.err
        done = outsort("score", path, "-o", tmp_path / "out.csv", "--force", "--no-header")
        assert done.err.splitlines()[0] == f"{path}: no header, text column 'A', 1 row"

    def test_a_format_that_names_its_columns_has_no_header_row(self, outsort, tmp_path):
        (tmp_path / "in.jsonl").write_text('{"text": "key"}\n')
        done = outsort("score", tmp_path / "in.jsonl", "-o", tmp_path / "out.csv", "--no-header")
        assert done.err.endswith("jsonl names its columns itself. Leave out --header-row and --no-header.\n")

    @pytest.mark.parametrize("name", ["Service\ndescription", "Task's description", "Task \\ step"])
    def test_the_options_for_the_same_lead_to_the_same(self, name, outsort, tmp_path):
        rows = [["A register"], [], ["Ref", name, "Title"], ["1", WORK[0], "x"], ["2", "", WORK[1]]]
        (tmp_path / "in.csv").write_bytes(text_of(rows, padded=True))
        args = ("score", tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--force")
        said = outsort(*args).err.splitlines()[0]
        first = (tmp_path / "out.csv").read_bytes()
        options = shlex.split(said.partition("The same again: ")[2])
        assert outsort(*args, *options).code == 0
        assert (tmp_path / "out.csv").read_bytes() == first
        assert shlex.split(said.partition("(")[2].partition(")")[0]) == options[-2:]

    def test_a_workbook_of_another_format_is_no_output(self, outsort, tmp_path):
        (tmp_path / "in.csv").write_text("text\nkey invoices\n")
        done = outsort("score", tmp_path / "in.csv", "-o", tmp_path / "out.ods")
        assert (done.code, (tmp_path / "out.ods").exists()) == (1, False)
        assert "ods is read, not written. Name a file that ends in .xlsx or .csv" in done.err

    def test_damaged_workbooks_of_other_formats_are_one_message(self, outsort, tmp_path):
        for name in ("in.xls", "in.ods", "in.xlsb"):
            content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "Workbook".encode("utf-16-le")
            (tmp_path / name).write_bytes(content)
            done = outsort("score", tmp_path / name, "-o", tmp_path / "out.csv")
            assert (done.code, done.err.count("\n")) == (1, 1)
            assert "is damaged, or not a workbook" in done.err or "memory, or is damaged" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("before", [[], [None, None]], ids=["at A", "at C"])
@pytest.mark.parametrize("style", ["xls", "ods"])
def test_workbooks_of_other_formats_are_read_as_the_one_they_were_made_from(style, before, office, tmp_path):
    from outsort.tables.workbooks.foreign import ForeignReader

    rows = [["A title"], [], ["text", "n", "day"], ["key", 5, datetime.datetime(2026, 5, 1)], ["draft", 0.5, None]]
    rows = [[*before, *row] for row in rows]
    (tmp_path / "in.xlsx").write_bytes(book_of(Work=rows, Other=[["x"]]).getvalue())
    path = office(tmp_path / "in.xlsx", style, tmp_path)
    with path.open("rb") as stream:
        reader = ForeignReader("in", stream, ReadOptions())
        found, numbers, faults = read(reader)
    assert (found, numbers, faults) == (rows[3:], [4, 5], {})
    assert reader.columns == [name or "" for name in rows[2]]
