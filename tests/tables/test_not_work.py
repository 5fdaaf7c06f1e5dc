"""Rows whose text is blank, and which another cell says to be a total, a note or units; short last lines."""

import csv

import openpyxl
import pytest

from outsort.errors import DataError
from outsort.scoring.files import Options, score_file
from outsort.tables.not_work import BLANK, NOT_WORK, NOTE, TOTAL, UNITS, reason_without_text

COLUMNS = ["Ref", "Department", "Description", "Supplier", "Amount", "Start", "Term"]
WORK = ["C-1", "Finance", "Type supplier invoices into the ledger", "Firm A", "1,200.00", "03/04/2024", "12"]

NOT_WORKS = {
    TOTAL: [
        *(
            ["", total, "", "", "12.5", "", ""]
            for total in ("Zwischensumme 2023", "Gesamtsumme", "Summe:", "Sous-total")
        ),
        *(
            [total, "", "", "", 12.5, None, None]
            for total in ("Total général", "Totaal", "Suma", "Razem", "Итого", "計", "총계", "Genel Toplam", "Разом")
        ),
        *([group, "", "", "", "12", "", ""] for group in ("Leeds Total", "Finance Ergebnis", "Zwischensumme Amt 10")),
        ["", "", "", "Total bid price", 52.5, None, None],
        ["", "", "", "Total annual cost excl. VAT", 52.5, None, None],
        ["1000", "Result", "", "", 52.5, None, None],
        ["Overall Result", None, None, None, 52.5, None, 36],
        ["", "Finance", "", "Subtotal", "€ 1.200", "", ""],
        ["", "Total Voirie", "", "", "1 200,00", "", ""],
    ],
    NOTE: [
        ["Alle Angaben ohne Gewähr.", "", "", "", "", "", ""],
        ["Quelle: Kämmerei", "", "", "", "", "", ""],
        ["", "Fuente: Ayuntamiento", "", "", "", "", ""],
        ["(6 rows affected)", "", "", "", "", "", ""],
    ],
    BLANK: [[""] * 7, [None, " ", "", None, None, None, None]],
    UNITS: [
        ["", "", "", "", "EUR", "", "EA"],
        ["", "", "", "", "EUR", "TT.MM.JJJJ", "Monate"],
        ["", "", "", "", "£000", "dd/mm/yyyy", "(months)"],
    ],
}
#: Rows of work that nobody has described.
UNDESCRIBED = [
    ["C-2", "Finance", "", "Total", "12.5", "03/04/2024", "12"],
    ["C-2", "", "", "Total Gas & Power", "12.5", "", ""],
    ["C-2", "", "", "Total Gas & Power Ltd", "12.5", "03/04/2024", ""],
    ["C-2", "", "", "", "EUR", "", ""],
    ["C-2", "Adult Social Care Services", "", "", "", "", ""],
    ["C-2", "", "", "", "", "", ""],
    ["", "", "", "Result Clothing Ltd", "12.5", "", "12"],
    ["", "", "", "Summers and Sons", "12.5", "", "12"],
    ["", "", "", "Total contract management", "12.5", "", "1"],
    ["", "", "", "Lump sum", "12.5", "", "1"],
    ["", "", "", "Sum", "12.5", "", "1"],
]


@pytest.mark.parametrize(("reason", "rows"), NOT_WORKS.items(), ids=NOT_WORKS)
def test_another_cell_says_what_a_row_without_a_text_is(reason, rows):
    assert [reason_without_text(COLUMNS, row) for row in rows] == [reason] * len(rows)


def test_rows_of_work_without_a_text_are_blank_and_no_more():
    assert [reason_without_text(COLUMNS, row) for row in UNDESCRIBED] == [""] * len(UNDESCRIBED)


def test_a_title_alone_is_no_note():
    columns = ["Ref", "Contract Title", "Description", "Amount"]
    assert reason_without_text(columns, ["", "Answering calls of residents", "", ""]) == ""


def reasons_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [row["reason"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("is_quick", [True, False])
@pytest.mark.parametrize("split", [True, False])
def test_they_are_marked_where_a_table_is_scored(model, tmp_path, is_quick, split):
    path = tmp_path / "in.csv"
    rows = [WORK, NOT_WORKS[TOTAL][0], *[WORK] * 3, UNDESCRIBED[0], NOT_WORKS[NOTE][0]]
    if not is_quick:
        # A line break takes a table out of the quick way.
        rows[2] = [*WORK[:3], "Firm\nA", *WORK[4:]]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    score_file(path, tmp_path / "out.csv", model, options=Options(split=split), tell=lambda _: None)
    found = reasons_of(tmp_path / "out.csv")
    assert [why for why in found if why.startswith(NOT_WORK)] == [TOTAL, NOTE]
    assert (found[1], found[5], found[6]) == (TOTAL, "empty", NOTE)


@pytest.mark.parametrize("split", [True, False])
def test_a_sum_that_no_program_has_computed_is_a_total_like_one_that_is(model, tmp_path, split):
    sums = "=SUM(E2:E4)"
    totals = [["", "Total", "", "", sums, "", ""], ["Leeds Total", "", "", "", sums, "", "=SUM(G2:G4)"]]
    work = [[*WORK[:4], "=2+2", *WORK[5:]], ["C-2", "Finance", "", "Total Gas & Power", sums, "", ""]]
    others = [["", "", "", "", sums, "", ""], ["", "", "Total", "", sums, "", ""]]
    book = openpyxl.Workbook()
    for row in [COLUMNS, WORK, *work, *totals, *others]:
        book.active.append([cell or None for cell in row])
    book.save(tmp_path / "in.xlsx")
    score_file(tmp_path / "in.xlsx", tmp_path / "out.csv", model, options=Options(split=split), tell=lambda _: None)
    uncomputed = [f"has a formula without a result: E{row}" for row in (3, 4, 7)]
    assert reasons_of(tmp_path / "out.csv")[1:] == [*uncomputed[:2], TOTAL, TOTAL, uncomputed[2], TOTAL]


@pytest.mark.parametrize("plain", [False, True])
def test_the_column_of_reasons_has_room_for_them(model, tmp_path, plain):
    book = openpyxl.Workbook()
    for row in [COLUMNS, *[WORK] * 20, NOT_WORKS[TOTAL][0]]:
        book.active.append([cell or None for cell in row])
    book.save(tmp_path / "in.xlsx")
    score_file(tmp_path / "in.xlsx", tmp_path / "out.xlsx", model, options=Options(plain=plain), tell=lambda _: None)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]
    (reason,) = [cell for cell in sheet[1] if cell.value == "reason"]
    assert sheet.cell(22, reason.column).value == TOTAL
    assert len(TOTAL) < sheet.column_dimensions[reason.column_letter].width < 40


START = "id,description,date\n" + "".join(f"{i},Type the invoices of {i} suppliers,2024-01-0{i}\n" for i in range(1, 7))


@pytest.mark.parametrize(
    "line",
    ["Total: 6 rows", '"(6 rows affected)"', "6 rows selected.", "Generated at 12:05 by the ledger", "As of May"],
)
@pytest.mark.parametrize("break_first", [False, True])
def test_a_short_last_line_is_a_note(model, tmp_path, line, break_first):
    start = START.replace("Type the invoices of 1 suppliers", '"Type\nthe invoices"') if break_first else START
    (tmp_path / "in.csv").write_text(f"{start}{line}\n", encoding="utf-8")
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model)
    assert [why.startswith(NOT_WORK) for why in reasons_of(tmp_path / "out.csv")] == [False] * 6 + [True]


@pytest.mark.parametrize(
    "text",
    [
        START + "7\n",  # a row cut off
        START.replace("\n3,", "\nAs of May\n3,"),  # in the middle
        "what,description,date\nPay run,Pay staff,May\nTax return,File it now,May\nTax ret\n",  # rows begin with words
    ],
)
def test_other_short_lines_stop_the_run(model, tmp_path, text):
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="has 1 cell where the header has 3"):
        score_file(tmp_path / "in.csv", tmp_path / "out.csv", model)
