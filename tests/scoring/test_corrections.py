"""What a person decided, in a scored file of every format."""

import dataclasses
from functools import partial

import pandas as pd
import pytest

from outsort.errors import DataError
from outsort.scoring import files
from outsort.scoring.corrections import CORRECTED, Correction
from outsort.scoring.scorer import added_columns
from outsort.tables.formats import WRITTEN

READERS = {
    "csv": pd.read_csv,
    "tsv": lambda path, **options: pd.read_csv(path, sep="\t", **options),
    "xlsx": partial(pd.read_excel, engine="openpyxl"),
    "parquet": lambda path, **_: pd.read_parquet(path),
    "json": lambda path, **_: pd.read_json(path, dtype=False),
    "jsonl": lambda path, **_: pd.read_json(path, lines=True, dtype=False),
}
BY_ADA = Correction("NEITHER", "", "Ada, =A1", "2026-12-01T10:00:00.000Z")
IN_THE_NEXT_BATCH = Correction("KPO", "legal_review")


def scored(source, output, model, **options):
    files.score_file(source, output, model, options=files.Options(**options))
    table = READERS[output.suffix[1:]](output, dtype=object)
    return table.astype(object).where(table.notna(), None)


@pytest.mark.parametrize("style", WRITTEN)
def test_a_correction_replaces_the_answer_of_its_row_alone_and_keeps_the_model_s(model, tmp_path, style, monkeypatch):
    n_in_batch = 10
    monkeypatch.setattr("outsort.tables.delimited.BATCH_ROWS", n_in_batch)
    n = n_in_batch + 2
    pd.DataFrame({"id": range(n), "text": ["key invoices into sap"] * n}).to_csv(tmp_path / "t.csv", index=False)
    corrections = {1: BY_ADA, n_in_batch: IN_THE_NEXT_BATCH}
    plain = scored(tmp_path / "t.csv", tmp_path / f"plain.{style}", model)
    ours = scored(tmp_path / "t.csv", tmp_path / f"ours.{style}", model, corrections=corrections)

    expected = plain.assign(**dict.fromkeys(CORRECTED)).astype(object)
    for row, correction in corrections.items():
        expected.loc[row, "model_label"] = plain.loc[row, "label"]
        for name, value in dataclasses.asdict(correction).items():
            expected.loc[row, name] = value or None
    assert list(ours) == ["id", "text", *added_columns(model), *CORRECTED]
    pd.testing.assert_frame_equal(ours, expected)


def test_the_columns_of_corrections_never_take_the_name_of_one_in_the_file(model, tmp_path):
    (tmp_path / "t.csv").write_text("text,reviewer\nkey invoices,Bob\n", encoding="utf-8")
    table = scored(tmp_path / "t.csv", tmp_path / "scored.csv", model, corrections={0: BY_ADA})
    assert table.loc[0, ["reviewer", "outsort_reviewer", "outsort_label"]].tolist() == ["Bob", "Ada, =A1", "NEITHER"]
    layout = files.layout(tmp_path / "t.csv", files.Options(corrections={0: BY_ADA}), added_columns(model))
    assert layout.prefix == "outsort_"


def test_a_correction_of_a_row_that_is_not_there_is_refused(model, tmp_path):
    (tmp_path / "t.csv").write_text("text\nkey invoices\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.csv: has 1 rows; the correction of row 1 \(from 0\) is for another file"):
        scored(tmp_path / "t.csv", tmp_path / "scored.csv", model, corrections={1: BY_ADA})
    assert not (tmp_path / "scored.csv").exists()
