"""A scored workbook is the workbook: new columns in one sheet, everything else as it was."""

import csv
import io
import re
import warnings
import zipfile
from datetime import datetime
from xml.etree import ElementTree as ET

import openpyxl
import pandas as pd
import pytest
import python_calamine
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule, ColorScaleRule
from openpyxl.styles import Border, Font, PatternFill, Side
from openpyxl.utils.escape import unescape
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table, TableStyleInfo

from outsort.errors import DataError, DataWarning, OutputError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer

NEW = ["label", "probability", "p_BPO", "p_KPO", "p_NEITHER", "service_line", "decision", "reason", "model"]
#: Where all of these programs put the first sheet.
SHEET = "xl/worksheets/sheet1.xml"
TEXTS = ["key invoices into sap", "draft a contract", "mop office floors", "zebra", "type scanned invoices"]
ROWS = [["ref", "task", "fee"], *([f"00{i}", text, 100.5 * i] for i, text in enumerate(TEXTS))]
#: A picture of one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


def by_openpyxl(path):
    """Formulas, comments, merged cells, conditional formats, validation, names, a chart, panes, a filter, sheets."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Spend '26"
    for row in ROWS:
        sheet.append(row)
    sheet["C7"], sheet["D1"], sheet["D2"] = "=SUM(C2:C6)", "twice", "=C2*2"
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F4E78")
    sheet["B2"].comment = Comment("why?", "me")
    sheet.merge_cells("A4:A5")
    sheet.conditional_formatting.add("C2:C6", CellIsRule(operator="greaterThan", formula=["200"], font=Font(bold=True)))
    sheet.conditional_formatting.add("C2:C6", ColorScaleRule("min", None, "FF0000", end_type="max", end_color="00FF00"))
    choice = DataValidation("list", formula1='"x,y"')
    choice.add("A2:A6")
    sheet.add_data_validation(choice)
    sheet.freeze_panes, sheet.auto_filter.ref = "B2", "A1:D6"
    sheet.column_dimensions["B"].width, sheet.row_dimensions[3].height = 40, 30
    sheet.column_dimensions.group("F", "H", hidden=True)
    book.defined_names["fees"] = DefinedName("fees", attr_text="'Spend ''26'!$C$2:$C$6")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=6), titles_from_data=True)
    notes = book.create_sheet("notes")
    notes["A1"] = "='Spend ''26'!C7+1"
    notes.add_chart(chart, "C3")
    book.save(path)


def by_openpyxl_with_a_table(path):
    """A table of Excel with totals, rich text, links, hidden sheets, dates."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [[*ROWS[0], "due"], *([*row, datetime(2026, 5, 1)] for row in ROWS[1:])]:  # noqa: DTZ001
        sheet.append(row)
    sheet["B3"] = CellRichText("draft ", TextBlock(InlineFont(b=True), "a"), " contract")
    sheet["A2"].hyperlink = "https://example.com/?a=1&b=2"
    sheet["A7"], sheet["C7"] = "Total", "=SUBTOTAL(109,Spend[fee])"
    table = Table(displayName="Spend", ref="A1:D7", totalsRowCount=1, tableStyleInfo=TableStyleInfo("TableStyleMedium2"))
    table._initialise_columns()
    for column, name in zip(table.tableColumns, [*ROWS[0], "due"], strict=True):
        column.name = name
    table.tableColumns[0].totalsRowLabel, table.tableColumns[2].totalsRowFunction = "Total", "sum"
    table.autoFilter.ref = "A1:D6"
    sheet.add_table(table)
    book.create_sheet("secret").sheet_state = "veryHidden"
    book.save(path)


def by_xlsxwriter(path):
    """Sparklines, text boxes, pictures, charts, rich strings, comments, filters with hidden rows."""
    with xlsxwriter.Workbook(path) as book:
        sheet, head = book.add_worksheet("Data"), book.add_format({"bold": True, "bg_color": "#FFCC00", "border": 1})
        sheet.write_row(0, 0, [*ROWS[0], "trend"], head)
        framed = book.add_format({"border": 1, "font_name": "Arial", "font_size": 9})
        for i, row in enumerate(ROWS[1:], 1):
            sheet.write_row(i, 0, [*row, None], framed)
            sheet.add_sparkline(i, 3, {"range": f"Data!A{i + 1}:C{i + 1}"})
        sheet.write_rich_string("B4", "mop ", book.add_format({"bold": True}), "office", " floors")
        sheet.insert_textbox("H3", "Read me")
        sheet.insert_image("H9", "pixel.png", {"image_data": io.BytesIO(PIXEL)})
        sheet.write_comment("C2", "note")
        sheet.write_formula("C8", "=SUM(C2:C6)", None, 1005)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Data!$C$2:$C$6"})
        sheet.insert_chart("H12", chart)
        sheet.autofilter("A1:D6")
        sheet.filter_column("A", "x != 004")
        sheet.set_row(5, None, None, {"hidden": True})
        sheet.set_default_row(18)
        pie = book.add_chart({"type": "pie"})
        pie.add_series({"values": "=Data!$C$2:$C$6"})
        book.add_chartsheet("Chart").set_chart(pie)


def by_xlsxwriter_with_tables(path):
    """A table of Excel at the sheet's edge and one beside it, validation, groups of rows, print settings."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        columns = [{"header": name} for name in ROWS[0]]
        sheet.add_table(0, 0, 5, 2, {"name": "Tasks", "data": ROWS[1:], "columns": columns})
        sheet.data_validation("C2:C6", {"validate": "decimal", "criteria": ">", "value": 0})
        sheet.conditional_format("C2:C6", {"type": "data_bar", "data_bar_2010": True})
        sheet.conditional_format("C2:C6", {"type": "icon_set", "icon_style": "3_arrows"})
        sheet.set_row(2, None, None, {"level": 1})
        sheet.repeat_rows(0)
        sheet.print_area("A1:C6")
        sheet.set_footer("&Cpage &P")
        sheet.freeze_panes(1, 1)
        book.add_worksheet("Other").write_formula("A1", "=SUM(Tasks[fee])", None, 1005)


def by_xlsxwriter_in_constant_memory(path):
    """Inline strings, array formulas, dynamic arrays, columns and rows with formats of their own."""
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet, blue = book.add_worksheet(), book.add_format({"font_color": "blue"})
        sheet.set_column("A:XFD", 12, blue)
        for i, row in enumerate(ROWS):
            sheet.set_row(i, None, blue)
            sheet.write_row(i, 0, row)
        sheet.write_array_formula("A8:A9", "{=C2:C3*2}", None, 201)
        sheet.write_dynamic_array_formula("C10", "=LEN(B2:B3)")


def by_pandas(path):
    frame = pd.DataFrame(ROWS[1:], columns=ROWS[0])
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        frame.to_excel(book, sheet_name="first", index=False)
        frame.groupby("ref").sum(numeric_only=True).to_excel(book, sheet_name="sums")


def by_pandas_and_xlsxwriter(path):
    frame = pd.DataFrame(ROWS[1:], columns=ROWS[0]).assign(due=pd.Timestamp("2026-05-01"))
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        frame.to_excel(book, sheet_name="first")
        book.sheets["first"].set_column("B:D", 30)


BOOKS = {
    function.__name__: function
    for function in (
        by_openpyxl,
        by_openpyxl_with_a_table,
        by_xlsxwriter,
        by_xlsxwriter_with_tables,
        by_xlsxwriter_in_constant_memory,
        by_pandas,
        by_pandas_and_xlsxwriter,
    )
}
#: Of these LibreOffice makes workbooks of its own.
RESAVED = ["by_openpyxl", "by_openpyxl_with_a_table", "by_xlsxwriter"]


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model, workers=1, explain=False)


def score(source, output, scorer, **options):
    """Score a file; return what was said besides that formulas have no result."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        score_file(source, output, scorer, options=Options(**options), force=True)
    told = [str(warning.message) for warning in said if warning.category is DataWarning]
    return [message for message in told if "without a result" not in message]


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def loaded(path, **options):
    with warnings.catch_warnings():
        # It says what it would lose if it saved the workbook.
        warnings.simplefilter("ignore", UserWarning)
        return openpyxl.load_workbook(path, **options)


def cells(path, **options):
    """Return the value and the look of each cell of the first sheet that has a value."""
    sheet = loaded(path, rich_text=True, **options).worksheets[0]
    return {
        cell.coordinate: (str(getattr(cell.value, "text", cell.value)), cell.number_format, cell.font.b, repr(cell.fill))
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    }


def rows_scored(source, scorer, folder):
    """Return the rows of a workbook scored into CSV, as dicts."""
    score(source, folder / "scored.csv", scorer)
    with (folder / "scored.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def check_copy(source, output, scorer, folder):
    """Check that a copy is the workbook with new columns, by other libraries."""
    before, after = parts(source), parts(output)
    assert before.keys() == after.keys()
    tables = {name for name in before if name.startswith("xl/tables/")}
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {SHEET, "xl/styles.xml", "xl/workbook.xml"} | tables
    check_styles(before["xl/styles.xml"], after["xl/styles.xml"])
    for options in ({}, {"data_only": True}):
        old, new = cells(source, **options), cells(output, **options)
        assert old.items() <= new.items()
    check_columns(output, rows_scored(source, scorer, folder))
    first, *rows = python_calamine.load_workbook(str(output)).get_sheet_by_index(0).to_python()
    assert first[-len(NEW) :] == NEW
    assert len(rows) >= len(TEXTS)
    frame = pd.read_excel(output, engine="calamine")
    assert list(frame.columns[-len(NEW) :]) == NEW


def check_styles(before, after):
    """Check that each old item of the style sheet is at its place."""
    old, new = ET.fromstring(before), ET.fromstring(after)
    for section in old:
        same = new.find(section.tag)
        assert [ET.tostring(item) for item in section] == [ET.tostring(item) for item in same][: len(section)]
        if "count" in section.keys():  # noqa: SIM118 - of an element
            assert int(same.get("count")) == len(same)


def check_columns(output, scored):
    """Check the new columns of a copy against the same rows scored into CSV."""
    sheet = loaded(output).worksheets[0]
    header = [cell.value for cell in sheet[1]]
    first = header.index(NEW[0])
    assert header[first : first + len(NEW)] == NEW
    without = {int(re.search("[0-9]+$", table.ref)[0]) for table in sheet.tables.values() if table.totalsRowCount}
    for number, row in enumerate(scored, 2):
        found = {name: sheet.cell(number, first + place + 1).value for place, name in enumerate(NEW)}
        if number in without:
            continue
        for name, value in found.items():
            expected = float(row[name]) if isinstance(value, float) else row[name]
            assert (value or "") == expected, (number, name)


@pytest.mark.parametrize("name", BOOKS)
def test_a_copy_is_the_workbook_with_new_columns(name, tmp_path, scorer):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    BOOKS[name](source)
    score(source, output, scorer)
    check_copy(source, output, scorer, tmp_path)


#: All sheets of a workbook as CSV, with the results of formulas.
EACH_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
#: LibreOffice computes every formula anew when it opens a workbook.
RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item></oor:items>"""


@pytest.fixture
def recalculated(office, tmp_path):
    """The cells of each sheet of a workbook as LibreOffice computes and shows them."""
    profile = tmp_path / "profile" / "user"
    profile.mkdir(parents=True)
    (profile / "registrymodifications.xcu").write_text(RECALCULATE)

    def sheets(path):
        folder = tmp_path / f"shown-{path.stem}"
        folder.mkdir()
        office(path, EACH_SHEET, folder)
        files = {file.stem.removeprefix(path.stem): file.read_text("utf-8") for file in folder.glob("*.csv")}
        assert files
        return {name: list(csv.reader(io.StringIO(text))) for name, text in files.items()}

    return sheets


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOKS)
def test_formulas_of_a_copy_give_what_they_gave(name, tmp_path, scorer, recalculated):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    BOOKS[name](source)
    score(source, output, scorer)
    before, after = recalculated(source), recalculated(output)
    assert before.keys() == after.keys()
    for title, rows in before.items():
        for number, row in enumerate(rows):
            width = max((place for place, cell in enumerate(row, 1) if cell), default=0)
            assert after[title][number][:width] == row[:width], (title, number)


@pytest.mark.slow
@pytest.mark.parametrize("name", RESAVED)
def test_a_copy_of_what_libreoffice_saves_is_the_workbook_with_new_columns(
    name, tmp_path, scorer, office, recalculated
):
    BOOKS[name](tmp_path / "in.xlsx")
    (tmp_path / "saved").mkdir()
    source, output = office(tmp_path / "in.xlsx", "xlsx", tmp_path / "saved"), tmp_path / "out.xlsx"
    score(source, output, scorer)
    check_copy(source, output, scorer, tmp_path)
    assert len(recalculated(source)) == len(recalculated(output))
