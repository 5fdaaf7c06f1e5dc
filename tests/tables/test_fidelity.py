"""Whatever goes in comes out: the same value, the same text, or a word about it.

What is written is read back by other libraries: pyarrow, openpyxl, json, csv.
"""

import csv
import datetime
import json
import math
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

STYLES = ["csv", "tsv", "jsonl", "parquet", "xlsx"]

odd_texts = [
    "=1+1", "-5", "+44", "007", "1e5", "TRUE", "_x000D_", "_x005F_", "a\rb", "a\r\nb", "\n", "\t", "\0", "\x1f", "'", '"',
    "<r>&</r>", "<r><t>x</t></r>", " padded ", "12345678901234567890", "NaN", "None", "\ufffe\uffff", "𝒳𝒳𝒳", "#N/A",
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
    rows = draw(st.lists(row, min_size=1, max_size=3))

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
            score_file(source, output, scorer, options=Options(text_columns=["text"], **options), force=True)
        except OutsortError as error:
            return str(error), True
    return "\n".join(str(warning.message) for warning in said if warning.category is DataWarning), False


@pytest.mark.parametrize("style_in", STYLES)
@pytest.mark.parametrize("style_out", STYLES)
def test_each_cell_is_kept_or_the_run_says_what_became_of_it(style_in, style_out, scorer, folder):
    source, output = folder / f"in.{style_in}", folder / f"out.{style_out}"

    @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
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
