"""Predict, score a workbook, review and merge with the installed package: what must work on every system."""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import openpyxl

TEXTS = [
    ("007", "Annual payroll and pension deductions for 300 staff", "BPO"),
    ("008", "Economic impact study of the harbour tunnel", "KPO"),
    ("009", "Übersetzung, 翻訳, перевод", "BPO"),
]


def outsort(folder: Path, *arguments: str) -> str:
    """Run a command in a folder and return what it prints."""
    command = [sys.executable, "-m", "outsort", *arguments]
    print("$ outsort", *map(ascii, arguments), flush=True)
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8", check=True)  # noqa: S603
    return done.stdout


def sheet(path: Path) -> list[dict[str, object]]:
    """Return the rows of a workbook's first sheet."""
    book = openpyxl.load_workbook(path)
    header, *rows = book.worksheets[0].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def write_book(path: Path) -> None:
    """Write the texts as a workbook."""
    book = openpyxl.Workbook()
    for row in [("lot", "description"), *((lot, text) for lot, text, _ in TEXTS)]:
        book.worksheets[0].append(row)
    book.save(path)


def decide(path: Path) -> int:
    """Answer every question of a review workbook with the right label, and return how many there were."""
    labels = {text: label for _, text, label in TEXTS}
    book = openpyxl.load_workbook(path)
    rows = book.worksheets[0]
    columns = {cell.value: cell.column for cell in rows[1]}
    for row in range(2, rows.max_row + 1):
        text = rows.cell(row, columns["text"]).value
        rows.cell(row, columns["label"], labels[text])
    book.save(path)
    return rows.max_row - 1


def expect(found: object, wanted: object) -> None:
    """Stop with both values where they differ."""
    if found != wanted:
        sys.exit(f"got {found!a}, not {wanted!a}")


def main(folder: Path) -> None:
    """Run the commands in an empty folder."""
    write_book(folder / "book.xlsx")

    # Where the shell expands nothing, neither may the program: these are texts, no files or variables.
    asked = ["*.xlsx", "Type the invoices of $PATH into the ledger", TEXTS[2][1]]
    answers = [json.loads(line) for line in outsort(folder, "predict", *asked, "-f", "jsonl").splitlines()]
    expect([answer["text"] for answer in answers], asked)
    expect(answers[1]["label"], "BPO")

    outsort(folder, "score", "book.xlsx", "-o", "out.xlsx")
    scored = sheet(folder / "out.xlsx")
    expect([(row["lot"], row["description"]) for row in scored], [(lot, text) for lot, text, _ in TEXTS])
    expect([row["label"] for row in scored][:2], ["BPO", "KPO"])

    outsort(folder, "score", "*.xlsx", "-o", "scored/")
    expect(sorted(path.name for path in (folder / "scored").glob("*.xlsx")), ["book.xlsx", "out.xlsx"])

    outsort(folder, "review", "out.xlsx", "-o", "queue.xlsx", "-n", "10")
    n_answers = decide(folder / "queue.xlsx")
    expect(n_answers > 0, wanted=True)
    outsort(folder, "merge", "queue.xlsx", "--into", "labelled.csv", "--reviewer", "smoke")
    with (folder / "labelled.csv").open(encoding="utf-8-sig", newline="") as file:
        merged = {row["text"]: row["label"] for row in csv.DictReader(file)}
    expect(len(merged), n_answers)
    expect(merged.items() <= {(text, label) for _, text, label in TEXTS}, wanted=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
    print("predict, score, review and merge work here")
