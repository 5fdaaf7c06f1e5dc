"""A sheet that is added to a copy looks as it was built, and nothing else is touched."""

import io
import re
import warnings
import zipfile
from xml.etree import ElementTree as ET

import numpy as np
import openpyxl
import pytest
import xlsxwriter

from outsort.tables.base import Categorical, Dialect, Origin, Rows
from outsort.tables.workbooks.excel import open_workbook
from outsort.tables.workbooks.workbook import free_title

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}sheet"
RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


def add_summary(book, taken):
    """Add a sheet with a chart, a picture, formats, and a rule."""
    title = free_title(taken, "summary")
    sheet = book.add_worksheet(title)
    bold, money = book.add_format({"bold": True, "bg_color": "#1F4E78"}), book.add_format({"num_format": "#,##0 €"})
    sheet.set_column(1, 1, 20, money)
    sheet.write_row(0, 0, ["label", "money", "share"], bold)
    for i, row in enumerate([("BPO", 1200, 0.6), ("KPO", 800, 0.4)], 1):
        sheet.write(i, 0, row[0])
        sheet.write(i, 1, row[1], money)
        sheet.write(i, 2, row[2], book.add_format({"num_format": 9, "border": 2}))
    rule = {"type": "cell", "criteria": ">", "value": 1000, "format": book.add_format({"font_color": "red"})}
    sheet.conditional_format("B2:B3", rule)
    chart = book.add_chart({"type": "column"})
    chart.add_series({"categories": f"='{title}'!$A$2:$A$3", "values": f"='{title}'!$B$2:$B$3"})
    sheet.insert_chart("E2", chart)
    sheet.insert_image("E20", "pixel.png", {"image_data": io.BytesIO(PIXEL)})


def by_openpyxl(path):
    book = openpyxl.Workbook()
    for row in [["task"], ["key invoices"]]:
        book.active.append(row)
    book.create_sheet("Summary")
    book.active.auto_filter.ref = "A1:A2"
    book.save(path)


def by_xlsxwriter(path):
    with xlsxwriter.Workbook(path) as book:
        sheet, head = book.add_worksheet("Data"), book.add_format({"italic": True, "num_format": "0.000"})
        sheet.write_column(0, 0, ["task", "key invoices"], head)
        chart = book.add_chart({"type": "pie"})
        chart.add_series({"values": "=Data!$A$2:$A$2"})
        sheet.insert_chart("Z90", chart)


def by_openpyxl_with_lxml(path, prefix=b"r"):
    """A workbook whose list of sheets declares the prefix of relations on each sheet."""
    plain = path.with_suffix(".plain")
    by_xlsxwriter(plain)
    declaration = b' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/workbook.xml":
                content = content.replace(declaration, b"").replace(b"<sheet ", b"<sheet" + declaration + b" ")
                content = content.replace(b"xmlns:r=", b"xmlns:%b=" % prefix).replace(b" r:id=", b" %b:id=" % prefix)
            target.writestr(name, content)


def by_another_prefix(path):
    by_openpyxl_with_lxml(path, b"rel")


def copied(source, output):
    """Copy a workbook with a new column and a sheet more; return the name of that sheet, and what was told."""
    with source.open("rb") as stream, output.open("wb") as target:
        title = openpyxl.load_workbook(source).sheetnames[0]
        writer = open_workbook(target, ["task"], {"why": str}, Dialect(sheet=title, origin=Origin(stream)))
        added = {"why": Categorical(np.zeros(1, np.int64), ["because"])}
        writer.write(Rows(["task"], [["key invoices"]], [2], {}), added)
        writer.add_sheets(add_summary)
        writer.close()
    return free_title(writer.titles, "summary"), writer.changes


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("make", [by_openpyxl, by_openpyxl_with_lxml, by_another_prefix, by_xlsxwriter])
def test_an_added_sheet_is_as_it_was_built(make, tmp_path):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    make(source)
    name, _ = copied(source, output)
    with xlsxwriter.Workbook(tmp_path / "built.xlsx") as built:
        add_summary(built, openpyxl.load_workbook(source).sheetnames)
    built = openpyxl.load_workbook(tmp_path / "built.xlsx")[name]
    book = openpyxl.load_workbook(output)
    assert book.sheetnames == [*openpyxl.load_workbook(source).sheetnames, name]
    sheet = book[name]
    for row in built.iter_rows():
        for old in row:
            new = sheet[old.coordinate]
            looks = [(c.value, c.number_format, c.font.b, c.fill.fgColor.rgb, c.border.left.style) for c in (old, new)]
            assert looks[0] == looks[1]
    (rules,) = (list(found.rules) for found in sheet.conditional_formatting)
    assert rules[0].dxf.font.color.rgb == "FFFF0000"
    assert not sheet.sheet_view.tabSelected
    assert [len(found._charts) for found in (built, sheet)] == [1, 1]
    assert len(sheet._images) == 1
    assert sheet._charts[0].ser[0].val.numRef.f == f"'{name}'!$B$2:$B$3"
    listed = ET.fromstring(parts(output)["xl/workbook.xml"]).iter(SHEET)  # noqa: S314 - of this test
    assert [RELATED in sheet.attrib for sheet in listed] == [True] * len(book.sheetnames)
    # What was there is as it was.
    before, after = parts(source), parts(output)
    changed = {part for part in before if after[part] != before[part]}
    listed = {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"}
    assert changed == {"xl/worksheets/sheet1.xml", "xl/styles.xml", *listed}
    types = [re.findall(rb"<(?:Override|Default)[^>]*>", content["[Content_Types].xml"]) for content in (before, after)]
    assert types[1][: len(types[0])] == types[0]
    assert len({entry.split(b"PartName=")[-1] for entry in types[1]}) == len(types[1])


def test_a_workbook_whose_sheets_are_fixed_gets_none(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["task"])
    book.security.lockStructure = True
    book.save(tmp_path / "in.xlsx")
    _, changes = copied(tmp_path / "in.xlsx", tmp_path / "out.xlsx")
    assert changes == ["its list of sheets is protected, so none was added"]
    assert openpyxl.load_workbook(tmp_path / "out.xlsx").sheetnames == ["Sheet"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [by_openpyxl, by_xlsxwriter])
def test_libreoffice_opens_the_added_sheet_and_draws_its_chart(make, office, tmp_path):
    make(tmp_path / "in.xlsx")
    name, _ = copied(tmp_path / "in.xlsx", tmp_path / "out.xlsx")
    (tmp_path / "saved").mkdir()
    saved = office(tmp_path / "out.xlsx", "xlsx", tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        sheet = openpyxl.load_workbook(saved)[name]
    assert [cell.value for cell in sheet["B"][:3]] == ["money", 1200, 800]
    assert len(sheet._charts) == 1
