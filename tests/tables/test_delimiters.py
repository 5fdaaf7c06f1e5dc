"""Which character parts the cells of CSV; the oracle is the csv module, told the right one."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.errors import DataError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from outsort.tables.base import Dialect, ReadOptions
from outsort.tables.csv_head import delimiter_of
from outsort.tables.delimited import CsvReader, TsvReader
from outsort.tables.editing import EDITORS, Edits
from outsort.tables.records import Records


def read(text, reader_type=CsvReader, encoding="utf-8", **options):
    """Return the header and the rows of a CSV text, and the row numbers."""
    reader = reader_type("in.csv", io.BytesIO(text.encode(encoding)), ReadOptions(**options))
    batches = list(reader)
    rows = [list(map(str, row)) for batch in batches for row in batch.values(reader.columns)]
    return [reader.columns, *rows], [number for batch in batches for number in batch.numbers]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('id;"a, b, c, d"\n1;"e, f, g, h"\n', ";"),
        ('id,"a; b; c; d"\n1,x\n', ","),
        ('"id","what; by whom; when"\n"1","a; b"\n', ","),
        ("Total, net;Total, gross\n1;2\n3;4\n", ";"),
        ('a|"b,c,d,e"|f\n1|2|3\n', "|"),
        ('a\t"b, c, d, e"\tf\n1\t2\t3\n', "\t"),
        (" title|url\n Type supplier invoices|https://example.org\n", "|"),
        ("text\nkey invoices, and more\n", ","),
        ('id;size\n1;"5"" pipe, long"\n2;"6"" pipe, short"\n', ";"),
        ("id,a\n1,b,c\n2,d\n3,e\n", ","),
        ("", ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_a_table(text, delimiter):
    assert delimiter_of(text) == delimiter


cells = st.text(st.sampled_from('ab,;|\t" \n'), max_size=6)


@given(
    st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=2, max_size=8)),
    st.sampled_from(",;\t|"),
)
def test_quoted_cells_hide_the_delimiters_within_them(rows, delimiter):
    out = io.StringIO()
    names = [f"name {i}" for i in range(len(rows[0]))]
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    assert delimiter_of(out.getvalue()) == delimiter


def test_only_so_much_of_a_file_is_looked_at():
    text = "id;what\n" + '1;"a, b"\n' * 20_000
    assert delimiter_of(text) == ";"
    assert delimiter_of('id;"' + "a, b" * 100_000) in ";,"


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "sep=;\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_line_that_tells_excel_the_delimiter_is_no_row(line, encoding):
    text = 'id;what, when;"x\ny"\n1;a, b;c\n2;"d;\ne";f\n'
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert read(line + text, encoding=encoding) == (expected, [2, 3])


def test_what_follows_sep_need_not_be_usual_and_may_be_overruled():
    assert read("sep=#\na#b\n1#2\n")[0] == [["a", "b"], ["1", "2"]]
    assert read("sep=#\na~b\n1~2\n", delimiter="~")[0] == [["a", "b"], ["1", "2"]]
    assert read("sep=;\na;b\n1;2\n", TsvReader)[0] == [["a", "b"], ["1", "2"]]
    assert read("sep,b\n1,2\n")[0] == [["sep", "b"], ["1", "2"]]


def test_an_edit_leaves_the_line_before_the_header_alone():
    changed = EDITORS["csv"](b"sep=;\r\na;b\r\n1;2\r\n", Dialect(delimiter=";"), Edits(cells={2: {"b": "x"}}))
    assert changed == b"sep=;\r\na;b\r\n1;x\r\n"


@pytest.mark.parametrize("delimiter", ["~", "#", " ", "^", ":"])
def test_a_delimiter_that_is_named_is_used(delimiter):
    text = f"a{delimiter}b,c\n1{delimiter}2,3\n"
    assert read(text, delimiter=delimiter)[0] == [["a", "b,c"], ["1", "2,3"]]
    assert read(text, TsvReader, delimiter=delimiter)[0] == [["a", "b,c"], ["1", "2,3"]]


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", "\0", "§"])
def test_what_cannot_be_a_delimiter_is_refused(delimiter):
    with pytest.raises(DataError, match=r"in\.csv: .* cannot be a delimiter\. Name one ASCII character"):
        read("a,b\n", delimiter=delimiter)


def test_plain_rows_stay_bytes_with_any_delimiter():
    reader = CsvReader("in.csv", io.BytesIO(b"a~b\n1~2\n"), ReadOptions(delimiter="~"))
    (batch,) = reader
    assert isinstance(batch.records, Records)
    assert batch.records.delimiter == "~"


def test_a_scored_file_keeps_the_delimiter(model, tmp_path):
    (tmp_path / "in.csv").write_text("id~text\n1~key invoices, daily\n")
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", Scorer(model, workers=1), options=Options(delimiter="~"))
    assert (tmp_path / "out.csv").read_text().startswith("id~text~label~")


@pytest.mark.parametrize("command", ["score", "review"])
@pytest.mark.parametrize(("given", "sign"), [("tab", "\t"), ("~", "~")])
def test_commands_take_a_delimiter(outsort, tmp_path, command, given, sign):
    (tmp_path / "in.csv").write_text(f"id{sign}text, in short\n1{sign}key invoices\n2{sign}draft a contract\n")
    options = ["--delimiter", given, "--text-column", "text, in short"]
    done = outsort(command, tmp_path / "in.csv", "-o", tmp_path / "out.csv", *options)
    assert done.code == 0, done.err
    assert (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("command", ["score", "train", "evaluate", "check", "plan"])
def test_a_delimiter_of_two_characters_is_wrong_usage(outsort, tmp_path, command):
    (tmp_path / "in.csv").write_text("text,label\n")
    options = ["-o", tmp_path / "out"] if command in ("score", "train") else []
    done = outsort(command, tmp_path / "in.csv", "--delimiter", "ab", *options)
    assert done.code == 2
    assert "cannot be a delimiter" in " ".join(done.err.replace("│", " ").split())


def test_labelled_texts_are_read_as_the_options_say(outsort, tmp_path):
    rows = [f"{verb} {n} \xfc~{label}" for n in range(4) for verb, label in (("key", "BPO"), ("draft", "KPO"))]
    (tmp_path / "in.csv").write_bytes("\n".join(["text~label", *rows]).encode("cp1252"))
    options = ["--delimiter", "~", "--encoding", "cp1252", "--json"]
    done = outsort("train", tmp_path / "in.csv", "-o", tmp_path / "m.joblib", "--folds", 0, *options)
    said = f"{tmp_path}/in.csv: text column 'text', label column 'label', 8 rows, read as cp1252\n"
    assert (done.code, done.err) == (0, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id^task\n1^Key invoices\n2^Mop floors\n", "pass --delimiter '^'"),
        ('"id,task"\n"1,Key invoices"\n"2,Mop floors"\n', "each row is in quotes as a whole"),
        ('Task\n"Key invoices, daily"\n"Mop floors, weekly"\n', ""),
        ("id^task\n1^Key invoices\nMop floors\n", ""),
    ],
)
def test_a_column_that_may_be_several_is_told(text, said):
    reader = CsvReader("in.csv", io.BytesIO(text.encode()), ReadOptions())
    assert said in " ".join(reader.location.remarks)
    assert bool(said) == bool(reader.location.remarks)
    if "--delimiter" in said:
        options = ReadOptions(delimiter="^")
        assert CsvReader("in.csv", io.BytesIO(text.encode()), options).columns == ["id", "task"]
