"""JSON comes back as it was: its values, their digits and their order; the oracle is the json module."""

import csv
import gzip
import io
import json
import random
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.errors import DataError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from outsort.tables.base import BATCH_ROWS, Dialect, ReadOptions
from outsort.tables.editing import EDITORS, Edits
from outsort.tables.json import JsonReader, JsonWriter
from outsort.tables.sources import opened

OBJECTS = [{"text": "key invoices", "n": 1}, {"text": "draft a contract", "tags": ["a", {"b": None}], "n": 2.50}]


def reader_of(raw, **options):
    return JsonReader("in.json", io.BytesIO(raw), ReadOptions(**options))


def objects_of(raw, **options):
    return [content for batch in reader_of(raw, **options) for content in batch.cells]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
objects = st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=5)


@given(objects, st.sampled_from([None, 1, "\t"]), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_an_array_is_read_wherever_the_parts_are_cut(rows, indent, is_ascii, encoding):
    raw = json.dumps(rows, indent=indent, ensure_ascii=is_ascii).encode(encoding, "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outsort.tables.json._CHUNK", 7)
        read = list(reader_of(raw, keep=True))
    assert [content for batch in read for content in batch.cells] == rows
    lines = [line for batch in read for line in batch.lines]
    assert [json.loads(line) for line in lines] == rows
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda rows: {"data": rows}, "data"),
        (lambda rows: {"meta": {"n": 2, "pages": [1, 2]}, "result": {"records": rows}, "next": None}, "result.records"),
        (lambda rows: {"empty": [], "releases": rows, "tags": ["a"]}, "releases"),
    ],
)
def test_the_one_array_within_an_object_is_the_table(wrap, path):
    reader = reader_of(json.dumps(wrap(OBJECTS), indent=1).encode())
    assert [content for batch in reader for content in batch.cells] == OBJECTS
    assert reader.columns == ["text", "n", "tags"]
    assert reader.notes[0].startswith(f"its rows are those of {path!r}")
    others = [name for name in wrap([]) if not path.startswith(name)]
    assert ("is not copied" in reader.notes[0]) == bool(others)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "in.json: is empty. It needs an array of objects."),
        (b'"text"', "in.json: does not hold an array of objects."),
        (b'{"a": 1}', "in.json: holds no array of objects."),
        (b'{"a": [{"b": 1}], "c": {"d": [{"e": 1}]}}', r"holds 2 arrays of objects: 'a', 'c.d'. Save the one"),
        (
            b'{"columns": [{"name": "a"}], "data": [["x"]]}',
            "holds rows as lists in 'data', with no names. Save it as CSV",
        ),
        (b'[{"a": 1}', "is not valid JSON after 9 characters (the end where ',' or ']' belongs). Fix it there."),
        (b'[{"a": 1} {"a": 2}]', "is not valid JSON after 10 characters ('{' where ',' or ']' belongs)"),
        (b'[{"a": 1},\n{"a": }]', "is not valid JSON after 11 characters (Expecting value). Fix it there."),
        (b'[{"a": 1}] [{"a": 2}]', "in.json: goes on after its array."),
        (b'{"a": [{"b": 1}]}\n{"a": [{"b": 1}]}', "in.json: goes on after its first object."),
        (b'[{"a": 1}, 2]', "in.json, item 2 is not a JSON object. Fix it, or pass --on-error keep."),
        (b'[{"a": 1}, {"a": 1, "a": 2}]', "in.json, item 2 is not valid JSON (the key 'a' comes twice)"),
        (b'[{"a": "caf\xe9"}]', "in.json, item 1 is not valid UTF-8."),
        (rb'[{"a": "\ud83d"}]', "in.json, item 1 holds half of a surrogate pair"),
        (b"[" * 100_000, "is not valid JSON after "),
    ],
)
def test_what_is_no_table_is_told_with_its_place(content, said):
    with pytest.raises(DataError) as refusal:
        objects_of(content)
    assert said in str(refusal.value)


def test_items_that_are_no_rows_are_kept_with_the_reason():
    (batch,) = reader_of(rb'[{"a": 1}, [2], {"a": 3, "a": 4}, {"a": "\ud83d"}]', keep=True)
    assert batch.cells == [{"a": 1}, {"line": "[2]"}, {"line": '{"a": 3, "a": 4}'}, {"line": r'{"a": "\ud83d"}'}]
    assert list(batch.faults) == [1, 2, 3]
    assert list(batch.numbers) == [2, 3, 4, 5]


def test_a_number_is_whole_wherever_the_parts_are_cut(monkeypatch):
    monkeypatch.setattr("outsort.tables.json._CHUNK", 3)
    (batch,) = reader_of(b"[123456789012, 1.5e10, {}]", keep=True)
    assert batch.cells == [{"line": "123456789012"}, {"line": "1.5e10"}, {}]


def test_a_value_without_end_is_refused_in_bounded_memory(monkeypatch):
    monkeypatch.setattr("outsort.tables.json.MAX_CELL", 1 << 16)
    monkeypatch.setattr("outsort.tables.json._CHUNK", 1 << 10)
    stream = io.BytesIO(b'[{"a": "' + b"x" * (1 << 20))
    with pytest.raises(DataError, match="a value of more than 65,536 characters, or one that does not end"):
        list(JsonReader("in.json", stream, ReadOptions()))
    assert stream.tell() < 1 << 18


def test_a_large_file_is_read_in_batches(monkeypatch):
    monkeypatch.setattr("outsort.tables.json.BATCH_ROWS", 10)
    rows = [{"n": n} for n in range(95)]
    batches = list(reader_of(json.dumps(rows).encode()))
    assert [len(batch) for batch in batches] == [10] * 9 + [5]
    assert [number for batch in batches for number in batch.numbers] == list(range(2, 97))
    assert [content for batch in batches for content in batch.cells] == rows


ODD = (
    '[\n {"text": "key invoices", "big": 123456789012345678901234567890, "x": 0.1234567890123456789,\n'
    '  "e": 1E+2, "z": -0.0, "b": {"k": [1, null, true], "a": "\\u00fc"}},\n {"n": 1, "text": "draft a contract"} ]'
)


@pytest.mark.parametrize("suffix", ["json", "jsonl", "json.gz", "json.zst"])
def test_values_come_back_digit_by_digit_and_key_by_key(suffix, model, tmp_path):
    (tmp_path / "in.json").write_text(ODD)
    scorer = Scorer(model, workers=1)
    assert score_file(tmp_path / "in.json", tmp_path / f"out.{suffix}", scorer) == 2
    back = tmp_path / "back.json"
    score_file(tmp_path / f"out.{suffix}", back, scorer, options=Options(prefix="again_"))

    def plain(text):
        return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)

    for before, after in zip(plain(ODD), plain(back.read_text()), strict=True):
        assert after[: len(before)] == before
        assert [name for name, _ in after[len(before) :]][:2] == ["label", "probability"]


def test_digits_are_as_written_in_a_cell_of_another_format(model, tmp_path):
    numbers = {"amount": "125000.10", "large": "123456789012345678901", "e": "1.0e3", "exact": "0.1234567890123456789"}
    written = ", ".join(f'"{name}": {digits}' for name, digits in numbers.items())
    (tmp_path / "in.json").write_text(f'[{{"text": "key invoices", {written}, "nested": {{"of": [{{{written}}}]}}}}]')
    score_file(tmp_path / "in.json", tmp_path / "out.csv", model)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert {name: row[name] for name in numbers} == numbers
    assert row["nested"] == f'{{"of": [{{{written}}}]}}'


@pytest.mark.parametrize("style", ["csv", "parquet", "xlsx", "jsonl"])
def test_rows_of_other_formats_become_an_array(style, model, tmp_path):
    scorer = Scorer(model, workers=1)
    # A number that Python writes in another way.
    (tmp_path / "in.json").write_text(json.dumps(OBJECTS[:1]).replace("{", '{"cost": 12.50, ', 1))
    score_file(tmp_path / "in.json", tmp_path / f"one.{style}", scorer, options=Options(prefix="a_"))
    score_file(tmp_path / f"one.{style}", tmp_path / "out.json", scorer, options=Options(prefix="b_"))
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert (row["text"], str(row["n"]), row["b_label"]) == ("key invoices", "1", "BPO")
    assert float(row["cost"]) == 12.5


def test_a_table_without_rows_is_an_empty_array():
    out = io.BytesIO()
    JsonWriter(out, ["a"], {}, Dialect()).close()
    assert json.loads(out.getvalue()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("wrap", ["{}", '{{"meta": 1.50, "rows": {}, "more": [1]}}'])
def test_an_edit_is_all_that_changes(encoding, wrap):
    rows = '[\n  {"text": "ü",\n   "n": 1.50},\n  {"text": "b"}\n]\n'
    edits = Edits(cells={2: {"text": "x", "by": "Ann"}}, rows=[{"text": "é"}])
    changed = EDITORS["json"](wrap.format(rows).encode(encoding), Dialect(), edits)
    expected = '[\n  {"text": "x",\n   "n": 1.50, "by": "Ann"},\n  {"text": "b"},\n  {"text": "é"}\n]\n'
    assert changed == wrap.format(expected).encode(encoding)


def test_numbers_that_are_no_floats_stay_exact():
    (content,) = objects_of(b'[{"x": 0.1234567890123456789, "n": 123456789012345678901234567890}]')
    assert content == {"x": Decimal("0.1234567890123456789"), "n": 123456789012345678901234567890}


def test_spoilt_json_is_read_exactly_where_the_json_module_reads_it():
    rng = random.Random(5)
    plain = json.dumps(OBJECTS * 4, indent=1).encode()
    outcomes = []
    for _ in range(400):
        raw = bytearray(plain)
        raw[rng.randrange(len(raw))] = rng.choice(b'{}[]",:0\\x\xff')
        try:
            n_rows = len(objects_of(bytes(raw), keep=True))
        except DataError:
            n_rows = None
        try:
            expected = len(json.loads(raw.decode("utf-8", "surrogateescape")))
        except ValueError:
            expected = None
        outcomes.append((n_rows, expected))
    assert all(n_rows == expected for n_rows, expected in outcomes)
    assert 20 < sum(n_rows is None for n_rows, _ in outcomes) < 380


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("style", ["json", "jsonl"])
def test_rows_go_on_where_they_stopped_when_all_columns_were_asked_for_meanwhile(style, packing, tmp_path):
    rows = [{"text": f"key {n} " * 20} for n in range(BATCH_ROWS + 5)] + [{"late": "x"}]
    content = json.dumps(rows) if style == "json" else "".join(json.dumps(row) + "\n" for row in rows)
    path = tmp_path / f"in.{style}{packing}"
    pack = {"": bytes, ".gz": gzip.compress, ".zst": lambda raw: pa.compress(raw, "zstd", asbytes=True)}[packing]
    path.write_bytes(pack(content.encode()))
    with opened(str(path), ReadOptions()) as table:
        batches = iter(table.reader)
        found = list(next(batches).cells)
        assert table.reader.columns == ["text", "late"]
        for batch in batches:
            found += batch.cells
    assert found == rows
