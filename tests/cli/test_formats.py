"""Every command reads the same table from every format, and gives the same results."""

import gzip
import json

import pandas as pd
import pytest

from outsort import load_model, save_model

pytestmark = pytest.mark.slow

FORMATS = ["csv", "csv.gz", "xlsx", "jsonl", "parquet"]
VERBS = {
    "BPO": ["key", "type", "scan", "file", "copy", "post", "index", "stamp", "sort", "log"],
    "KPO": ["draft", "model", "value", "prove", "design", "study", "argue", "infer", "audit", "plan"],
    "NEITHER": ["mop", "drive", "weld", "cook", "guard", "paint", "dig", "lift", "fit", "haul"],
}
OBJECTS = ["invoices", "records", "contracts", "claims", "forms", "orders", "letters", "returns", "files", "cases"]


@pytest.fixture(scope="module")
def rows():
    """Three hundred labelled texts, each verb with each object."""
    return pd.DataFrame(
        [
            (f"{verb} {thing}, {number:03d}", label, f"{label.lower()} {'early' if place < 5 else 'late'}")
            for label, verbs in VERBS.items()
            for place, verb in enumerate(verbs)
            for number, thing in enumerate(OBJECTS)
        ],
        columns=["text", "label", "service_line"],
    )


@pytest.fixture(scope="module")
def tables(rows, tmp_path_factory):
    """The path of the table in each format."""
    folder = tmp_path_factory.mktemp("tables")
    paths = {style: folder / f"rows.{style}" for style in FORMATS}
    rows.to_csv(paths["csv"], index=False)
    paths["csv.gz"].write_bytes(gzip.compress(paths["csv"].read_bytes()))
    rows.to_excel(paths["xlsx"], index=False)
    rows.to_json(paths["jsonl"], orient="records", lines=True)
    rows.to_parquet(paths["parquet"], index=False)
    return paths


def same(results):
    """Tell whether all are the same but for what the table is called."""
    plain = {json.dumps(result, sort_keys=True) for result in results}
    return len(plain) == 1


@pytest.mark.parametrize(
    "command", [["evaluate", "--by", "service_line"], ["check"], ["plan", "--folds", 2]], ids=lambda c: c[0]
)
def test_the_figures_are_the_same(outsort, tables, model_of_rows, command):
    verb, *options = command
    model = ["-m", model_of_rows] if verb == "evaluate" else []
    results = []
    for path in tables.values():
        done = outsort(verb, path, *options, *model, "--json")
        assert done.code == 0, done.err
        results.append(json.loads(done.out))
        results[-1].pop("source", None)
    assert same(results)


def test_the_model_is_the_same(outsort, tables, tmp_path):
    for style, path in tables.items():
        done = outsort("train", path, "-o", tmp_path / f"{style}.joblib", "--folds", 2)
        assert done.code == 0, done.err
    models = [load_model(tmp_path / f"{style}.joblib") for style in FORMATS]
    assert len({model.about["data"]["sha256"] for model in models}) == 1
    assert same([model.about["scores"] for model in models])
    answers = {
        outsort("predict", "key forms", "draft deeds", "-m", tmp_path / f"{style}.joblib", "-f", "jsonl").out
        for style in FORMATS
    }
    assert len(answers) == 1


def test_a_retrained_model_is_judged_the_same(outsort, rows, tables, tmp_path):
    old = tmp_path / "old.joblib"
    rows.iloc[::2].to_csv(tmp_path / "half.csv", index=False)
    assert outsort("train", tmp_path / "half.csv", "-o", old, "--folds", 0).code == 0
    printed = set()
    for style, path in tables.items():
        done = outsort("retrain", path, "--base", old, "-o", tmp_path / style, "--folds", 2)
        assert done.code == 0, done.err
        printed.add(done.out.replace(str(tmp_path / style), "").replace(str(path), ""))
    assert len(printed) == 1


def test_verdicts_are_merged_into_every_format(outsort, rows, tables, tmp_path, model_of_rows):
    from outsort.data.identity import key_of
    from outsort.data.table import read_table

    queue = tmp_path / "queue.csv"
    verdicts = [("fold leaflets", "BPO"), ("draft a will", "KPO"), (rows["text"][0], "BPO")]
    lines = "".join(f'{key_of(text)},"{text}",{label}\n' for text, label in verdicts)
    queue.write_text(f"key,text,label\n{lines}")
    merged = []
    for style, path in tables.items():
        target = tmp_path / f"into.{style}"
        target.write_bytes(path.read_bytes())
        done = outsort("merge", queue, "--into", target, "-m", model_of_rows, "--reviewer", "a")
        assert done.code == 0, done.err
        assert "2 rows added" in done.out
        merged.append(read_table(target).frame.drop(columns="decided_at").fillna("").to_numpy().tolist())
        assert len(merged[-1]) == len(rows) + 2
    assert all(found == merged[0] for found in merged)


@pytest.fixture(scope="module")
def model_of_rows(rows, tmp_path_factory):
    """A model of other texts on the same work."""
    from outsort import train
    from outsort.training.folds import Checks

    path = tmp_path_factory.mktemp("model") / "m.joblib"
    save_model(train(rows.iloc[1::3], checks=Checks(folds=0)), path)
    return path


@pytest.mark.parametrize("why", ["formulas", "other sheets"])
def test_a_workbook_that_merging_would_harm_is_left_alone(outsort, rows, tmp_path, model_of_rows, why):
    from outsort.data.identity import key_of

    target = tmp_path / "into.xlsx"
    with pd.ExcelWriter(target, engine="xlsxwriter") as writer:
        rows.to_excel(writer, sheet_name="rows", index=False)
        if why == "formulas":
            writer.sheets["rows"].write_string("D1", "length")
            writer.sheets["rows"].write_formula("D2", "=LEN(A2)", None, 20)
        else:
            writer.book.add_worksheet("notes").write_string("A1", "mine")
    before = target.read_bytes()
    queue = tmp_path / "queue.csv"
    queue.write_text(f"key,text,label\n{key_of('fold leaflets')},fold leaflets,BPO\n")
    done = outsort("merge", queue, "--into", target, "-m", model_of_rows)
    assert done.code == 1
    assert f"holds {why}, which would be lost" in done.err
    assert target.read_bytes() == before
