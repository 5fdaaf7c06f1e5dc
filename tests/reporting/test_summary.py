"""The summary of scored tables on a terminal, as JSON and as a page: the same figures in each."""

import csv
import io
import json
import re

import pytest
from rich.console import Console

from models import random_model
from outsort.model_file import save
from outsort.reporting import summary as page
from outsort.reporting.terminal import summary_tables
from outsort.scoring.files import Options, score_file
from outsort.scoring.summary import SummaryTally
from pages import Page, flat

ROWS = [
    ("key invoices into sap", "1,000.50", "Acme <b>"),
    ("draft a contract", "£20", "Bolt & Co"),
    ("clean the office", "", ""),
    ("<script>alert(1)</script>", "3", "Acme <b>"),
    ("zzz qqq", "n/a", "Bolt & Co"),
    ("zzz qqq", "-5", "Bolt & Co"),
    ("Total", "1,018.50", ""),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["task", "spend", "supplier"], *ROWS])
    return path


@pytest.fixture(scope="module")
def small(model, tmp_path_factory):
    """The file of a small model."""
    path = tmp_path_factory.mktemp("model") / "small.joblib"
    save(model, path)
    return path


@pytest.fixture(scope="module")
def summary(source, model, tmp_path_factory):
    tally = SummaryTally(model, weight_column="spend", by="supplier")
    score_file(source, tmp_path_factory.mktemp("out") / "out.csv", model, summary=tally)
    return tally.result()


@pytest.fixture(scope="module")
def html(summary):
    return page.render(summary)


def test_the_page_fetches_nothing_and_shows_texts_as_they_are(html):
    found = Page(html)
    assert not re.search(r"@import|url\((?!#)", html)
    assert {tag for tag, _ in found.tags} & {"script", "link", "iframe", "img"} == set()
    assert "<script>alert(1)</script>" in found.text
    assert "Acme <b>" in found.text
    assert len(found.ids) == len(set(found.ids))


def test_every_figure_of_the_page_is_that_of_the_json(html, summary):
    wanted = flat(summary.to_dict())
    found = Page(html).figures
    assert found.keys() <= wanted.keys()
    for path, values in found.items():
        assert values == {wanted[path]}, path
    for part in (
        "labels/0/interval/0",
        "decisions/1/labels/2/weight",
        "by/groups/0/labels/KPO",
        "deciding/0/at_stake",
        "not_work/0/weight",
    ):
        assert part in found


def test_every_table_keeps_its_caption_whole_beside_what_scrolls(html):
    assert "<figcaption>Rows that are no work: they count in none of the other figures</figcaption>" in html
    assert "<caption>" not in html


def test_the_verdict_says_what_was_left_out(summary):
    text = " ".join(page.verdict(summary))
    assert text.startswith("spend 1,024 in 6 rows. By label, with 95% confidence: BPO ")
    assert "In 'spend' 1 row has no value: counted as 0." in text
    assert "In 'spend' 1 row has something that is not a number, such as 'n/a': counted as 0." in text
    assert "In 'spend' 1 row has a value below 0 (-5.00 in all): counted as 0." in text
    assert "saving" not in text


def test_a_summary_without_rows_weights_or_groups_is_a_page(model, tmp_path):
    for content in ("task\n", "task\nkey invoices\n"):
        (tmp_path / "in.csv").write_text(content)
        tally = SummaryTally(model)
        score_file(tmp_path / "in.csv", tmp_path / "out.csv", model, summary=tally, force=True)
        assert Page(page.render(tally.result())).figures["rows"] == {content.count("\n") - 1}


def test_a_table_of_nothing_but_totals_is_not_said_to_have_no_rows(model, tmp_path):
    (tmp_path / "in.csv").write_text("task,spend\nTotal,5\nTotal,6\n")
    tally = SummaryTally(model)
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model, summary=tally)
    assert page.verdict(tally.result()) == ["The table has no rows of work."]


@pytest.mark.slow
def test_many_labels_are_a_page(tmp_path):
    odd = random_model(9, with_out_of_scope=True, lines_per_label=1)
    (tmp_path / "in.csv").write_text("task,g\nkey invoices,a\ndraft contract,b\n")
    tally = SummaryTally(odd, by="g")
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", odd, summary=tally, options=Options(text_columns=["task"]))
    assert all(f"label {i:02}" in Page(page.render(tally.result())).text for i in range(9))
    assert {of.colour for of in page.segments({str(i): 1.0 for i in range(20)})} == set(range(page.N_COLOURS))


def test_the_terminal_has_the_same_figures(summary):
    shown = io.StringIO()
    console = Console(file=shown, width=130)
    for item in summary_tables(summary):
        console.print(item)
    text = shown.getvalue()
    for of in (*summary.labels, *summary.decisions):
        assert re.search(rf"{of.name} +{of.rows} +{of.weight:,.0f} ", text)
    assert re.search(r"not a row of work \(a total\) +1 +1,018 +\n", text)
    assert "Acme <b>" in text
    assert "counted as 0" in text
    assert "expected: every row counts for each label by its probability" in text
    assert re.search(
        r"threshold is not certified: answers are accepted from probability\s+0.7, without a\s+promise", text
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_terminal_is_too_narrow_for_the_figures(summary, width):
    shown = io.StringIO()
    console = Console(file=shown, width=width)
    for item in summary_tables(summary):
        console.print(item)
    figures = re.findall(r"[\d,.]+", shown.getvalue())
    assert "…" not in shown.getvalue()
    for of in (*summary.labels, *summary.decisions, *summary.service_lines[:5], *summary.by.groups[:5]):
        assert {f"{of.rows:,}", f"{of.weight:,.0f}"} <= set(figures)


@pytest.mark.slow
def test_on_a_phone_only_the_table_of_groups_scrolls(browser, model, tmp_path):
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        spent = [(text, f"{234_567 * (i + 1):,}", supplier) for i, (text, _, supplier) in enumerate(ROWS[:-1])]
        csv.writer(file).writerows([["task", "annual spend", "supplier"], *spent])
    tally = SummaryTally(model, weight_column="annual spend", by="supplier")
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", model, summary=tally)
    shown = browser.new_page(viewport={"width": 360, "height": 800})
    shown.set_content(page.render(tally.result()))
    scrolled = shown.evaluate(
        """() => [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth)
            .map(e => e.getAttribute("aria-label"))"""
    )
    shown.close()
    assert [name.partition(",")[0] for name in scrolled] == ["Largest first"]


class TestCommand:
    def test_json_is_the_summary_and_stderr_has_no_tables(self, outsort, source, small, tmp_path, summary):
        options = ("--weight-column", "spend", "--by", "supplier", "--json")
        done = outsort("score", source, "-o", tmp_path / "o.csv", "-m", small, *options)
        assert json.loads(done.out) == summary.to_dict()
        assert done.err == f"{source}: text column 'task', 7 rows\n{tmp_path}/o.csv: 7 rows\n"

    def test_a_pipe_gets_a_summary_only_if_it_asks_for_one(self, outsort, source, small, tmp_path):
        done = outsort("score", source, "-o", tmp_path / "o.csv", "-m", small)
        assert (done.out, done.err) == ("", f"{source}: text column 'task', 7 rows\n{tmp_path}/o.csv: 7 rows\n")
        done = outsort("score", source, "-o", "-", "-m", small, "--weight-column", "spend")
        assert done.out.replace("\r\n", "\n") == (tmp_path / "o.csv").read_text()
        assert "95% interval" in done.err

    def test_json_and_rows_cannot_both_be_stdout(self, outsort, source, small):
        done = outsort("score", source, "-o", "-", "-m", small, "--json")
        assert (done.code, done.out) == (2, "")
        assert "cannot be combined with -o -" in done.err

    def test_a_report_in_the_way_stops_the_run_before_it_begins(self, outsort, source, small, tmp_path):
        (tmp_path / "r.html").write_text("mine")
        run = ("score", source, "-o", tmp_path / "o.csv", "-m", small, "--report", tmp_path / "r.html")
        assert "r.html: already exists" in outsort(*run).err
        assert not (tmp_path / "o.csv").exists()
        assert f"{tmp_path / 'r.html'}: report written\n" in outsort(*run, "--force").err
        assert Page((tmp_path / "r.html").read_text()).figures["rows"] == {6}

    def test_a_folder_has_one_summary_of_all_its_outputs(self, outsort, source, small, tmp_path):
        (tmp_path / "more.csv").write_text("task,spend\nkey invoices,7\n")
        run = (
            "score",
            source,
            tmp_path / "more.csv",
            "-o",
            f"{tmp_path}/out/",
            "-m",
            small,
            "--weight-column",
            "spend",
        )
        found = json.loads(outsort(*run, "--json").out)
        assert (found["rows"], found["weight"]) == (7, 1030.5)
        assert found["sources"] == [str(source), f"{tmp_path}/more.csv"]
        (tmp_path / "out" / "more.csv").unlink()
        done = outsort(*run, "--json", "--resume")
        assert json.loads(done.out)["rows"] == 1
        assert "summary: of the outputs written now" in done.err

    def test_a_cluster_has_none(self, outsort, source, small, tmp_path):
        done = outsort("score", source, "-o", f"{tmp_path}/", "-m", small, "--cluster", "local:1", "--json")
        assert done.code == 2
        assert "cannot be combined with --cluster" in done.err
