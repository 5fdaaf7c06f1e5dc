"""Consistency: like work with different answers, found and laid out; against all pairs, one by one."""

import io
import itertools
import json
import random

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from outsort.data.weighing import Weighing
from outsort.errors import DataError
from outsort.improving import rewordings
from outsort.improving.consistency import check_consistency
from outsort.improving.rewordings import LIKE, bag_of, like_pairs, likeness, weights_of_words
from outsort.reporting.consistency import consistency_tables
from outsort.tables.columns import answers_in

pytestmark = pytest.mark.filterwarnings("ignore::outsort.errors.DataWarning")
WORDS = [
    "audit",
    "draft",
    "invoice",
    "legal",
    "ledger",
    "logo",
    "media",
    "patent",
    "payroll",
    "tax",
    "translate",
    "web",
]


def scored(tmp_path, rows, columns=("description", "supplier", "spend", "label"), name="scored.csv"):
    """Write a scored table of these rows, and return where."""
    frame = pd.DataFrame(rows, columns=list(columns)).assign(decision="accept", model="m1")
    path = tmp_path / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_excel(path, index=False)
    return path


LOGO = [
    ("Logo design for a bakery", "Acme", "1,200.50", "BPO"),
    ("design of bakery logos", "Bolt", "£300", "KPO"),
    ("Payroll for 30 staff", "Acme", "90", "BPO"),
    ("Payroll for 45 staff", "Acme", "80", "NEITHER"),
    ("Logo design for a bakery", "Cody", "5", "BPO"),
    ("Patent search", "Cody", "7", "KPO"),
]


def test_totals_and_blank_rows_are_no_answers(tmp_path):
    path = scored(tmp_path, [*LOGO, ("Logo design, bakery", "Total", "1,682.50", "NEITHER"), ("", "Dora", "1", "BPO")])
    frame = pd.read_csv(path)
    frame.assign(reason=[""] * 6 + ["not a row of work (a total)", "empty"]).to_csv(path, index=False)
    found = check_consistency(path, by="supplier", weight_column="spend")
    assert (found.n, found.n_groups) == (6, 3)
    assert "Total" not in {row.group for one in found.findings for row in (*one.rows, *one.more)}


def test_case_and_blanks_of_the_names_of_columns_do_not_count(tmp_path):
    path = scored(tmp_path, LOGO)
    found = check_consistency(path, by="SUPPLIER", weight_column=" Spend")
    assert found.findings == check_consistency(path, by="supplier", weight_column="spend").findings
    assert found.weights.column == "spend"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Logo design for a bakery", "design of bakery logos"),
        ("Drafting policies and contracts", "Draft contract, policy"),
        ("Account management, Leeds", "acct mgmt Leeds"),
        ("human resources advice", "HR advice"),
        ("Cleaning services lot 3", "provision of cleaning, lot 12"),
    ],
)
def test_rewordings_are_the_same_work(text, other):
    bags = [bag_of(text), bag_of(other)]
    weights = weights_of_words(bags)
    assert likeness(*bags, weights) == likeness(*reversed(bags), weights) == pytest.approx(1)


def test_other_work_on_the_same_thing_is_not():
    bags = [bag_of("draft a contract"), bag_of("translate a contract")]
    assert likeness(*bags, dict.fromkeys(["draft", "translat", "contract"], 1.0)) == pytest.approx(1 / 3)


def test_a_text_without_words_has_an_empty_bag():
    assert bag_of("--- / ,") == ()
    assert bag_of("2024 12") == ("2024", "12")


@pytest.mark.parametrize("limit", [0.4, LIKE, 1.0])
def test_the_pairs_are_those_that_a_comparison_of_all_finds(limit):
    rng = random.Random(3)
    bags = [tuple(dict.fromkeys(rng.choices(WORDS, k=rng.randint(1, 6)))) for _ in range(150)]
    codes = np.array([rng.randrange(3) for _ in bags])
    weights = weights_of_words(bags)

    def cosine(first, second):
        total = [sum(weights[word] for word in bag) for bag in (first, second)]
        return sum(weights[word] for word in {*first} & {*second}) / np.sqrt(np.prod(total))

    expected = {
        (min(i, j), max(i, j))
        for i, j in itertools.combinations(range(len(bags)), 2)
        if codes[i] != codes[j]
        and likeness(bags[i], bags[j], weights) >= limit - 1e-9
        and cosine(bags[i], bags[j]) >= rewordings._AS_WRITTEN * limit
    }
    found = like_pairs(bags, codes, limit)
    assert {tuple(sorted(pair)) for pair in zip(found.first.tolist(), found.second.tolist(), strict=True)} == expected
    assert len(found.first) == len(expected) > 0
    assert found.n_compared == len(bags)


@pytest.mark.parametrize("least", [0.25, 0.3, 0.4])
def test_common_words_that_are_not_looked_up_hide_no_pair(least):
    rng = random.Random(4)
    every = [f"w{i}" for i in range(200)]
    bags = [tuple({*every[:6], *rng.choices(every, k=rng.randint(5, 40))}) for _ in range(200)]
    codes = np.arange(200) % 3
    vectors = rewordings._vectors(bags, weights_of_words(bags))
    prefixes, _ = rewordings._prefixes(vectors, least / 2)
    assert prefixes.nnz < vectors.nnz
    first, second, _ = rewordings._candidates(vectors, codes, least)
    dots = (vectors @ vectors.T).toarray()
    expected = np.argwhere((dots >= least) & (codes[:, None] < codes))
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == sorted(map(tuple, expected.tolist()))
    assert len(expected) > 0


@pytest.mark.parametrize("bound", ["_MAX_MEETINGS", "_MAX_COMPARED"])
def test_where_too_many_are_alike_the_first_are_compared(monkeypatch, bound):
    bags = [(*WORDS, str(i)) for i in range(200)]
    codes = np.arange(200) % 2
    monkeypatch.setattr(rewordings, bound, 3_000)
    found = like_pairs(bags, codes, 0.4)
    n = found.n_compared
    assert 10 < n < 200
    assert len(found.first) == (n // 2) * (n - n // 2)
    assert max(found.first.max(), found.second.max()) < n


def all_pairs(rows, by, limit):
    """Return the rows of each finding by comparing each row with each, and joining those at odds."""
    bags = [bag_of(text) for text, *_ in rows]
    kind = {place: (frozenset(bags[place]), row[3]) for place, row in enumerate(rows)}
    weights = weights_of_words([tuple(bag) for bag, _ in set(kind.values())])
    at_odds = [
        (i, j)
        for i, j in itertools.combinations(range(len(rows)), 2)
        if rows[i][3] != rows[j][3]
        and (not by or rows[i][1] != rows[j][1])
        and likeness(bags[i], bags[j], weights) >= limit - 1e-9
    ]
    # Rows of one bag and one answer go together.
    linked = {place: {place} for pair in at_odds for place in pair}
    for i, j in [*at_odds, *(p for p in itertools.combinations(sorted(linked), 2) if kind[p[0]] == kind[p[1]])]:
        whole = linked[i] | linked[j]
        for place in whole:
            linked[place] = whole
    return {frozenset(places) for places in linked.values()}


@pytest.mark.parametrize("by", [None, "supplier"])
@pytest.mark.parametrize("seed", range(8))
def test_the_findings_are_those_that_a_comparison_of_all_rows_finds(tmp_path, by, seed):
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS[:8], k=rng.randint(2, 5))) for _ in range(30)]
    # Of many texts a kind has rows of a single group.
    rows = [
        (
            rng.choice(texts),
            rng.choice("AB" if seed % 2 else "ABC"),
            round(rng.lognormvariate(5, 2), 2),
            rng.choice(["BPO", "KPO", "KPO"]),
        )
        for _ in range(60)
    ]
    result = check_consistency(scored(tmp_path, rows), by=by, weight_column="spend")
    found = [[row.row - 2 for row in (*finding.rows, *finding.more)] for finding in result.findings]
    assert {frozenset(places) for places in found} == all_pairs(rows, by, LIKE) != set()
    for finding, places in zip(result.findings, found, strict=True):
        amounts = pd.DataFrame([rows[i] for i in places]).groupby(3)[2].agg(["sum", "size"])
        modes = amounts.index[amounts["size"] == amounts["size"].max()]
        assert finding.usual == (modes[0] if len(modes) == 1 else "")
        assert finding.amount == pytest.approx(amounts["sum"].sum())
        assert finding.at_odds == pytest.approx(amounts["sum"].drop(finding.usual, errors="ignore").sum())
        assert sorted(row.label for row in finding.rows) == sorted(amounts.index)
    at_odds = [finding.at_odds for finding in result.findings]
    assert at_odds == sorted(at_odds, reverse=True)


@pytest.mark.parametrize("name", ["scored.csv", "scored.xlsx"])
def test_the_rows_stand_side_by_side_and_the_most_money_first(tmp_path, name):
    result = check_consistency(scored(tmp_path, LOGO, name=name), by="supplier", weight_column="spend")
    (finding,) = result.findings
    assert [(row.row, row.group, row.label, row.amount) for row in finding.rows] == [
        (2, "Acme", "BPO", 1200.5),
        (3, "Bolt", "KPO", 300.0),
    ]
    assert [row.row for row in finding.more] == [6]
    assert (finding.usual, finding.at_odds, finding.likeness) == ("BPO", 300.0, 1.0)
    assert (result.n, result.n_groups, result.n_at_odds, result.at_odds) == (6, 3, 3, 300.0)


def test_without_groups_rows_are_compared(tmp_path):
    result = check_consistency(scored(tmp_path, LOGO))
    assert [[row.row for row in finding.rows] for finding in result.findings] == [[4, 5], [2, 3]]
    assert result.findings[0].rows[0].group is None


def test_amounts_are_read_as_score_reads_them(tmp_path):
    cells = ["1.234,50", "n/a", "", "-5", "99,5", "7"]
    rows = [(*row[:2], cell, row[3]) for row, cell in zip(LOGO, cells, strict=True)]
    result = check_consistency(scored(tmp_path, rows), by="supplier", weight_column="spend")
    weighing = Weighing("spend")
    assert result.amount == pytest.approx(weighing.weights(cells).sum())
    assert result.weights == weighing.result()
    assert [row.amount for row in result.findings[0].rows] == [1234.5, 0.0]


def test_a_table_is_known_as_scored_by_the_columns_added_last():
    assert answers_in(["text", "label"]) is None
    assert answers_in(["text", "label", "decision", "outsort_model"]) is None
    twice = [*("label", "decision", "model"), *("again_label", "again_decision", "again_model")]
    assert answers_in(twice) == ("again_label", "again_decision")


def test_the_command_prints_or_dumps_what_it_finds(outsort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = scored(tmp_path, LOGO).name
    shown = outsort("check", path, "--by", "supplier", "--weight-column", "spend")
    assert shown.code == 0
    assert shown.err == f"{path}: text column 'description', label column 'label', 6 rows\n"
    assert [line.rstrip() for line in shown.out.splitlines() if line.strip()] == [
        f"{path}: 6 answers across 3 values of 'supplier'; 1 finding of like work with different answers",
        "3 rows; at odds with the usual answer are 300 of 1,682",
        " row   supplier   label   decision   spend   text",
        " " + "─" * 68,
        "   2   Acme       BPO     accept     1,200   Logo design for a bakery",
        "   3   Bolt       KPO     accept       300   design of bakery logos",
        " " * 45 + "and 1 more BPO",
    ]
    strict = outsort("check", path, "--by", "supplier", "--json", "--strict")
    assert strict.code == 3
    assert strict.err.splitlines()[-1] == f"outsort: {path}: like work has different answers: 1 finding"
    found = json.loads(strict.out)
    assert [row["row"] for row in found["findings"][0]["rows"]] == [2, 3]
    consistent = scored(tmp_path, LOGO[2:3], name="one.csv")
    assert outsort("check", consistent, "--by", "supplier", "--strict").code == 0


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_figure_and_no_text_is_cut_on_a_narrow_terminal(tmp_path, width):
    rows = [
        ("Explainer video scripts for an insurer of bicycles " + end, *rest)
        for end, (_, *rest) in zip("ab", LOGO, strict=False)
    ]
    result = check_consistency(scored(tmp_path, rows), by="supplier", weight_column="spend")
    console = Console(file=io.StringIO(), width=width)
    for item in consistency_tables(result, 5):
        console.print(item)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    assert "…" not in told
    for finding in result.findings:
        for row in finding.rows:
            assert row.text in told
            assert all(f"{figure} " in told for figure in (row.group, row.label, f"{row.amount:,.0f}"))
    assert ("row 2 · Acme · BPO · accept · 1,200" in told) is (width < 100)


def test_more_findings_than_are_shown_are_counted(tmp_path):
    result = check_consistency(scored(tmp_path, LOGO))
    assert list(consistency_tables(result, 0))[-1] == "and 2 more: see --show and --json"


def test_what_does_not_fit_a_scored_table_is_refused(outsort, tmp_path, csv_file):
    path = scored(tmp_path, LOGO)
    assert "is for labelled data" in outsort("check", path, "--guide", csv_file).err
    assert (
        "cannot be combined with --label-column" in outsort("check", path, "--by", "x", "--label-column", "label").err
    )
    done = outsort("check", csv_file, "--by", "service_line")
    assert (done.code, "has no answers to compare" in done.err) == (1, True)
    with pytest.raises(DataError, match="no column 'vendor'; it has 'description', 'supplier'"):
        check_consistency(path, by="vendor")
    labelled = outsort("check", path, "--label-column", "label")
    assert (labelled.code, "exact duplicates" in labelled.out) == (0, True)
