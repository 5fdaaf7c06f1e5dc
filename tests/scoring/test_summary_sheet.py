"""The sheet `summary` of a workbook, read back by other programs."""

import csv
import io
import zipfile

import openpyxl
import pytest
import xlsxwriter

from outsort.scoring.files import Options, score_file
from outsort.scoring.summary import SummaryTally
from outsort.scoring.summary_sheet import add_summary_sheet

TEXTS = ["key invoices", "draft a contract", "clean the office", "", "=SUM(A1)", "train a churn model"]


@pytest.fixture
def source(tmp_path):
    with (tmp_path / "in.csv").open("w", newline="") as file:
        rows = [(text, i * 10.5, f"=S{i % 2}") for i, text in enumerate(TEXTS * 2)]
        csv.writer(file).writerows([["task", "spend", "supplier"], *rows, ("Total", 693, "")])
    return tmp_path / "in.csv"


def tables_of(sheet):
    """Return the tables of a sheet, which are parted by blank rows, by the first cell of their header."""
    tables, rows = {}, []
    for row in [*sheet.iter_rows(values_only=True), ()]:
        cells = [cell for cell in row if cell is not None]
        if cells:
            rows.append(list(row))
        elif rows:
            tables[rows[0][0]], rows = rows, []
    return tables


def test_a_scored_workbook_shows_its_own_sums(source, tmp_path, model):
    tally = SummaryTally(model, weight_column="spend", by="supplier")
    score_file(source, tmp_path / "out.xlsx", model, summary=tally)
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    assert book.sheetnames == ["outsort", "summary"]
    assert book.active.title == "outsort"
    data = [dict(zip([c.value for c in book.active[1]], row, strict=True)) for row in book.active.values][1:]
    assert data.pop()["reason"] == "not a row of work (a total)"
    tables = tables_of(book["summary"])
    heads, *labels = tables["label"]
    assert heads[:7] == ["label", "rows", "spend", "share", "expected spend", "from (95%)", "to (95%)"]
    for name, rows, spend, share, expected, low, high, *_ in labels:
        of = [row for row in data if row["label"] == name]
        assert (rows, spend) == (len(of), pytest.approx(sum(float(row["spend"]) for row in of)))
        assert share == pytest.approx(spend / sum(float(row["spend"]) for row in data))
        assert expected == pytest.approx(sum(float(row["spend"]) * row[f"p_{name}"] for row in data), abs=1e-6)
        assert low <= expected <= high
    decisions = {name: rows for name, rows, *_ in tables["decision"][1:]}
    assert list(decisions) == ["accepted", "to review", "accepted as out of scope"]
    assert decisions["to review"] == sum(row["decision"] == "review" for row in data)
    assert {row[0]: row[1] for row in tables["supplier"][1:]} == {"=S0": 6, "=S1": 6}
    assert [[cell for cell in row if cell is not None] for row in tables["beside these"]] == [
        ["beside these", "rows", "spend"],
        ["not a row of work (a total)", 1, 693],
    ]
    first = tally.result().deciding[0]
    assert tables["rows that decide most"][1][:4] == [f"row {first.row}", first.probability, first.weight, first.label]


def test_it_has_two_native_charts_of_its_own_cells(source, tmp_path, model):
    score_file(source, tmp_path / "out.xlsx", model)
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        charts = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/charts/chart")]
    assert ["barChart" in chart for chart in charts] == [True, False]
    assert "doughnutChart" in charts[1]
    assert all("<c:f>summary!$A$" in chart for chart in charts)
    # Without a column of weights the bars' lengths are in columns G and H.
    for end, column in (("minus", "G"), ("plus", "H")):
        assert f"<c:{end}><c:numRef><c:f>summary!${column}$" in charts[0].replace("'", "")


def test_no_cell_is_a_formula_and_no_rows_are_no_error(tmp_path, model, source):
    (tmp_path / "none.csv").write_text("task\n")
    score_file(tmp_path / "none.csv", tmp_path / "none.xlsx", model)
    assert openpyxl.load_workbook(tmp_path / "none.xlsx").sheetnames == ["outsort", "summary"]
    score_file(source, tmp_path / "out.xlsx", model, summary=SummaryTally(model, by="supplier"))
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet2.xml")


def test_a_sheet_of_that_name_keeps_it(tmp_path, model):
    book = openpyxl.Workbook()
    book.active.title = "Summary"
    for row in (["task"], ["key invoices"]):
        book.active.append(row)
    book.save(tmp_path / "in.xlsx")
    score_file(tmp_path / "in.xlsx", tmp_path / "out.xlsx", model)
    assert openpyxl.load_workbook(tmp_path / "out.xlsx").sheetnames == ["Summary", "summary (2)"]
    # What was scored can be scored again: the first sheet is the table.
    assert score_file(tmp_path / "out.xlsx", tmp_path / "again.csv", model) == 1


def test_any_workbook_of_xlsxwriter_takes_it(source, tmp_path, model):
    tally = SummaryTally(model)
    score_file(source, tmp_path / "out.csv", model, summary=tally, options=Options())
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        book.add_worksheet("mine")
        add_summary_sheet(book, ["mine"], tally.result())
    assert openpyxl.load_workbook(stream).sheetnames == ["mine", "summary"]


@pytest.mark.slow
def test_libreoffice_opens_it(office, source, tmp_path, model):
    score_file(source, tmp_path / "out.xlsx", model, summary=SummaryTally(model, weight_column="spend", by="supplier"))
    (tmp_path / "resaved").mkdir()
    book = openpyxl.load_workbook(office(tmp_path / "out.xlsx", "xlsx", tmp_path / "resaved"))
    assert len(book["summary"]._charts) == 2
    assert (
        tables_of(book["summary"]).keys() == tables_of(openpyxl.load_workbook(tmp_path / "out.xlsx")["summary"]).keys()
    )
