"""The picture of a scored table: its sums are those of the rows, in bounded memory, whatever the batches."""

import csv
import json
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import random_model
from outsort import model_file
from outsort.errors import DataError
from outsort.scoring import summary as module
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from outsort.scoring.summary import CORRELATION, CORRELATION_IN_LINE, PARTS, SummaryTally, interval
from outsort.tables.base import Categorical

TEXTS = ["key invoices", "draft a contract", "clean the office", "audit", "", "500", "zzz qqq", "design. data entry"]


@pytest.fixture(scope="module")
def scorers():
    """Models of two to five labels, with and without service lines and a label out of scope."""
    return [
        Scorer(random_model(n, with_out_of_scope=out, lines_per_label=lines), workers=1)
        for n, out, lines in ((2, False, 1), (3, True, 3), (5, True, 1))
    ]


def write_rows(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "spend", "supplier"], *rows])


def weight_of(cell):
    return 0.0 if cell == "spend" else max(0.0, float(cell.replace(",", "").replace("£", "") or 0))


def sums_of(path, model, *, weighted, by):
    """Add up a scored file row by row, in plain Python: the oracle."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = defaultdict(lambda: [0, 0.0])

    def add(weight, *key):
        found[key][0] += 1
        found[key][1] += weight

    expected = defaultdict(float)
    for row in rows:
        weight = weight_of(row["spend"]) if weighted else 1.0
        if row["reason"].startswith("not a row of work"):
            add(weight, "not work", row["reason"])
            continue
        is_out = bool(model.out_of_scope) and row["label"] == model.out_of_scope
        part = "to review" if row["decision"] == "review" else "accepted as out of scope" if is_out else "accepted"
        add(weight, "all")
        add(weight, "label", row["label"])
        add(weight, "part", part)
        add(weight, "part", part, row["label"])
        add(weight, "line", row["service_line"] or "none")
        if row["reason"]:
            add(weight, "reason", row["reason"].partition(": ")[0])
        if by:
            add(weight, "by", row["supplier"].strip())
            add(weight, "by", row["supplier"].strip(), part)
        for label in model.labels:
            expected[label] += weight * float(row[f"p_{label}"])
            expected[part, label] += weight * float(row[f"p_{label}"])
            expected["by", row["supplier"].strip(), label] += weight * float(row[f"p_{label}"])
    return found, expected


def check_sums(found, path, model, *, weighted, by):
    sums, expected = sums_of(path, model, weighted=weighted, by=by)

    def check(of, *key):
        rows, weight = sums.get(key, (0, 0.0))
        assert (of.rows, of.weight) == (rows, pytest.approx(weight, rel=1e-9, abs=1e-9)), key

    check(found, "all")
    assert [of.name for of in found.labels] == list(model.labels)
    for of in found.labels:
        check(of, "label", of.name)
        assert of.expected == pytest.approx(expected[of.name], abs=1e-6)
        assert 0 <= of.interval[0] <= of.expected + 1e-6
        assert of.expected - 1e-6 <= of.interval[1] <= found.weight + 1e-6
    assert [of.name for of in found.decisions] == list(PARTS)
    for part in found.decisions:
        check(part, "part", part.name)
        for of in part.labels:
            check(of, "part", part.name, of.name)
            assert of.expected == pytest.approx(expected[part.name, of.name], abs=1e-6)
    for name, shares in (("reason", found.reasons), ("line", found.service_lines), ("not work", found.not_work)):
        assert len(shares) == sum(len(key) == 2 and key[0] == name for key in sums)
        for of in shares:
            check(of, name, of.name)
        assert [of.weight for of in shares] == sorted((of.weight for of in shares), reverse=True)
    if by:
        groups = found.by.groups
        assert found.by.rest is None
        assert len(groups) == sum(len(key) == 2 and key[0] == "by" for key in sums)
        for of in groups:
            check(of, "by", of.name)
            assert of.labels == pytest.approx(
                {label: expected["by", of.name, label] for label in model.labels}, abs=1e-6
            )
            parts = {part: sums["by", of.name, part][1] for part in PARTS}
            assert of.decisions == pytest.approx(parts, abs=1e-6)


amounts_written = st.one_of(
    st.integers(-50, 10**6).map(str), st.integers(0, 10**6).map(lambda n: f"£{n:,}.50"), st.just("")
)
written_rows = st.one_of(
    st.tuples(
        st.lists(st.sampled_from(TEXTS), max_size=3).map(" and ".join),
        amounts_written,
        st.sampled_from(["A", " A", "B", ""]),
    ),
    st.tuples(st.just("Subtotal"), amounts_written, st.just("")),
    st.just(("text", "spend", "supplier")),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(written_rows, max_size=40), which=st.integers(0, 2), weighted=st.booleans(), by=st.booleans())
def test_the_sums_are_those_of_the_scored_file(scorers, tmp_path, rows, which, weighted, by):
    scorer = scorers[which]
    write_rows(tmp_path / "in.csv", rows)
    tally = SummaryTally(scorer.model, weight_column="spend" if weighted else None, by="supplier" if by else None)
    options = Options(text_columns=["text"])
    told = []  # A row may repeat the header.
    score_file(
        *(tmp_path / "in.csv", tmp_path / "out.csv", scorer),
        options=options, force=True, tell=told.append, summary=tally,
    )  # fmt: skip
    check_sums(tally.result(), tmp_path / "out.csv", scorer.model, weighted=weighted, by=by)


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.xlsx"])
def test_case_and_blanks_of_the_names_of_columns_do_not_count(scorers, tmp_path, name):
    table = pd.DataFrame({"text": ["key invoices", "audit"], "Net  spend": [3, 4], " Supplier": ["A", "B"]})
    if name == "in.jsonl":
        table.to_json(tmp_path / name, orient="records", lines=True)
    else:
        (table.to_csv if name == "in.csv" else table.to_excel)(tmp_path / name, index=False)
    tally = SummaryTally(scorers[1].model, weight_column="net spend", by="SUPPLIER")
    score_file(tmp_path / name, tmp_path / "out.csv", scorers[1], summary=tally)
    found = tally.result()
    assert [(of.name, of.weight) for of in found.by.groups] == [("B", 4), ("A", 3)]
    # It is called what the table calls it.
    assert (found.weights.column, found.by.column) == ("Net  spend", " Supplier")


NESTED = [
    {"id": 1, "lot": {"text": "key invoices", "Value": {"amount": 12.5}}, "buyer": {"name": "town"}},
    {"id": 2, "lot": {"text": "audit", "Value": {"amount": 7.0}}, "buyer": {"name": "port"}},
    {"id": 3, "lot": None, "buyer": {"name": "town"}},
]


@pytest.mark.parametrize("split", [False, True], ids=["rows", "clauses"])
@pytest.mark.parametrize("style", ["json", "jsonl", "parquet", "union"])
def test_weights_and_groups_may_be_within_objects(scorers, tmp_path, style, split):
    pq.write_table(pa.Table.from_pylist(NESTED), tmp_path / "in.parquet")
    (tmp_path / "in.json").write_text(json.dumps(NESTED))
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, NESTED)))
    (tmp_path / "in.csv").write_text("id,text\n4,mop floors\n")
    source = tmp_path / f"in.{style}"
    if style == "union":
        source = [tmp_path / "in.parquet", tmp_path / "in.jsonl", *([] if split else [tmp_path / "in.csv"])]
    tally = SummaryTally(scorers[1].model, weight_column="lot.value.amount", by="buyer.name")
    options = Options(split=split, weight_column="lot.value.amount" if split else None)
    if split:
        tally.weigh_clauses("clause_amount", "weighted_words")
    score_file(source, tmp_path / "out.jsonl", scorers[1], options=options, summary=tally, tell=lambda _: None)
    found, n = tally.result(), 1 + (style == "union")
    assert sorted((of.name, of.weight) for of in found.by.groups if of.weight) == [("port", 7 * n), ("town", 12.5 * n)]
    assert found.weight == 19.5 * n


def test_a_path_that_there_is_not_is_refused_with_those_there_are(scorers, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(NESTED))
    tally = SummaryTally(scorers[1].model, weight_column="lot.value.amont")
    with pytest.raises(DataError, match=r"'id', 'lot', 'buyer', .*\. Did you mean 'lot\.Value\.amount'\?"):
        score_file(tmp_path / "in.json", tmp_path / "out.csv", scorers[1], summary=tally)


def test_a_total_is_not_added_to_what_it_is_the_sum_of(scorers, tmp_path):
    rows = [
        ("key invoices", "1000.5", "A"),
        ("audit", "20", "B"),
        ("Total", "1020.5", ""),
        ("Source: the council", "", ""),
    ]
    write_rows(tmp_path / "in.csv", rows)
    tally = SummaryTally(scorers[1].model, weight_column="spend", by="supplier")
    score_file(
        tmp_path / "in.csv", tmp_path / "out.csv", scorers[1], options=Options(text_columns=["text"]), summary=tally
    )
    found = tally.result()
    assert (found.rows, found.weight, found.weights.blank) == (2, 1020.5, 0)
    assert sum(of.expected for of in found.labels) == pytest.approx(1020.5, abs=0.01)
    assert [(of.name, of.rows, of.weight) for of in found.not_work] == [
        ("not a row of work (a total)", 1, 1020.5),
        ("not a row of work (a note)", 1, 0.0),
    ]
    assert [of.name for of in found.by.groups] == ["A", "B"]


@pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
@pytest.mark.filterwarnings("ignore:.*sheet 'summary' of a run before")
def test_every_format_has_the_same_summary(scorers, tmp_path, style):
    scorer = scorers[1]
    rows = [(text, f"{i * 1000.25}", "AB"[i % 2]) for i, text in enumerate(TEXTS * 3)]
    write_rows(tmp_path / "in.csv", rows)
    options = Options(text_columns=["text"])
    plain = SummaryTally(scorer.model, weight_column="spend", by="supplier")
    score_file(tmp_path / "in.csv", tmp_path / f"first.{style}", scorer, options=options, summary=plain)
    again = SummaryTally(scorer.model, weight_column="spend", by="supplier")
    score_file(tmp_path / f"first.{style}", tmp_path / f"second.{style}", scorer, options=options, summary=again)
    found, wanted = (tally.result().to_dict() for tally in (again, plain))
    for row in found["deciding"] + wanted["deciding"]:
        row["source"] = ""
    assert found | {"sources": []} == wanted | {"sources": []}


def random_batch(model, n, seed, n_groups=4):
    """Return answers, weights and groups of n rows as if a scorer had made them."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(len(model.labels)), n)
    added = {
        "label": Categorical(proba.argmax(axis=1), model.labels),
        "probability": proba.max(axis=1),
        **{f"p_{label}": proba[:, i] for i, label in enumerate(model.labels)},
        "service_line": Categorical(rng.integers(0, len(model.lines) + 1, n), [*model.lines, None]),
        "decision": Categorical(rng.integers(0, 2, n), ["accept", "review"]),
        "reason": Categorical(rng.integers(0, 2, n), ["", "low confidence"]),
    }
    return added, rng.lognormal(3, 2, n).tolist(), [f"g{g}" for g in rng.integers(0, n_groups, n)]


def tallied(model, batches, tally=None):
    tally = tally or SummaryTally(model, weight_column="w", by="g")
    first = tally.n_rows
    for added, weights, groups in batches:
        numbers = range(first + 2, first + 2 + len(weights))
        tally.add("t.csv", numbers, [f"text {n}" for n in numbers], added, weights, groups)
        first += len(weights)
    return tally


def part_of(batch, start, stop):
    added, weights, groups = batch
    cut = {
        name: Categorical(column.codes[start:stop], column.values)
        if isinstance(column, Categorical)
        else column[start:stop]
        for name, column in added.items()
    }
    return cut, weights[start:stop], groups[start:stop]


def assert_alike(found, wanted):
    """Compare summaries as plain values, sums to rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_alike(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for mine, its in zip(found, wanted, strict=True):
            assert_alike(mine, its)
    else:
        assert found == (pytest.approx(wanted) if isinstance(wanted, float) else wanted)


def test_batches_and_merging_change_nothing():
    model = random_model(3, with_out_of_scope=True)
    batch = random_batch(model, 500, 0)
    whole = tallied(model, [batch]).result().to_dict()
    in_parts = tallied(model, [part_of(batch, 0, 7), part_of(batch, 7, 300), part_of(batch, 300, 500)])
    assert_alike(in_parts.result().to_dict(), whole)
    first = tallied(model, [part_of(batch, 0, 200)])
    second = first.anew()
    # The second file's rows have their own numbers; here they go on, so that the oracle is the same.
    numbers = range(202, 502)
    second.add("t.csv", numbers, [f"text {n}" for n in numbers], *part_of(batch, 200, 500))
    first.merge(second)
    assert_alike(first.result().to_dict(), whole)


def test_the_rows_that_decide_most_have_the_most_weight_at_stake():
    model = random_model(4, with_out_of_scope=False)
    batches = [random_batch(model, 300, seed) for seed in range(4)]
    found = tallied(model, batches).result().deciding
    stakes = np.concatenate([np.array(w) * (1 - added["probability"]) for added, w, _ in batches])
    order = np.argsort(-stakes, kind="stable")[: module.N_DECIDING]
    assert [row.row for row in found] == (order + 2).tolist()
    assert [row.at_stake for row in found] == pytest.approx(stakes[order].tolist())
    assert [row.text for row in found] == [f"text {i + 2}" for i in order]


def test_many_groups_are_bounded_and_say_what_they_may_lack(monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 10)
    monkeypatch.setattr(module, "N_GROUPS", 5)
    model = random_model(3, with_out_of_scope=True)
    batches = [random_batch(model, 50, seed, n_groups=200) for seed in range(30)]
    tally = tallied(model, batches)
    assert len(tally._groups) <= 20
    by = tally.result().by
    true = defaultdict(float)
    for _, weights, groups in batches:
        for weight, group in zip(weights, groups, strict=True):
            true[group] += weight
    assert len(by.groups) == 5
    assert by.missed > 0
    for of in by.groups:
        assert of.weight - 1e-6 <= true[of.name] <= of.weight + by.missed + 1e-6
    assert by.rest.weight + sum(of.weight for of in by.groups) == pytest.approx(sum(true.values()))
    assert sum(of.rows for of in [*by.groups, by.rest]) == 1500
    for name in ("labels", "decisions"):
        assert sum(sum(getattr(of, name).values()) for of in [*by.groups, by.rest]) == pytest.approx(sum(true.values()))


def test_reasons_are_bounded():
    model = random_model(2, with_out_of_scope=False)
    added, weights, groups = random_batch(model, 200, 0)
    added["reason"] = Categorical(np.arange(200), [f"has {i} cells where the header has 2" for i in range(200)])
    found = tallied(model, [(added, weights, groups)]).result().reasons
    assert len(found) == module.MAX_REASONS + 1
    assert sum(of.rows for of in found) == 200


def test_weights_that_are_none_are_counted_apart():
    model = random_model(2, with_out_of_scope=False)
    cells = ["£1,200.50", "", None, "n/a", "(3.00)", 7, float("nan"), "1e400"]
    added, _, groups = random_batch(model, len(cells), 0)
    found = tallied(model, [(added, cells, groups)]).result()
    assert found.rows == 8
    assert found.weight == 1207.5
    weights = found.weights
    assert (weights.blank, weights.not_numbers, weights.example) == (2, 3, "n/a")
    assert (weights.negative, weights.negative_sum) == (1, -3.0)


def test_the_column_of_weights_tells_its_decimal_mark():
    model = random_model(2, with_out_of_scope=False)
    added, _, groups = random_batch(model, 3, 0)
    german = tallied(model, [(added, ["1.234", "99,50", "1.000"], groups)]).result()
    assert (german.weight, german.weights.decimal_mark, german.weights.ambiguous) == (2333.5, ",", 0)
    open_to_both = tallied(model, [(added, ["1.234", "99", "2.500"], groups)]).result()
    assert open_to_both.weight == pytest.approx(102.734)
    assert open_to_both.weights.ambiguous == 2


class TestInterval:
    def test_it_is_the_normal_interval_of_correlated_errors(self):
        # The oracle: the variance as a double sum over all pairs of rows.
        rng = np.random.default_rng(0)
        n = 40
        p, w, line = rng.random(n), rng.lognormal(0, 1, n), rng.integers(0, 5, n)
        s = w * np.sqrt(p * (1 - p))
        correlation = CORRELATION + CORRELATION_IN_LINE * (line[:, None] == line)
        np.fill_diagonal(correlation, 1)
        error = 1.959964 * math.sqrt(s @ correlation @ s)
        deviations = np.bincount(line, s, 5)[:, None]
        ((low, high),) = interval(np.array([w @ p]), np.array([s @ s]), deviations, w.sum())
        assert (low, high) == pytest.approx((max(0, w @ p - error), min(w.sum(), w @ p + error)), rel=1e-6)

    def test_sure_answers_have_no_width_and_a_model_without_lines_no_part_of_lines(self):
        sure = interval(np.array([3.0, 0.0]), np.zeros(2), np.zeros((4, 2)), 3.0)
        assert sure.tolist() == [[3, 3], [0, 0]]
        _, high = interval(np.array([50.0]), np.array([25.0]), np.array([[50.0]]), 100.0)[0]
        assert high - 50 == pytest.approx(1.959964 * math.sqrt((1 - CORRELATION) * 25 + CORRELATION * 2500), rel=1e-6)

    def test_it_covers_the_truth_where_its_assumption_holds(self):
        # Rows drawn from their own probabilities: coverage is then above the level, as errors do not correlate.
        rng = np.random.default_rng(1)
        covered = []
        for _ in range(300):
            p, w, line = rng.beta(1, 2, 200), rng.lognormal(0, 1.5, 200), rng.integers(0, 30, 200)
            s = w * np.sqrt(p * (1 - p))
            low, high = interval(np.array([w @ p]), np.array([s @ s]), np.bincount(line, s, 30)[:, None], w.sum())[0]
            covered.append(low <= w @ (rng.random(200) < p) <= high)
        assert np.mean(covered) > 0.95


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere", "no column 'nowhere'; it has 'text', 'spend'"), ("twice", "two columns 'twice'")]
)
def test_a_column_that_cannot_be_summed_up_is_refused_before_anything_is_written(scorers, tmp_path, name, why):
    (tmp_path / "in.csv").write_text("text,spend,twice,twice\nkey invoices,1,2,3\n")
    for given_as in ("weight_column", "by"):
        tally = SummaryTally(scorers[0].model, **{given_as: name})
        with pytest.raises(DataError, match=why):
            score_file(tmp_path / "in.csv", tmp_path / "out.csv", scorers[0], summary=tally)
        assert not (tmp_path / "out.csv").exists()


def test_corrected_rows_count_under_the_label_that_a_person_gave(model, tmp_path):
    from outsort.scoring.corrections import Correction

    (tmp_path / "in.csv").write_text("task\nkey invoices\ndraft a contract\n")
    tally = SummaryTally(model)
    options = Options(corrections={0: Correction("UNCLEAR")})
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model, options=options, summary=tally)
    found = {of.name: of.rows for of in tally.result().labels}
    assert found["UNCLEAR"] == 1
    assert sum(found.values()) == 2
    assert json.dumps(tally.result().to_dict())


@pytest.mark.parametrize("option", ["--by", "--weight-column"])
def test_a_column_that_score_adds_is_none_to_sum_up_by(outsort, model, tmp_path, option):
    model_file.save(model, tmp_path / "m.joblib")
    (tmp_path / "in.csv").write_text("text,label\nkey invoices,x\n", encoding="utf-8")
    run = ("score", tmp_path / "in.csv", "-o", tmp_path / "o.csv", "-m", tmp_path / "m.joblib")
    for name in ("outsort_decision", "outsort_label"):
        done = outsort(*run, option, name)
        assert done.code == 1
        assert f"{name!r} is a column that `outsort score` adds. Name one that the table has" in done.err
    assert not (tmp_path / "o.csv").exists()
    # What the table itself calls so is its own.
    assert outsort(*run, "--by", "label").code == 0
