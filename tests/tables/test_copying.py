"""A scored workbook is the workbook: new columns in one sheet, everything else as it was."""

import csv
import gc
import io
import re
import warnings
import zipfile
from datetime import datetime
from xml.etree import ElementTree as ET

import numpy as np
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

from models import ADDED
from outsort.errors import DataError, DataWarning, OutputError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from outsort.tables.base import Categorical, Dialect, Origin, ReadOptions, Rows
from outsort.tables.sources import opened
from outsort.tables.workbooks.excel import open_workbook

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
    for row in [[*ROWS[0], "due"], *([*row, datetime(2026, 5, 1)] for row in ROWS[1:])]:
        sheet.append(row)
    sheet["B3"] = CellRichText("draft ", TextBlock(InlineFont(b=True), "a"), " contract")
    sheet["A2"].hyperlink = "https://example.com/?a=1&b=2"
    sheet["A7"], sheet["C7"] = "Total", "=SUBTOTAL(109,Spend[fee])"
    table = Table(
        displayName="Spend", ref="A1:D7", totalsRowCount=1, tableStyleInfo=TableStyleInfo("TableStyleMedium2")
    )
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
    """Score a file; return what was said of the output, which is not what was read."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        score_file(source, output, scorer, options=Options(**options), force=True)
    told = [str(warning.message) for warning in said if warning.category is DataWarning]
    return [message for message in told if not message.startswith(f"{source}: ")]


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
        cell.coordinate: (
            str(getattr(cell.value, "text", cell.value)),
            cell.number_format,
            cell.font.b,
            repr(cell.fill),
        )
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    }


def rows_scored(source, scorer, folder):
    """Return the rows of a workbook scored into CSV, as dicts."""
    score(source, folder / "scored.csv", scorer)
    with (folder / "scored.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


#: Parts in which the sheet of the summary is listed.
LISTS = {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"}


def check_copy(source, output, scorer, folder):
    """Check that a copy is the workbook with new columns, by other libraries."""
    before, after = parts(source), parts(output)
    assert before.keys() <= after.keys()
    assert loaded(output).sheetnames == [*loaded(source).sheetnames, "summary"]
    tables = {name for name in before if name.startswith("xl/tables/")}
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {SHEET, "xl/styles.xml"} | LISTS | tables
    assert rows_apart_from(ADDED, output, after[SHEET]) == rows_apart_from([], source, before[SHEET])
    check_styles(before["xl/styles.xml"], after["xl/styles.xml"])
    for options in ({}, {"data_only": True}):
        old, new = cells(source, **options), cells(output, **options)
        assert old.items() <= new.items()
    check_columns(output, rows_scored(source, scorer, folder))
    first, *rows = python_calamine.load_workbook(str(output)).get_sheet_by_index(0).to_python()
    assert first[-len(ADDED) :] == ADDED
    assert len(rows) >= len(TEXTS)
    frame = pd.read_excel(output, engine="calamine")
    assert list(frame.columns[-len(ADDED) :]) == ADDED


def rows_apart_from(names, path, xml):
    """Return the bytes of the rows without the columns of these names, in which new rows are of nothing else."""
    letters = [cell.column_letter for cell in loaded(path).worksheets[0][1] if cell.value in names]
    if letters:
        new = "|".join(letters)
        xml = re.sub(rf'<c r="(?:{new})[0-9]+"[^>]*?(/>|>.*?</c>)'.encode(), b"", xml)
        xml = re.sub(rb'<row r="[0-9]+"></row>', b"", xml)
    # How far a row's cells reach is part of what changes.
    return re.sub(rb' spans="[0-9:]*"', b"", re.search(b"<sheetData>.*</sheetData>", xml, re.DOTALL)[0])


def check_styles(before, after):
    """Check that each old item of the style sheet is at its place."""
    old, new = (ET.fromstring(content) for content in (before, after))  # noqa: S314 - of this test
    for section in old:
        same = new.find(section.tag)
        assert [ET.tostring(item) for item in section] == [ET.tostring(item) for item in same][: len(section)]
        if "count" in section.keys():  # noqa: SIM118 - of an element
            assert int(same.get("count")) == len(same)


def check_columns(output, scored):
    """Check the new columns of a copy against the same rows scored into CSV."""
    sheet = loaded(output).worksheets[0]
    header = [cell.value for cell in sheet[1]]
    first = header.index(ADDED[0])
    assert header[first : first + len(ADDED)] == ADDED
    without = {int(re.search("[0-9]+$", table.ref)[0]) for table in sheet.tables.values() if table.totalsRowCount}
    for number, row in enumerate(scored, 2):
        found = {name: sheet.cell(number, first + place + 1).value for place, name in enumerate(ADDED)}
        if number in without:
            continue
        for name, value in found.items():
            expected = float(row[name]) if isinstance(value, float) else row[name]
            assert ("" if value is None else value) == expected, (number, name)


@pytest.mark.parametrize("name", BOOKS)
def test_a_copy_is_the_workbook_with_new_columns(name, tmp_path, scorer):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    BOOKS[name](source)
    score(source, output, scorer)
    check_copy(source, output, scorer, tmp_path)


def changed_sheet(path, change, part=SHEET):
    """Change a part of a workbook."""
    content = parts(path)
    content[part] = change(content[part])
    write_parts(path, content)


def write_parts(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in content.items():
            archive.writestr(name, part)


def with_prefix(xml):
    """Return XML with a prefix before the name of each element."""
    return re.sub(rb"<(/?)(?=[a-zA-Z])", rb"<\1x:", xml).replace(b" xmlns=", b" xmlns:x=")


def without_references(xml):
    """Return a sheet whose rows and cells do not say where they are: each is beside the one before."""
    return re.sub(rb'(<(?:row|c)\b[^>]*?) r="[^"]*"', rb"\1", xml)


def with_shared_formulas(xml):
    """Return a sheet whose fees are one formula, written once, with results."""
    first, other = b'<f t="shared" ref="C2:C6" si="0">LEN(B2)</f>', b'<f t="shared" si="0"/>'
    return re.sub(
        rb'<c r="(C[2-6])"[^>]*>.*?</c>',
        lambda cell: b'<c r="%s">%s<v>3</v></c>' % (cell[1], first if cell[1] == b"C2" else other),
        xml,
    )


#: The same sheet as other programs write it.
WRITTEN = {
    "prefix": with_prefix,
    "no references": without_references,
    "spans": lambda xml: re.sub(rb'<row r="(\d+)"', rb'<row r="\1" spans="1:3"', xml),
    "white space": lambda xml: xml.replace(b"<row", b"\n\t<row").replace(b"</sheetData>", b"\n</sheetData >"),
    "single quotes": lambda xml: re.sub(rb'"([A-Z]*\d+)"', rb"'\1'", xml),
    "attributes that look like tags": lambda xml: xml.replace(b"<row ", b'<row xmlns:q="/>" q:a="x>y" '),
    "an extension of a row": lambda xml: xml.replace(b"</row>", b"<extLst><ext uri='u'/></extLst></row>"),
    "shared formulas": with_shared_formulas,
    "Windows-1252": lambda xml: b'<?xml version="1.0" encoding="windows-1252"?>' + xml,
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_sheet_is_copied_however_it_is_written(how, tmp_path, scorer):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    by_pandas(source)
    changed_sheet(source, WRITTEN[how])
    score(source, output, scorer)
    assert cells(source).items() <= cells(output).items()
    check_columns(output, rows_scored(source, scorer, tmp_path))
    before, after = parts(source)[SHEET], parts(output)[SHEET]
    assert after.count(b"spans") == after.count(b'spans="1:16"') == before.count(b"spans")


#: What a copy cannot have new columns for, and why.
UNABLE = {
    "the sheet is protected": (
        lambda xml: xml.replace(b"</sheetData>", b'</sheetData><sheetProtection sheet="1"/>'),
        "the sheet is protected against changes",
    ),
    "a comment": (lambda xml: xml.replace(b"<sheetData>", b"<sheetData><!-- <row/> -->"), "comments, CDATA"),
    "CDATA": (lambda xml: xml.replace(b"<t>draft", b"<t><![CDATA[<row>]]>draft"), "comments, CDATA"),
    "out of order": (lambda xml: xml.replace(b'<row r="5"', b'<row r="4"'), "out of order"),
    "no room": (lambda xml: xml.replace(b'r="C6"', b'r="XFA6"'), "beyond column 16,384"),
}


@pytest.mark.parametrize("what", UNABLE)
def test_what_cannot_be_copied_is_refused_and_plain_writes_a_new_workbook(what, tmp_path, scorer):
    change, why = UNABLE[what]
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    by_pandas(source)
    changed_sheet(source, change)
    with pytest.raises(OutputError, match=why) as refused:
        score(source, output, scorer)
    assert str(refused.value).startswith(f"{output}: the new columns cannot be put into a copy of the workbook: ")
    assert "Pass --plain" in str(refused.value)
    assert "lost would be: other sheets, cell formats." in str(refused.value)
    assert not output.exists()
    score(source, output, scorer, plain=True)
    assert loaded(output).sheetnames == ["first", "summary"]


def test_all_sheets_become_a_new_workbook_and_the_run_says_what_it_lacks(tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    told = score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer, sheet="all")
    assert told == [f"{tmp_path}/out.xlsx: is a new workbook of the values alone; it lacks sheets of their own"]
    assert score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer, sheet="all", plain=True) == []


def test_the_sheet_of_the_summary_is_passed_over_when_a_copy_is_read(tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    for sheet in (None, "all"):
        tables = []
        for name in ("in.xlsx", "out.xlsx"):
            with opened(str(tmp_path / name), ReadOptions(sheet=sheet)) as table:
                rows = [row for batch in table.reader for row in batch.values(table.reader.columns)]
                tables.append((len(rows), table.reader.location))
        (n, before), (n_again, after) = tables
        assert (n, before.sheet, before.remarks) == (n_again, after.sheet, after.remarks)


@pytest.mark.parametrize("is_resaved", [False, True])
def test_the_summary_of_a_run_before_is_replaced_and_nothing_else(tmp_path, scorer, is_resaved):
    by_openpyxl(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "once.xlsx", scorer)
    if is_resaved:
        loaded(tmp_path / "once.xlsx").save(tmp_path / "once.xlsx")
    told = score(tmp_path / "once.xlsx", tmp_path / "twice.xlsx", scorer, prefix="b_")
    assert f"{tmp_path}/twice.xlsx: the sheet 'summary' of a run before is replaced" in told
    before, after = loaded(tmp_path / "once.xlsx"), loaded(tmp_path / "twice.xlsx")
    assert after.sheetnames == before.sheetnames
    assert after["summary"]["A1"].value == "Rows by label: once.xlsx"
    assert len(after["summary"]._charts) == 2
    old, new = parts(tmp_path / "once.xlsx"), parts(tmp_path / "twice.xlsx")
    assert old.keys() == new.keys()
    listed = re.findall(rb'PartName="/([^"]+)"', new["[Content_Types].xml"])
    assert sorted(listed) == sorted(set(listed))
    of_summary = {name for name in old if b"summary" in old[name] and name.startswith("xl/charts/")}
    summary = f"xl/worksheets/sheet{len(before.sheetnames)}.xml"
    lists = {"[Content_Types].xml", "xl/styles.xml", summary, summary.replace("sheets/", "sheets/_rels/") + ".rels"}
    changed = {name for name in old if old[name] != new[name]} - of_summary - lists
    # The list of sheets stays; the filter of the first takes in the new columns.
    assert {name for name in changed if not name.startswith("xl/drawings/")} <= {SHEET, "xl/workbook.xml"}
    listed = [re.findall(rb"<sheet .*?>", of["xl/workbook.xml"]) for of in (old, new)]
    assert listed[0] == listed[1]


def test_a_sheet_of_ones_own_that_is_called_summary_stays(tmp_path, scorer):
    book = openpyxl.Workbook()
    book.active.append(["task"])
    book.active.append(["key invoices"])
    book.create_sheet("summary").append(["ask Ann"])
    book.save(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "once.xlsx", scorer)
    score(tmp_path / "once.xlsx", tmp_path / "twice.xlsx", scorer, prefix="b_")
    after = loaded(tmp_path / "twice.xlsx")
    assert after.sheetnames == ["Sheet", "summary", "summary (2)"]
    assert after["summary"]["A1"].value == "ask Ann"
    assert after["summary (2)"]["A1"].value == "Rows by label: once.xlsx"


@pytest.mark.parametrize(
    ("part", "why"), [("_xmlsignatures/sig1.xml", "it is signed"), ("xl/revisions/log1.xml", "who changed what")]
)
def test_a_package_that_no_part_may_change_of_is_refused(part, why, tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    write_parts(tmp_path / "in.xlsx", parts(tmp_path / "in.xlsx") | {part: b"<x/>"})
    with pytest.raises(OutputError, match=why):
        score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)


def test_a_table_of_excel_takes_in_the_columns_beside_it(tmp_path, scorer):
    by_openpyxl_with_a_table(tmp_path / "in.xlsx")
    told = score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    assert told == [f"{tmp_path}/out.xlsx: row 7, which holds the totals of the table 'Spend', has no answer"]
    sheet = loaded(tmp_path / "out.xlsx").worksheets[0]
    table = sheet.tables["Spend"]
    assert (table.ref, table.autoFilter.ref) == ("A1:Q7", "A1:Q6")
    assert [column.name for column in table.tableColumns] == [cell.value for cell in sheet[1]]
    assert len({column.id for column in table.tableColumns}) == 17
    assert b'<tableColumns count="17"' in parts(tmp_path / "out.xlsx")["xl/tables/table1.xml"]
    assert all(cell.value is None for cell in sheet[7][4:])
    assert sheet["E1"].fill.fill_type is None


def test_a_table_of_excel_with_something_beside_it_stays_and_the_run_says_so(tmp_path, scorer):
    by_xlsxwriter_with_tables(tmp_path / "in.xlsx")
    changed_sheet(tmp_path / "in.xlsx", lambda xml: xml.replace(b"</row>", b'<c r="E1"><v>7</v></c></row>', 1))
    told = score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    assert "beside the table 'Tasks', not in it" in told[0]
    assert parts(tmp_path / "in.xlsx")["xl/tables/table1.xml"] == parts(tmp_path / "out.xlsx")["xl/tables/table1.xml"]
    assert loaded(tmp_path / "out.xlsx").worksheets[0]["F1"].value == "label"


def test_a_column_of_a_table_that_differs_in_capitals_needs_a_prefix(tmp_path, scorer):
    by_xlsxwriter_with_tables(tmp_path / "in.xlsx")
    changed_sheet(tmp_path / "in.xlsx", lambda xml: xml.replace(b">fee<", b">Label<"), "xl/sharedStrings.xml")
    changed_sheet(tmp_path / "in.xlsx", lambda xml: xml.replace(b'"fee"', b'"Label"'), "xl/tables/table1.xml")
    with pytest.raises(DataError, match=r"'Tasks' has a column 'label' already, but for capitals.*--prefix"):
        score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer, prefix="x_")


def test_a_filter_takes_in_the_new_columns(tmp_path, scorer):
    by_openpyxl(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    book = loaded(tmp_path / "out.xlsx")
    assert book.worksheets[0].auto_filter.ref == "A1:Q6"
    assert b"'Spend ''26'!$A$1:$Q$6</definedName>" in parts(tmp_path / "out.xlsx")["xl/workbook.xml"]
    assert book.worksheets[0].freeze_panes == "B2"


def test_new_columns_look_like_those_beside_them(tmp_path, scorer):
    by_xlsxwriter(tmp_path / "in.xlsx")
    told = score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    assert {message.partition(": ")[2] for message in told} == {
        f"the chart, picture or text box at {cell} covers new columns. Move it" for cell in ("H3", "H9", "H12")
    }
    sheet = loaded(tmp_path / "out.xlsx").worksheets[0]
    assert sheet["E1"]._style == sheet["D1"]._style
    assert (sheet["E2"].font.name, sheet["E2"].font.sz, sheet["E2"].border.left.style) == ("Arial", 9, "thin")
    assert sheet["F2"].number_format == "0.0%"
    decided = {sheet[f"K{row}"].value: sheet[f"K{row}"] for row in range(2, 7)}
    assert {name: (cell.fill.fgColor.rgb, cell.font.color.rgb, cell.font.name) for name, cell in decided.items()} == {
        "accept": ("FFDDF2E0", "FF14532D", "Arial"),
        "review": ("FFFDE9D2", "FF7C2D12", "Arial"),
    }


def test_a_header_without_a_look_gets_new_names_in_bold_on_grey_and_long_reasons_are_wrapped(tmp_path, scorer):
    book = openpyxl.Workbook()
    for row in [["task"], ["key invoices", None, "a note in the margin that goes on for quite a while"]]:
        book.active.append(row)
    book.active.column_dimensions.group("A", "Z", hidden=True)
    book.save(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer, keep=True)
    sheet = loaded(tmp_path / "out.xlsx").active
    assert [cell.value for cell in sheet[1]] == ["task", None, None, *ADDED]
    assert (sheet["D1"].font.b, sheet["D1"].fill.fgColor.rgb, sheet["A1"].font.b) == (True, "FFE7E6E6", False)
    reason = sheet.cell(2, 4 + ADDED.index("reason"))
    assert (reason.alignment.wrap_text, reason.value[:28]) == (True, "has cells beyond the header:")
    assert sheet.column_dimensions[reason.column_letter].width == 48
    assert next(iter(parts(tmp_path / "out.xlsx"))) == "_rels/.rels"
    xml = parts(tmp_path / "out.xlsx")[SHEET]
    assert b'<dimension ref="A1:P2"' in xml
    hidden = [ET.fromstring(found).attrib for found in re.findall(rb"<col [^>]*>", xml)]  # noqa: S314 - of this test
    spans = [(column["min"], column["max"], "hidden" in column) for column in hidden]
    assert spans == [("1", "3", True), *((str(n), str(n), False) for n in range(4, 17)), ("17", "26", True)]


def test_new_columns_are_behind_merged_cells(tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="C2:E3"/></mergeCells>'
    changed_sheet(tmp_path / "in.xlsx", lambda xml: xml.replace(b"</sheetData>", merged))
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    assert loaded(tmp_path / "out.xlsx").worksheets[0]["F1"].value == "label"


def test_a_table_below_its_title_gets_its_columns_there(tmp_path):
    book = openpyxl.Workbook()
    rows = [["A title", None, None, None, 2026], [], ["task", "fee"], ["key invoices", 1], [], ["draft a contract", 2]]
    for row in rows:
        book.active.append(row)
    book.active.merge_cells("A2:E2")
    book.save(tmp_path / "in.xlsx")
    changed_sheet(tmp_path / "in.xlsx", lambda xml: xml.replace(b'<row r="6"', b'<row r="5" ht="30" /><row r="6"'))
    with (tmp_path / "in.xlsx").open("rb") as source, (tmp_path / "out.xlsx").open("wb") as output:
        dialect = Dialect(sheet="Sheet", origin=Origin(source, header_row=3))
        writer = open_workbook(output, ["task", "fee"], {"p": float, "why": str}, dialect)
        for numbers in ([4, 5], [6]):
            n = len(numbers)
            added = {"p": np.full(n, 0.5), "why": Categorical(np.zeros(n, np.int64), ["_x000D_ \0<&>\r\n "])}
            writer.write(Rows(["task", "fee"], [[]] * n, numbers, {}), added)
        writer.close()
    found = list(loaded(tmp_path / "out.xlsx").active.iter_rows(max_col=4, values_only=True))
    assert [row[2:] for row in found[:3]] == [(None, None), (None, None), ("p", "why")]
    assert loaded(tmp_path / "out.xlsx").active.row_dimensions[5].height == 30
    assert b'<dimension ref="A1:E6"' in parts(tmp_path / "out.xlsx")[SHEET]
    assert [(p, unescape(why)) for _, _, p, why in found[3:]] == [(0.5, "_x000D_ \0<&>\r\n ")] * 3


def test_a_workbook_without_a_style_sheet_gets_one(tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    content = parts(tmp_path / "in.xlsx")
    del content["xl/styles.xml"]
    content["[Content_Types].xml"] = re.sub(rb"<Override[^>]*styles[^>]*>", b"", content["[Content_Types].xml"])
    rels = "xl/_rels/workbook.xml.rels"
    content[rels] = re.sub(rb"<Relationship [^>]*styles[^>]*>", b"", content[rels])
    content[SHEET] = re.sub(rb' s="\d+"', b"", content[SHEET])
    write_parts(tmp_path / "in.xlsx", content)
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    sheet = loaded(tmp_path / "out.xlsx").worksheets[0]
    assert (sheet["D1"].value, sheet["D1"].font.b, sheet["E2"].number_format) == ("label", True, "0.0%")
    assert (sheet["A1"].font.b, sheet["A1"].fill.fill_type) == (False, None)


def test_rows_that_were_not_read_are_there_still(tmp_path, scorer):
    by_pandas(tmp_path / "in.xlsx")
    score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer, limit=2)
    rows = list(loaded(tmp_path / "out.xlsx").worksheets[0].iter_rows(min_row=2, values_only=True))
    assert [row[1] for row in rows] == TEXTS
    assert [row[3] is not None for row in rows] == [True, True, False, False, False]


@pytest.mark.slow
def test_a_run_that_fails_half_way_leaves_nothing_and_says_one_thing(tmp_path, scorer, monkeypatch, capfd):
    # zipfile completes an archive that is let go of: a part of the rows would look like all.
    by_pandas(tmp_path / "in.xlsx")
    calls = []

    def fail(*_):
        calls.append(1)
        raise DataError("row 4 cannot be read")

    monkeypatch.setattr("outsort.tables.workbooks.excel.BATCH_ROWS", 2)
    monkeypatch.setattr("outsort.tables.workbooks.copying.WorkbookCopy.close", fail)
    with pytest.raises(DataError, match="row 4"):
        score(tmp_path / "in.xlsx", tmp_path / "out.xlsx", scorer)
    gc.collect()
    assert calls
    assert [path.name for path in tmp_path.iterdir()] == ["in.xlsx"]
    assert capfd.readouterr().err == ""
    # So it does where the stream stays open, as that of a pipe.
    with (tmp_path / "in.xlsx").open("rb") as source:
        output = io.BytesIO()
        writer = open_workbook(output, ROWS[0], {"why": str}, Dialect(sheet="first", origin=Origin(source)))
        writer.write(Rows(ROWS[0], [[]], [2], {}), {"why": Categorical(np.zeros(1, np.int64), ["x"])})
        del writer
        gc.collect()
    assert not zipfile.is_zipfile(output)


def test_a_copy_is_the_same_each_time(tmp_path, scorer):
    by_openpyxl(tmp_path / "in.xlsx")
    for name in ("a", "b"):
        score(tmp_path / "in.xlsx", tmp_path / f"{name}.xlsx", scorer)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


words = st.sampled_from(["key invoices", "", " padded ", "<&>'\"", "Übersetzung 𝒳", "007", "a\nb", "]]>", "</row>"])
values = st.none() | words | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans() | st.just("=A1&B1")
dates = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0))


@st.composite
def books(draw):
    """A function that writes a workbook of texts and other cells, some beyond the header, some merged or blank."""
    rows = draw(st.lists(st.lists(values | dates, max_size=5), min_size=1, max_size=6))
    looks = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 8)), max_size=4))
    merged = draw(st.sampled_from([None, "A2:A3", "E2:G2", "H8:H9"]))
    ways = draw(st.lists(st.sampled_from(["prefix", "spans", "white space"]), unique=True, max_size=2))

    def write(path):
        book = openpyxl.Workbook()
        for row in [["n", "text", "more"], *rows, ["last", "key invoices"]]:
            book.active.append(row)
        for row, column in looks:
            book.active.cell(row, column).border = Border(left=Side("thin"))
        if merged:
            book.active.merge_cells(merged)
        book.save(path)
        for way in ways:
            changed_sheet(path, WRITTEN[way])

    return write


@pytest.mark.parametrize("n_books", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_cells_are_what_they_were_and_new_columns_what_was_scored(n_books, tmp_path, scorer, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("outsort.tables.workbooks.excel.BATCH_ROWS", 3)
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"

    @settings(max_examples=n_books, suppress_health_check=list(HealthCheck))
    @given(books())
    def check(write):
        write(source)
        score(source, output, scorer, keep=True)
        old, new = cells(source), cells(output)
        assert old.items() <= new.items()
        score(source, tmp_path / "out.csv", scorer, keep=True)
        with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
            scored = list(csv.DictReader(file))
        check_columns(output, scored)
        assert len(new) - len(old) == len(ADDED) + sum(bool(row[name]) for row in scored for name in ADDED)
        before, after = parts(source), parts(output)
        assert {name for name in before if before[name] != after[name]} == {SHEET, "xl/styles.xml"} | LISTS

    check()


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
    assert after.keys() - before.keys() == {"-summary"}
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
    assert len(recalculated(source)) + 1 == len(recalculated(output))
