"""Workbooks that hold what no program writes."""

import io
import re
import zipfile

import openpyxl


def workbook(rows, formats=b""):
    """Return a workbook of a column `text`, these rows of XML, and these cell formats."""
    plain, changed = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in old.namelist():
            content = old.read(name).replace(b"</sheetData>", rows + b"</sheetData>")
            if formats:
                content = re.sub(b"(?<=<cellXfs).*(?=</cellXfs>)", b">" + formats, content)
            new.writestr(name, content)
    return changed.getvalue()


def wide_rows(n, column=b"XFD"):
    """Return n rows of XML, each with a cell in one column: in the last one of Excel, they take long to read."""
    return b"".join(b'<row><c r="%s%d"><v>%d</v></c></row>' % (column, i, i) for i in range(2, n + 2))
