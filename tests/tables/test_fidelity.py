"""Whatever goes in comes out: the same value, the same text, or a word about it.

What is written is read back by other libraries: pyarrow, openpyxl, json, csv.
"""

import csv
import datetime
import json
import math
import random
import warnings
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ERROR_CODES, ILLEGAL_CHARACTERS_RE
from openpyxl.utils.escape import unescape

from outsort.errors import DataWarning, OutsortError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer

#: Few, so that a second batch comes soon.
BATCH_ROWS = 3
STYLES = ["csv", "tsv", "jsonl", "parquet", "xlsx"]

odd_texts = [
    "=1+1", "-5", "+44", "007", "1e5", "TRUE", "_x000D_", "_x005F_", "a\rb", "a\r\nb", "\n", "\t", "\0", "\x1f", "'",
    '"', "<r>&</r>", "<r><t>x</t></r>", " padded ", "12345678901234567890", "NaN", "None", "\ufffe\uffff", "𝒳𝒳𝒳",
    "#N/A",
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(odd_texts)
floats = st.floats() | st.sampled_from([0.1 + 0.2, 1e15 + 0.3, 5e-324, -0.0, 1.7976931348623157e308])
ints = st.integers(-(10**18), 10**18) | st.sampled_from([10**15 - 1, 10**15, 2**53 + 1, -5])
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**17), max_value=10**17)
leap_years_of_excel = [datetime.date(1899, 12, 31), datetime.date(1900, 2, 28), datetime.date(1900, 3, 1)]
days = st.dates() | st.sampled_from([*leap_years_of_excel, datetime.date(9999, 12, 31)])
moments = st.datetimes() | st.datetimes(datetime.datetime(1999, 1, 1)).map(lambda at: at.replace(microsecond=7000))
zoned = st.datetimes(datetime.datetime(1950, 1, 1), timezones=st.just(datetime.UTC))
times = st.times() | st.times().map(lambda at: at.replace(microsecond=0))
week = datetime.timedelta(7)
durations = st.timedeltas(-week, week) | st.integers(0, 10**8).map(lambda n: datetime.timedelta(seconds=n))
lists = st.lists(st.integers(-9, 9), max_size=2)
objects = st.fixed_dictionaries({"k": texts, "n": st.none() | ints})

#: The values of a column of each kind, and the type that Parquet stores them as.
ARROW = [
    (texts, pa.string()),
    (texts, pa.dictionary(pa.int32(), pa.string())),
    (texts.map(str.encode), pa.binary()),
    (st.binary(max_size=2), pa.binary()),
    (st.none(), pa.null()),
    (st.booleans(), pa.bool_()),
    (ints, pa.int64()),
    (floats, pa.float64()),
    (st.floats(width=32), pa.float32()),
    (decimals, pa.decimal128(30, 3)),
    (days, pa.date32()),
    (moments, pa.timestamp("us")),
    (zoned, pa.timestamp("us", "UTC")),
    (times, pa.time64("us")),
    (durations, pa.duration("us")),
    (lists, pa.list_(pa.int64())),
    (objects, pa.struct([("k", pa.string()), ("n", pa.int64())])),
]
JSON = [texts, floats, ints, st.integers(), st.booleans(), lists, objects, texts | ints, floats | ints]
#: What openpyxl writes as it is.
plain_texts = texts.filter(
    lambda text: (
        not (
            ILLEGAL_CHARACTERS_RE.search(text)
            or {"\r", "\ufffe", "\uffff"} & set(text)
            or text.startswith("=")
            or text in ERROR_CODES
            or text != unescape(text)
        )
    )
)
EXCEL = [
    plain_texts,
    st.integers(-(10**15) + 1, 10**15 - 1) | st.sampled_from([0.25, 1e300, -1e-300]),
    st.booleans(),
    st.datetimes(datetime.datetime(1900, 3, 1)).map(lambda at: at.replace(microsecond=0)),
    st.times().map(lambda at: at.replace(microsecond=0)),
]


def write_delimited(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_xlsx(path, rows):
    book = openpyxl.Workbook()
    for row in [list(rows[0]), *([row[name] for name in rows[0]] for row in rows)]:
        book.active.append(row)
    book.save(path)


@st.composite
def tables(draw, style):
    """Rows of a table with a text, as dicts, and a function that writes them in a format."""
    kinds = {"parquet": ARROW, "jsonl": JSON, "xlsx": EXCEL}.get(style, [texts])
    chosen = {name: draw(st.sampled_from(kinds)) for name in "ab"}
    values = {name: kind[0] if style == "parquet" else kind for name, kind in chosen.items()}
    missing = st.nothing() if style in ("csv", "tsv") else st.none()
    row = st.fixed_dictionaries({"text": st.just("key invoices")} | {name: missing | v for name, v in values.items()})
    rows = draw(st.lists(row, min_size=1, max_size=BATCH_ROWS + 1))

    def write_parquet(path, rows):
        schema = pa.schema([("text", pa.string()), *((name, kind) for name, (_, kind) in chosen.items())])
        pq.write_table(pa.Table.from_pylist(rows, schema), path)

    def write_tsv(path, rows):
        write_delimited(path, rows, "\t")

    write = {"csv": write_delimited, "tsv": write_tsv, "jsonl": write_jsonl, "xlsx": write_xlsx}
    return rows, write.get(style, write_parquet)


def read(path, *, strict=True):
    """Return the rows of a file as another library reads them; of JSON without numbers that JSON lacks, if strict."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        options = {"parse_constant": pytest.fail} if strict else {}
        return [json.loads(line, **options) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    if path.suffix == ".xlsx":
        header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        plain = [[unescape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        return [dict(zip(header, row, strict=True)) for row in plain]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True))


def is_kept(before, after):
    """Whether a cell is what it was, or the text of it; no value and a blank text are alike."""
    if before is None or before in ("", b""):
        return after in (None, "", b"")
    if isinstance(before, bytes) and isinstance(after, str):
        return before == after.encode()
    if isinstance(after, str) and not isinstance(before, str):
        return is_text_of(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(is_kept(before[name], after[name]) for name in before)
    if isinstance(before, list):
        return len(before) == len(after) and all(map(is_kept, before, after))
    if isinstance(after, datetime.datetime) and not isinstance(before, datetime.datetime):
        after = after.date()
    if isinstance(before, Decimal) and isinstance(after, float):
        after = Decimal(repr(after))
    if isinstance(before, float) and math.isnan(before):
        return math.isnan(after)
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def is_text_of(value, text):
    """Whether a text says a value: it can be had back from it."""
    if isinstance(value, (dict, list)):
        return is_kept(value, json.loads(text))
    if isinstance(value, (bool, datetime.timedelta)):
        return text == str(value)
    if isinstance(value, (int, float, Decimal)):
        return is_kept(value, type(value)(text))
    return type(value).fromisoformat(text) == value


def must_be_told(value, text, style):
    """Whether a text in place of a value is a surprise in this format, of which a person must hear."""
    if not isinstance(text, str) or isinstance(value, str):
        return False
    kinds = {
        "xlsx": (int, float, Decimal, datetime.date, datetime.time, datetime.timedelta),
        "jsonl": (bool, int, float),
        "parquet": object,
    }
    return isinstance(value, kinds.get(style, ()))


@pytest.fixture(autouse=True)
def many_small_files(monkeypatch):
    # To wait for the disk after each would take most of the time.
    monkeypatch.setattr("os.fsync", lambda _: None)
    for name in ("jsonl", "parquet", "workbooks.excel", "delimited"):
        monkeypatch.setattr(f"outsort.tables.{name}.BATCH_ROWS", BATCH_ROWS)


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model, workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fidelity")


def score(source, output, scorer, **options):
    """Score a file; return what was said of it, and whether it was refused."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            options = Options(**({"text_columns": ["text"]} | options))
            score_file(source, output, scorer, options=options, force=True)
        except OutsortError as error:
            return str(error), True
    return "\n".join(str(warning.message) for warning in said if warning.category is DataWarning), False


@pytest.mark.parametrize("style_in", STYLES)
@pytest.mark.parametrize("style_out", STYLES)
def test_each_cell_is_kept_or_the_run_says_what_became_of_it(style_in, style_out, scorer, folder):
    source, output = folder / f"in.{style_in}", folder / f"out.{style_out}"

    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    @given(tables(style_in))
    def check(table):
        rows, write = table
        write(source, rows)
        said, refused = score(source, output, scorer)
        if refused:
            assert said
            return
        after = read(output, strict=style_in != "jsonl")
        assert len(after) == len(rows)
        for row, scored in zip(rows, after, strict=True):
            for name, value in row.items():
                assert is_kept(value, scored[name]), (name, value, scored[name], said)
                assert said or not must_be_told(value, scored[name], style_out), (name, value, scored[name])

    check()


def told_of(source, output, scorer, **options):
    """Score a file that is not refused; return what was said."""
    said, refused = score(source, output, scorer, **options)
    assert not refused, said
    return said


def refusal_of(source, output, scorer, **options):
    """Score a file that is refused; return why. Nothing is left behind."""
    said, refused = score(source, output, scorer, **options)
    assert refused
    assert not output.exists()
    return said


class TestNames:
    @pytest.fixture(params=["csv", "parquet"])
    def twice(self, request, tmp_path):
        """A table with two columns of one name."""
        path = tmp_path / f"in.{request.param}"
        if request.param == "csv":
            path.write_text("text,n,n\nkey invoices,1,2\n")
        else:
            arrays = [pa.array(["key invoices"]), pa.array(["1"]), pa.array(["2"])]
            pq.write_table(pa.Table.from_arrays(arrays, names=["text", "n", "n"]), path)
        return path

    @pytest.mark.parametrize("style", ["jsonl", "parquet"])
    def test_two_of_one_name_are_told_apart_where_one_would_be_lost(self, style, twice, tmp_path, scorer):
        said = told_of(twice, tmp_path / f"out.{style}", scorer)
        assert said == f"{tmp_path}/out.{style}: columns of one name are called 'n (2)', 'n (3)'"
        (row,) = read(tmp_path / f"out.{style}")
        assert list(row.items())[:3] == [("text", "key invoices"), ("n (2)", "1"), ("n (3)", "2")]

    def test_two_of_one_name_stay_where_columns_are_found_by_place(self, twice, tmp_path, scorer):
        told_of(twice, tmp_path / "out.csv", scorer)
        with (tmp_path / "out.csv").open() as file:
            assert [row[:3] for row in csv.reader(file)] == [["text", "n", "n"], ["key invoices", "1", "2"]]
        told_of(twice, tmp_path / "out.xlsx", scorer)
        sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
        assert [row[:3] for row in sheet.values] == [("text", "n", "n"), ("key invoices", "1", "2")]

    @pytest.mark.parametrize("style", STYLES)
    def test_a_persons_answer_that_comes_late_is_not_overwritten(self, style, tmp_path, scorer):
        write_jsonl(tmp_path / "in.jsonl", [{"text": "key"}] * BATCH_ROWS + [{"text": "x", "label": "mine"}])
        assert "'label'" in (said := refusal_of(tmp_path / "in.jsonl", tmp_path / f"out.{style}", scorer))
        assert said.endswith("Name a --prefix for new columns.")
        told_of(tmp_path / "in.jsonl", tmp_path / f"out.{style}", scorer, prefix="p_")
        assert read(tmp_path / f"out.{style}")[-1]["label"] == "mine"

    @pytest.mark.parametrize("line", ['{"text": "a", "n": 1, "n": 2}', '{"text": "a", "n": {"k": 1, "k": 2}}'])
    def test_a_key_that_comes_twice_is_a_fault_of_its_line(self, line, tmp_path, scorer):
        (tmp_path / "in.jsonl").write_text(line)
        said = refusal_of(tmp_path / "in.jsonl", tmp_path / "out.csv", scorer)
        assert "in.jsonl, line 1 is not valid JSON (the key " in said
        told_of(tmp_path / "in.jsonl", tmp_path / "out.csv", scorer, keep=True, text_columns=["line"])
        assert read(tmp_path / "out.csv")[0]["line"] == line

    def test_a_header_that_is_not_text_is_refused(self, tmp_path, scorer):
        (tmp_path / "in.csv").write_bytes(b"text,n\xff\n" + "ü,1\nü,2\n".encode())
        said = refusal_of(tmp_path / "in.csv", tmp_path / "out.jsonl", scorer, keep=True)
        assert said.startswith(f"{tmp_path}/in.csv: the header is not valid utf-8. Name its --encoding: worth trying")


@pytest.mark.parametrize("style", STYLES)
def test_cells_beyond_the_header_push_nothing_and_stay_in_the_reason(style, tmp_path, scorer):
    (tmp_path / "in.csv").write_text('text,n\nkey invoices,1,"x, ü",\na logo,2\n')
    told_of(tmp_path / "in.csv", tmp_path / f"out.{style}", scorer, keep=True)
    odd, plain = read(tmp_path / f"out.{style}")
    assert (odd["text"], odd["n"], odd["label"]) == ("key invoices", "1", "BPO")
    assert odd["reason"] == 'has 4 cells where the header has 2: ["x, ü", ""]'
    assert (plain["text"], plain["n"]) == ("a logo", "2")


class TestWorkbooks:
    @pytest.mark.parametrize(
        ("header", "cell", "why"),
        [
            (["text", *(f"c{i}" for i in range(16_380))], "", "16,394 columns, where a sheet holds 16,384."),
            (["text", "h" * 32_768], "", "row 1, column 2: 32,768 characters, where a cell of Excel holds 32,767."),
            (["text", "n"], "é" * 32_768, "row 2, column 2: 32,768 characters, where a cell of Excel holds 32,767."),
            (["text", "n"], "😀" * 16_384, "row 2, column 2: 32,768 characters, where a cell of Excel holds 32,767."),
        ],
    )
    def test_what_excel_has_no_room_for_is_refused(self, header, cell, why, tmp_path, scorer, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        write_delimited(tmp_path / "in.csv", [dict.fromkeys(header, cell) | {"text": "key invoices"}])
        said = refusal_of(tmp_path / "in.csv", tmp_path / "out.xlsx", scorer)
        assert said == f"{tmp_path}/out.xlsx: {why} Write CSV or Parquet instead."
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]

    @pytest.mark.slow
    def test_what_excel_has_room_for_is_written(self, tmp_path, scorer):
        rows = [{"text": "key invoices", "h" * 32_767: "😀" * 16_383 + "x"} | {f"c{i}": str(i) for i in range(16_369)}]
        write_delimited(tmp_path / "in.csv", rows)
        told_of(tmp_path / "in.csv", tmp_path / "out.xlsx", scorer)
        (scored,) = read(tmp_path / "out.xlsx")
        assert scored | rows[0] == scored
        assert (len(scored), scored["label"]) == (16_384, "BPO")

    def test_a_float_keeps_all_its_digits(self, tmp_path, scorer):
        rng = random.Random(0)
        numbers = [0.1 + 0.2, 1e15 + 0.3, 1.7976931348623157e308, *(rng.lognormvariate(0, 99) for _ in range(200))]
        pq.write_table(pa.table({"text": ["key"] * len(numbers), "n": numbers}), tmp_path / "in.parquet")
        assert told_of(tmp_path / "in.parquet", tmp_path / "out.xlsx", scorer) == ""
        assert [row["n"] for row in read(tmp_path / "out.xlsx")] == numbers

    def test_cells_kept_as_text_are_counted_on_stderr(self, outsort, tmp_path):
        rows = [
            {"text": "key", "id": 10**15, "at": None},
            {"text": "a", "id": 10**16, "at": datetime.date(1900, 2, 28)},
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
        out = tmp_path / "out.xlsx"
        done = outsort("score", tmp_path / "in.parquet", "-o", out)
        assert done.err == (
            f"{tmp_path}/in.parquet: text column 'text', 2 rows\n"
            f"{out}: numbers of more than 15 digits, kept as text (2, first in row 2, column 'id')\n"
            f"{out}: dates before 1900-03-01, kept as text (1, first in row 3, column 'at')\n"
            f"{out}: 2 rows\n"
        )
        assert [(row["id"], row["at"]) for row in read(out)] == [(str(10**15), None), (str(10**16), "1900-02-28")]

    @pytest.mark.parametrize(
        ("value", "what", "text"),
        [
            (-(10**15), "numbers of more than 15 digits", "-1000000000000000"),
            (Decimal("1234567890123.456"), "numbers of more than 15 digits", "1234567890123.456"),
            (math.nan, "NaN, infinite or extreme numbers", "nan"),
            (-math.inf, "NaN, infinite or extreme numbers", "-inf"),
            (5e-324, "NaN, infinite or extreme numbers", "5e-324"),
            (datetime.datetime(1900, 2, 28, 23), "dates before 1900-03-01", "1900-02-28T23:00:00"),
            (datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC), "times with a time zone", "2026-05-01T00:00:00+00:00"),
            (datetime.datetime(2026, 5, 1, 0, 0, 0, 1), "times finer than a millisecond", "2026-05-01T00:00:00.000001"),
            (datetime.time(9, 30, 0, 1), "times finer than a millisecond", "09:30:00.000001"),
            (datetime.timedelta(0, 0, 1), "times finer than a millisecond", "0:00:00.000001"),
            (datetime.timedelta(-1), "negative durations", "-1 day, 0:00:00"),
        ],
    )
    def test_what_excel_would_change_is_text_and_told(self, value, what, text, tmp_path, scorer):
        pq.write_table(pa.table({"text": ["key invoices"], "n": [value]}), tmp_path / "in.parquet")
        said = told_of(tmp_path / "in.parquet", tmp_path / "out.xlsx", scorer)
        assert said == f"{tmp_path}/out.xlsx: {what}, kept as text (1, first in row 2, column 'n')"
        assert read(tmp_path / "out.xlsx")[0]["n"] == text

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("a_x000D__x000a_b", "a\r\nb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_xD83D__xDE00_", "😀"),
            ("_xD83D_", "_xD83D_"),
            ("_x00ZZ_ _x41_", "_x00ZZ_ _x41_"),
        ],
    )
    def test_escapes_of_a_workbook_are_read(self, written, meant, tmp_path, scorer):
        write_xlsx(tmp_path / "in.xlsx", [{"text": "key invoices", written: written}])
        told_of(tmp_path / "in.xlsx", tmp_path / "out.jsonl", scorer)
        assert read(tmp_path / "out.jsonl")[0][meant] == meant

    def test_formulas_that_no_program_has_computed_are_told(self, tmp_path, scorer):
        # As openpyxl and most reporting tools write them: without the result that a reader shows.
        book = openpyxl.Workbook()
        for row in [["text", "n"], ["key invoices", "=1+1"]]:
            book.active.append(row)
        book.save(tmp_path / "in.xlsx")
        said = told_of(tmp_path / "in.xlsx", tmp_path / "out.csv", scorer)
        assert said.startswith(
            f"{tmp_path}/in.xlsx: sheet 'Sheet', text column 'text', 1 row; formulas without a result (1)"
        )
        (row,) = read(tmp_path / "out.csv")
        assert (row["n"], row["reason"]) == ("", "has a formula without a result: B2")

    @pytest.mark.slow
    def test_formulas_that_a_program_has_computed_are_their_results(self, office, tmp_path, scorer):
        write_xlsx(tmp_path / "in.xlsx", [{"text": "key invoices", "n": "=1+1", "m": '=IF(1=1,"","x")'}])
        (tmp_path / "saved").mkdir()
        saved = office(tmp_path / "in.xlsx", "xlsx", tmp_path / "saved")
        assert told_of(saved, tmp_path / "out.csv", scorer) == ""
        assert (row := read(tmp_path / "out.csv")[0])["n"] == "2"
        assert row["m"] == ""

    @pytest.mark.slow
    def test_office_reads_every_odd_text_as_it_was(self, office, tmp_path, scorer):
        kept = [text for text in odd_texts if not set(text) & set("\0\x1f\ufffe\uffff")]
        write_jsonl(tmp_path / "in.jsonl", [{"text": "key invoices", "n": text} for text in kept])
        told_of(tmp_path / "in.jsonl", tmp_path / "out.xlsx", scorer)
        # Quoted, UTF-8: what it saves cells of several lines as.
        seen = office(tmp_path / "out.xlsx", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true", tmp_path)
        with seen.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["n"].replace("\r\n", "\n") for row in rows] == [text.replace("\r\n", "\n") for text in kept]


class TestJson:
    @given(st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    def test_a_number_keeps_its_digits_whatever_their_number(self, scorer, folder, digits):
        (folder / "in.jsonl").write_text(f'{{"text": "key invoices", "n": {digits}}}\n')
        told_of(folder / "in.jsonl", folder / "out.csv", scorer)
        assert Decimal(read(folder / "out.csv")[0]["n"]) == Decimal(digits)

    def test_an_exponent_beyond_all_range_is_a_fault_of_its_line(self, tmp_path, scorer):
        (tmp_path / "in.jsonl").write_text('{"text": "key invoices", "n": 1e99999999999999999999}')
        said = refusal_of(tmp_path / "in.jsonl", tmp_path / "out.csv", scorer)
        assert "line 1 is not valid JSON (the number 1e99999999999999999999 cannot be read)" in said

    @pytest.mark.parametrize("value", [math.nan, -math.inf, [math.inf]])
    def test_numbers_that_json_lacks_are_text_and_told(self, value, tmp_path, scorer):
        pq.write_table(pa.table({"text": ["key invoices"], "n": [value]}), tmp_path / "in.parquet")
        said = told_of(tmp_path / "in.parquet", tmp_path / "out.jsonl", scorer)
        assert said == f"{tmp_path}/out.jsonl: 1 rows with NaN or infinite numbers, which JSON lacks, kept as text"
        (row,) = read(tmp_path / "out.jsonl")
        assert row["n"] == ([str(value[0])] if isinstance(value, list) else str(value))


class TestParquet:
    @pytest.mark.parametrize(
        ("first", "late"),
        [(1, 1.5), (1, "x"), (1.5, 2**53 + 1), (1.5, True), ({"a": 1}, {"b": 1}), ([1], [1.5]), (True, 1)],
    )
    def test_a_value_that_does_not_fit_the_rows_before_is_refused(self, first, late, tmp_path, scorer):
        write_jsonl(tmp_path / "in.jsonl", [{"text": "key", "n": first}] * BATCH_ROWS + [{"text": "x", "n": late}])
        said = refusal_of(tmp_path / "in.jsonl", tmp_path / "out.parquet", scorer)
        assert "column 'n'" in said
        assert said.endswith("Write CSV or JSON Lines instead.")

    def test_values_after_nothing_but_blanks_are_text_and_told(self, tmp_path, scorer):
        write_jsonl(tmp_path / "in.jsonl", [{"text": "key", "n": None}] * BATCH_ROWS + [{"text": "x", "n": 5}])
        said = told_of(tmp_path / "in.jsonl", tmp_path / "out.parquet", scorer)
        assert said.endswith("out.parquet: values in columns that held text or nothing before, kept as text (1)")
        assert read(tmp_path / "out.parquet")[-1]["n"] == "5"

    @pytest.mark.parametrize("style", ["csv", "jsonl", "xlsx"])
    @pytest.mark.parametrize(
        "column", [pa.array([b"a", b"\xff"]), pa.array([{"k": b"a"}, {"k": b"\xff"}]), pa.array([[b"a"], [b"\xff"]])]
    )
    def test_bytes_that_are_not_text_are_refused(self, column, style, tmp_path, scorer):
        pq.write_table(pa.table({"text": ["key invoices", "x"], "n": column}), tmp_path / "in.parquet")
        said = refusal_of(tmp_path / "in.parquet", tmp_path / f"out.{style}", scorer)
        assert said == (
            f"{tmp_path}/out.{style}: row 3, column 'n' holds bytes that are not UTF-8, which only Parquet can hold. "
            "Write Parquet, or leave the column out."
        )

    def test_a_text_stored_as_bytes_that_are_not_text_is_refused(self, tmp_path, scorer):
        cells = [b"key invoices"] * BATCH_ROWS + [b"\xff"]
        pq.write_table(pa.table({"text": cells}), tmp_path / "in.parquet")
        said = refusal_of(tmp_path / "in.parquet", tmp_path / "out.parquet", scorer)
        assert said.startswith(f"{tmp_path}/in.parquet: row 5, column 'text' holds bytes that are not UTF-8")

    def test_texts_stored_as_bytes_are_answered_as_texts(self, tmp_path, scorer):
        for kind in (pa.string(), pa.binary()):
            pq.write_table(pa.table({"text": pa.array(["draft a contract"]).cast(kind)}), tmp_path / "in.parquet")
            told_of(tmp_path / "in.parquet", tmp_path / f"{kind}.jsonl", scorer)
        assert read(tmp_path / "string.jsonl") == read(tmp_path / "binary.jsonl")

    @pytest.mark.parametrize(
        ("value", "kind", "text"),
        [
            (1, pa.time64("ns"), "00:00:00.000000001"),
            (1, pa.timestamp("ns"), "1970-01-01T00:00:00.000000001"),
            (-(10**6), pa.date32(), "-0768-02-04"),
            (2**50, pa.timestamp("ms"), None),
            ([1], pa.list_(pa.time64("ns")), None),
        ],
    )
    def test_times_that_python_lacks_are_text_or_refused(self, value, kind, text, tmp_path, scorer):
        pq.write_table(pa.table({"text": ["key invoices"], "n": pa.array([value], kind)}), tmp_path / "in.parquet")
        if text is None:
            assert "which only Parquet can hold" in refusal_of(tmp_path / "in.parquet", tmp_path / "out.csv", scorer)
        else:
            told_of(tmp_path / "in.parquet", tmp_path / "out.csv", scorer)
            assert read(tmp_path / "out.csv")[0]["n"] == text


class TestSafeForExcel:
    @given(st.lists(texts, min_size=1, max_size=3))
    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    def test_a_cell_is_a_number_or_begins_with_nothing_that_runs(self, scorer, folder, cells):
        write_jsonl(folder / "in.jsonl", [{"text": "key invoices", "n": cell} for cell in cells])
        told_of(folder / "in.jsonl", folder / "out.csv", scorer, safe_for_excel=True)
        for cell, row in zip(cells, read(folder / "out.csv"), strict=True):
            is_safe = cell[:1] not in set("=+-@\t\r\n＝＋－＠") or is_number(cell)
            assert row["n"] == (cell if is_safe else f"'{cell}")

    def test_it_is_off_by_default_and_holds_for_every_column(self, outsort, tmp_path):
        # The command that a text starts in a spreadsheet; numbers and dates stay what they are.
        cells = ["=cmd|' /C calc'!A0", "@SUM(A1)", "-1+2", "+44 20 7946 0958", "-5", "+44", "-1,234.50", "-7%", "-2e3"]
        write_delimited(tmp_path / "in.csv", [{"text": cell, "=n": "1"} for cell in cells])
        outsort("score", tmp_path / "in.csv", "-o", tmp_path / "as-is.csv")
        assert [row["text"] for row in read(tmp_path / "as-is.csv")] == cells
        for style in ("csv", "tsv"):
            outsort("score", tmp_path / "in.csv", "-o", tmp_path / f"safe.{style}", "--safe-for-excel")
            safe = read(tmp_path / f"safe.{style}")
            assert list(safe[0])[:2] == ["text", "'=n"]
            assert [row["text"] for row in safe] == [f"'{cell}" for cell in cells[:4]] + cells[4:]


def is_number(text):
    try:
        return float(text) is not None and text.isascii() and text == text.strip() and "n" not in text.lower()
    except ValueError:
        return False
