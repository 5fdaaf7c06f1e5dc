"""Several tables into one: no row or cell lost, columns under their names, each row with its file."""

import csv
import gzip
import json

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import ADDED
from outsort.errors import DataError, OutputError
from outsort.model_file import save
from outsort.scoring.files import Options, score_file
from outsort.scoring.summary import SummaryTally
from outsort.scoring.union import names_of


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def quiet(message):
    """Take a message and say nothing."""


@pytest.fixture
def three(tmp_path):
    """Three tables of three formats whose headers differ."""
    (tmp_path / "a.csv").write_text("ref,task,fee\n001,key invoices,5\n002,draft a contract,\n")
    (tmp_path / "b.jsonl").write_text('{"title": "clean the office", "fee": 7.5}\n{"title": "x", "late": [1]}\n')
    book = openpyxl.Workbook()
    for row in (["description", "ref"], ["translate a contract", 3]):
        book.active.append(row)
    book.active["B2"].number_format = "000"
    book.save(tmp_path / "c.xlsx")
    return [tmp_path / name for name in ("a.csv", "b.jsonl", "c.xlsx")]


def test_columns_are_united_by_name_and_each_file_has_its_own_text_column(three, tmp_path, model):
    told = []
    assert score_file(three, tmp_path / "out.csv", model, tell=told.append) == 5
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows[0]) == ["ref", "task", "fee", "title", "late", "description", "source", *ADDED]
    assert [row["source"] for row in rows] == ["a.csv", "a.csv", "b.jsonl", "b.jsonl", "c.xlsx"]
    assert [row["ref"] for row in rows] == ["001", "002", "", "", "3"]
    assert [row["fee"] for row in rows] == ["5", "", "7.5", "", ""]
    assert [row["late"] for row in rows] == ["", "", "", "[1]", ""]
    assert [row["label"] for row in rows][:3] == ["BPO", "KPO", "NEITHER"]
    assert told[:3] == [
        "a.csv: lacks 'title', 'late', 'description', blank in the output",
        "b.jsonl: lacks 'ref', 'task', 'description', blank in the output",
        "c.xlsx: lacks 'task', 'fee', 'title', 'late', blank in the output",
    ]


def read_back(path):
    """Return the rows of a table as text, read by other libraries than ours."""
    if path.suffix == ".xlsx":
        names, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
        found = [dict(zip(names, row, strict=True)) for row in rows]
    elif path.suffix == ".parquet":
        found = pq.read_table(path).to_pylist()
    elif path.suffix == ".jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode("utf-8-sig").splitlines()
        found = list(csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ","))
    return [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in found]


@pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz"])
def test_every_format_holds_the_union(three, tmp_path, model, style):
    # In Parquet a column has one type: these two have the same.
    files = [three[0], three[2]] if style == "parquet" else three
    if style == "parquet":
        three[0].write_text("task,fee\nkey invoices,5\n")
    score_file(files, tmp_path / "wanted.csv", model, tell=quiet)
    score_file(files, tmp_path / f"out.{style}", model, tell=quiet)
    wanted = rows_of(tmp_path / "wanted.csv")
    assert wanted[-1]["source"] == "c.xlsx"
    found = read_back(tmp_path / f"out.{style}")
    assert [list(row) for row in found] == [list(row) for row in wanted]
    for row, its in zip(found, wanted, strict=True):
        for name in set(row) - {name for name in ADDED if name.startswith(("p_", "probab", "share_"))}:
            assert row[name] == its[name]
    if style == "xlsx":
        assert openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]["A6"].number_format == "000"


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=5)
headers = st.lists(st.sampled_from(["text", "a", "b", "source", "c"]), unique=True, min_size=1).map(
    lambda names: names if "text" in names else [*names, "text"]
)
tables = headers.flatmap(
    lambda names: st.tuples(st.just(names), st.lists(st.tuples(*[cells] * len(names)), max_size=5))
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_tables=st.lists(tables, min_size=2, max_size=4), limit=st.sampled_from([None, 1, 3]))
def test_the_union_has_the_rows_of_all_in_order(tmp_path, model, given_tables, limit):
    # The oracle: the tables as dictionaries, one after the other.
    paths, wanted = [], []
    for i, (names, rows) in enumerate(given_tables):
        paths.append(tmp_path / f"{i}.csv")
        with paths[-1].open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([names, *rows])
        wanted += [dict(zip(names, row, strict=True)) | {"file": f"{i}.csv"} for row in rows[:limit]]
    columns = list(dict.fromkeys(name for names, _ in given_tables for name in names))
    tally = SummaryTally(model)
    options = Options(text_columns=["text"], prefix="new_", limit=limit)
    n = score_file(paths, tmp_path / "out.csv", model, options=options, force=True, tell=quiet, summary=tally)
    found = rows_of(tmp_path / "out.csv")
    summed = tally.result()
    assert n == len(found) == len(wanted) == summed.rows + sum(of.rows for of in summed.not_work)
    source = "outsort_source" if "source" in columns else "source"
    for row, cells_of in zip(found, wanted, strict=True):
        assert row[source] == cells_of["file"]
        assert [row[name] for name in columns] == [cells_of.get(name, "") for name in columns]


def test_the_same_tables_in_one_file_get_the_same_answers(tmp_path, model):
    frame = pd.DataFrame({"task": ["key invoices", "draft a contract", "clean floors"], "n": ["1", "2", "3"]})
    frame.to_csv(tmp_path / "all.csv", index=False)
    for i in range(3):
        frame.iloc[[i]].to_csv(tmp_path / f"{i}.csv", index=False)
    score_file(tmp_path / "all.csv", tmp_path / "one.csv", model, tell=quiet)
    score_file([tmp_path / f"{i}.csv" for i in range(3)], tmp_path / "united.csv", model, tell=quiet)
    assert [{k: v for k, v in row.items() if k != "source"} for row in rows_of(tmp_path / "united.csv")] == rows_of(
        tmp_path / "one.csv"
    )


def test_two_columns_of_one_name_stay_two(tmp_path, model):
    (tmp_path / "a.csv").write_text("n,task,n\n1,x,2\n")
    (tmp_path / "b.csv").write_text("task,n\ny,3\n")
    score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv", model, tell=quiet)
    header, *rows = csv.reader((tmp_path / "out.csv").read_text().splitlines())
    assert header[:4] == ["n", "task", "n", "source"]
    assert [row[:4] for row in rows] == [["1", "x", "2", "a.csv"], ["3", "y", "", "b.csv"]]


def test_types_of_parquet_stay_where_all_agree(tmp_path, model):
    for name, kind in (("a", pa.int16()), ("b", pa.int16())):
        table = pa.table(
            {"task": ["x"], "n": pa.array([1], kind), "m": pa.array([1], pa.int8() if name == "a" else pa.int64())}
        )
        pq.write_table(table, tmp_path / f"{name}.parquet")
    told = []
    score_file([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out.parquet", model, tell=told.append)
    out = pq.read_table(tmp_path / "out.parquet")
    assert [out.schema.field(name).type for name in ("n", "m", "source")] == [pa.int16(), pa.string(), pa.string()]
    assert out["m"].to_pylist() == ["1", "1"]
    assert any("kept as text (2)" in message for message in told)


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a.csv", "b.csv"], ["a.csv", "b.csv"]),
        (["x/a.csv", "y/a.csv", "b.csv"], ["x/a.csv", "y/a.csv", "b.csv"]),
        (["1/x/a.csv", "2/x/a.csv", "-"], ["1/x/a.csv", "2/x/a.csv", "standard input"]),
    ],
)
def test_files_of_one_name_are_told_apart_by_their_folders(sources, names):
    assert names_of(sources) == names


@pytest.fixture(scope="module")
def small(model, tmp_path_factory):
    """The file of a small model."""
    path = tmp_path_factory.mktemp("model") / "small.joblib"
    save(model, path)
    return path


def test_standard_input_may_be_one_of_them(outsort, tmp_path, small):
    (tmp_path / "a.csv").write_text("task\nkey invoices\n")
    done = outsort(
        "score", tmp_path / "a.csv", "-", "-o", "-", "--to", "jsonl", "-m", small, stdin=b"task,n\ndraft a contract,1\n"
    )
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["source"], row["n"]) for row in rows] == [("a.csv", None), ("standard input", "1")]


class TestRefused:
    def test_a_file_given_twice(self, tmp_path, model):
        (tmp_path / "a.csv").write_text("task\nx\n")
        with pytest.raises(DataError, match=r"a\.csv: is given twice\. Name each input once\."):
            score_file([tmp_path / "a.csv", tmp_path / "." / "a.csv"], tmp_path / "out.csv", model)

    def test_an_input_as_output(self, tmp_path, model):
        for name in "ab":
            (tmp_path / f"{name}.csv").write_text("task\nx\n")
        with pytest.raises(OutputError, match=r"b\.csv: is the input"):
            score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "b.csv", model, force=True)
        assert (tmp_path / "b.csv").read_text() == "task\nx\n"

    def test_a_table_without_a_text_column_is_named_and_nothing_written(self, tmp_path, model):
        (tmp_path / "a.csv").write_text("task\nx\n")
        (tmp_path / "b.csv").write_text("n,m\n1,2\n")
        with pytest.raises(DataError, match=r"b\.csv: no text column; it has 'n', 'm'"):
            score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv", model)
        assert not (tmp_path / "out.csv").exists()

    def test_both_names_of_the_source_column_taken(self, tmp_path, model):
        (tmp_path / "a.csv").write_text("task,source,outsort_source\nx,1,2\n")
        (tmp_path / "b.csv").write_text("task\nx\n")
        with pytest.raises(DataError, match="Rename one of them"):
            score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv", model)


def test_no_options_are_named_for_one_of_several_tables(tmp_path, model):
    """They would be those of all: the header of another table may be in another row."""
    for name, above in (("a.csv", "Work of May\n\n"), ("b.csv", "Work of June\nof the council\n\n")):
        (tmp_path / name).write_text(f"{above}ref,task,fee\n1,key invoices,10\n")
    told = []
    score_file([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv", model, tell=told.append)
    assert [line.removeprefix(f"{tmp_path}/") for line in told[:2]] == [
        "a.csv: header in row 3, text column 'task'",
        "b.csv: header in row 4, text column 'task'",
    ]


class TestCommand:
    @pytest.fixture
    def parts(self, tmp_path):
        (tmp_path / "parts").mkdir()
        for name in "ab":
            (tmp_path / "parts" / f"{name}.csv").write_text(f"id,task,fee\n{name},key invoices,10\n")
        return tmp_path / "parts"

    def test_a_file_takes_all_inputs(self, outsort, parts, small, tmp_path):
        done = outsort("score", parts / "a.csv", parts / "b.csv", "-o", tmp_path / "out.csv", "-m", small)
        assert (done.code, done.err) == (
            0,
            f"{parts}/a.csv: text column 'task'\n{parts}/b.csv: text column 'task'\n{tmp_path}/out.csv: 2 rows\n",
        )
        assert [row["source"] for row in rows_of(tmp_path / "out.csv")] == ["a.csv", "b.csv"]

    def test_a_pattern_that_finds_one_file_has_the_same_columns(self, outsort, parts, small, tmp_path):
        (parts / "b.csv").unlink()
        assert outsort("score", parts / "*.csv", "-o", tmp_path / "out.csv", "-m", small).code == 0
        assert [row["source"] for row in rows_of(tmp_path / "out.csv")] == ["a.csv"]

    def test_an_existing_folder_takes_one_output_each(self, outsort, parts, small, tmp_path):
        (tmp_path / "out").mkdir()
        assert outsort("score", parts / "*.csv", "-o", tmp_path / "out", "-m", small).code == 0
        assert sorted(p.name for p in (tmp_path / "out").glob("*.csv")) == ["a.csv", "b.csv"]

    def test_a_name_that_is_neither_says_how_to_name_a_folder(self, outsort, parts, small, tmp_path):
        done = outsort("score", parts / "*.csv", "-o", tmp_path / "out", "-m", small)
        assert done.code == 1
        assert f"For one output each, name a folder: {tmp_path}/out/" in done.err
        assert sorted(p.name for p in tmp_path.iterdir()) == ["parts"]

    @pytest.mark.parametrize("option", [["--resume"], ["--cluster", "local:1"]])
    def test_what_needs_a_folder_says_so(self, outsort, parts, small, tmp_path, option):
        done = outsort("score", parts / "*.csv", "-o", tmp_path / "out.csv", "-m", small, *option)
        assert done.code == 2
        assert "needs an output folder" in done.err
