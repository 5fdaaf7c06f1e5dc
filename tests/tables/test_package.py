"""The package of a workbook, where it is not as programs write it."""

import io
import warnings
import zipfile

import openpyxl
import pytest

from outsort.tables.workbooks.markup import MarkupError, outline
from outsort.tables.workbooks.package import Package, PackageCopy


def workbook(**changed):
    """Return the parts of a workbook, some of which are others."""
    stream = io.BytesIO()
    openpyxl.Workbook().save(stream)
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()} | changed


def package(parts):
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in parts:
            archive.writestr(name, content)
    return Package(stream)


def test_sheets_are_found_by_the_relations_of_the_workbook():
    parts = workbook()
    relations = parts["xl/_rels/workbook.xml.rels"]
    for target in (b"/xl/worksheets/sheet1.xml", b"worksheets/sheet1.xml", b"../xl/worksheets/./sheet1.xml"):
        parts["xl/_rels/workbook.xml.rels"] = relations.replace(b"/xl/worksheets/sheet1.xml", target)
        (sheet,) = package(parts.items()).sheets
        assert (sheet.name, sheet.path) == ("Sheet", "xl/worksheets/sheet1.xml")


def test_two_parts_of_one_name_are_refused():
    parts = workbook()
    with pytest.raises(MarkupError, match="two parts of one name"):
        package([*parts.items(), ("xl/workbook.xml", b"")])


def test_an_archive_without_a_workbook_is_refused():
    with pytest.raises(MarkupError, match="lists no workbook"):
        package([("a.txt", b"")])


def test_entities_are_refused():
    bomb = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><a>' + b"&b;" * 1000 + b"</a>"
    with pytest.raises(MarkupError, match="document type"):
        outline(bomb, 1)


def test_a_part_larger_than_its_headers_allow_is_refused(monkeypatch):
    copy = PackageCopy(package(workbook().items()), io.BytesIO())
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 1000)
    with pytest.raises(MarkupError, match="larger than was to be expected"), copy.streamed("xl/x.xml", 9) as part:
        part.write(b"x" * 2000)


def test_what_is_not_changed_is_copied_with_its_date_and_way_of_packing():
    parts = workbook()
    stream = io.BytesIO()
    old = package(parts.items())
    copy = PackageCopy(old, stream)
    copy.add("xl/new.xml", b"<new/>", "application/xml")
    assert copy.relate("xl/workbook.xml", "kind", "xl/new.xml") not in {r.id for r in old.relations("xl/workbook.xml")}
    copy.close()
    new = Package(stream)
    assert new.related("xl/workbook.xml", "kind") == ["xl/new.xml"]
    for name, content in parts.items():
        assert (new.entry(name).date_time, new.entry(name).compress_type) == (old.entry(name).date_time, 0)
        if name not in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels"):
            assert new.read(name) == content
