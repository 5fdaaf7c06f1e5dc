"""Split documents as pages: the figures of the table, the text of the document, and a click that corrects."""

import base64
import hashlib
import html as markup
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import documents
from outsort.mixture import mixture
from outsort.model_file import save
from outsort.prediction import default_model, predict
from outsort.reporting import document as page
from outsort.reporting import summary
from outsort.reporting.captions import percent
from outsort.scoring.documents import DocumentsTally
from outsort.scoring.files import Options, score_file
from outsort.scoring.summary import SummaryTally
from pages import LOW_CONTRAST, Page
from serving import PATIENCE

EVIL = "Key <img src=x onerror=document.title=1> invoices into SAP & <b>file</b> \"them\" 'daily'"
SCOPE = f"""# Keying of invoices

1.1 Key supplier invoices into SAP. Payment is due within 30 days. Match them with purchase orders.

- {markup.escape(EVIL)}
- Draft legal opinions on contracts

| Service | Volume |
|---|---|
| Payroll processing for all employees | 4,200 a month |

# Legal research

Research case law on public procurement. Prepare memoranda on employment law for the board. Advise it on tax law.
Review contracts and draft opinions on disputes.

# General

Time is of the essence. This agreement is governed by the laws of England. Neither party may assign it.
"""


class Clauses(HTMLParser):
    """The clauses of a page, each with its text and what is told of it."""

    def __init__(self, html):
        super().__init__()
        self.found, self._open = [], 0
        self.feed(html)

    def handle_starttag(self, _tag, attrs):
        attrs = dict(attrs)
        names = attrs.get("class", "").split()
        # Those of the legend have an answer and no reason for it.
        if self._open:
            self._open += 1
        elif "data-why" in attrs or names == ["clause"]:
            self._open = 1
            self.found.append(["", attrs.get("data-why", "").split("\t"), names])

    def handle_endtag(self, _tag):
        self._open = max(self._open - 1, 0)

    def handle_data(self, data):
        if self._open:
            self.found[-1][0] += data


def tallied(paths, folder, model, **options):
    """Return the documents of some files, and the table of their clauses."""
    tally = SummaryTally(model, documents=DocumentsTally(model, **options))
    split = Options(split=True)
    score_file(paths, folder / "out.csv", model, options=split, summary=tally, force=True, tell=lambda _: None)
    table = pd.read_csv(folder / "out.csv", keep_default_na=False)
    return tally.documents.result(), table, tally.result()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "scope.md"
    path.write_text(SCOPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(source):
    return tallied(source, source.parent, default_model())


@pytest.fixture(scope="module")
def html(found):
    return page.render(found[0], default_model())


def test_shares_as_a_whole_and_by_heading_are_those_of_the_clauses_with_a_weight(found):
    ((document,), table, _) = found
    model = default_model()
    work = table[table["weight"] > 0]
    assert 0 < len(work) < len(table)

    def expected(rows):
        proba = rows[[f"p_{label}" for label in model.labels]].to_numpy()
        weight, words = rows["weight"].to_numpy(), rows["words"].to_numpy().astype(float)
        made = mixture(proba, weight, words, model.prior, model.n_in_scope)
        return pytest.approx([*made.shares, made.margin, weight @ words])

    def shown(made):
        return [*made.shares.values(), made.margin, made.words]

    assert shown(document.whole) == expected(work)
    by_heading = dict(list(work.groupby("heading", sort=False)))
    assert [made.name for made in document.headings] == list(by_heading)
    assert len(by_heading) > 1
    for made in document.headings:
        assert shown(made) == expected(by_heading[made.name])


def test_the_page_has_every_clause_in_order_and_why(found, html):
    (_, table, _) = found
    clauses = Clauses(html).found
    assert [text for text, _, _ in clauses] == table["text"].tolist()
    labels = default_model().labels
    for (text, why, names), row in zip(clauses, table.to_dict("records"), strict=True):
        if row["kind"] == "heading":
            assert why == [""]
            continue
        key, weight, proba, line, reason, terms_for, against = why
        assert (key, line, reason) == (row["key"], row["service_line"], row["reason"])
        assert float(weight) == pytest.approx(row["weight"], abs=0.05)
        ranked = sorted(labels, key=lambda label, row=row: -row[f"p_{label}"])
        assert [one.split(" ", 1)[1] for one in proba.split("; ")] == ranked
        assert [float(one.split(" ")[0]) for one in proba.split("; ")] == pytest.approx(
            [row[f"p_{label}"] for label in ranked], rel=1e-3
        )
        if row["weight"]:
            answer = predict(text)
            told = [", ".join(f"{t} {x:+.1f}" for t, x in terms) for terms in (answer.terms_for, answer.terms_against)]
            assert [terms_for, against] == told
            assert page.hue(row["label"], default_model()) in names
        else:
            assert (names, terms_for) == (["clause", "none"], "")


def test_text_is_never_markup_and_only_our_script_runs(html):
    found = Page(html)
    assert "<img src=x onerror=" in found.text
    assert {tag for tag, _ in found.tags} & {"img", "link", "iframe"} == set()
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not re.search(r"@import|url\((?!#)", html)
    (script,) = re.findall(r"<script type=\"module\">(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv"))
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert not any(name.startswith("on") or name == "style" for _, attrs in found.tags for name in attrs)
    assert len(found.ids) == len(set(found.ids))


def test_headings_items_rows_numbers_and_pages_are_what_they_were(tmp_path, model):
    lines = [(60, 700, 16, "*1 Scope of work"), (60, 660, 10, "Key invoices into the ledger.")]
    (tmp_path / "a.pdf").write_bytes(documents.pdf([lines, [(60, 700, 10, "Draft a contract for each site.")]]))
    ((document,), _, _) = tallied(tmp_path / "a.pdf", tmp_path, model)
    (section,) = page.sections(document)
    assert (section.name, section.heading.number, section.heading.page) == ("Scope of work", "1", 1)
    assert [(block.kind, block.passages[0].page) for block in section.blocks] == [("paragraph", 0), ("paragraph", 2)]


def test_items_and_rows_are_lists(html):
    assert re.search(r'<ul class="items">\s*<li><span class="clause [^>]*>Key &lt;img', html)
    assert re.search(r'<ul class="rows">\s*<li><span [^>]*>Service \| Volume', html)


def test_clauses_beyond_the_limit_are_told_and_count_in_the_shares(found, source, tmp_path):
    model = default_model()
    (all_, *_) = found
    (short, *_) = tallied(source, tmp_path, model, max_clauses=4)
    assert (len(short[0].clauses), short[0].whole, short[0].headings) == (4, all_[0].whole, all_[0].headings)
    n = all_[0].n_clauses
    assert f"The first 4 of its {n} clauses are shown; the shares are of all." in Page(page.render(short, model)).text


@pytest.mark.slow
def test_several_documents_are_listed_and_tables_are_passed_over(source, tmp_path, model):
    (tmp_path / "b.txt").write_text("Key invoices. Draft a contract.\n")
    (tmp_path / "c.csv").write_text("task\nKey invoices. File them.\n")
    (found, _, picture) = tallied([source, tmp_path / "b.txt", tmp_path / "c.csv"], tmp_path, model)
    assert [document.name for document in found] == ["scope.md", "b.txt"]
    html = summary.render(picture, found, model)
    assert [tag for tag, _ in Page(html).tags].count("article") == 2
    assert re.search(r'<a href="#d1"><bdi>b.txt</bdi></a>', html)
    assert len(Page(html).ids) == len(set(Page(html).ids))
    (none, _, picture) = tallied(tmp_path / "c.csv", tmp_path, model)
    assert none == []
    assert "<script" not in summary.render(picture, none, model)


def test_a_document_without_work_says_so(tmp_path):
    (tmp_path / "a.txt").write_text("This agreement is governed by the laws of England.\n\nTime is of the essence.\n")
    (found, *_) = tallied(tmp_path / "a.txt", tmp_path, default_model())
    assert (found[0].whole, found[0].headings) == (None, [])
    assert "No clause says what the work is." in page.render(found, default_model())


def test_a_folder_of_outputs_has_one_page_of_all(source, outsort, model, tmp_path):
    save(model, tmp_path / "m")
    (tmp_path / "b.txt").write_text("Key invoices. Draft a contract.\n")
    run = (
        "score",
        source,
        tmp_path / "b.txt",
        "-o",
        f"{tmp_path}/out/",
        "-m",
        tmp_path / "m",
        "--split",
        "--to",
        "csv",
    )
    assert outsort(*run, "--report", tmp_path / "p.html").code == 0
    assert [tag for tag, _ in Page((tmp_path / "p.html").read_text()).tags].count("article") == 2


def test_the_bar_adds_up(found):
    ((document,), _, _) = found
    bars = list(page.bars(document.whole, default_model()))
    np.testing.assert_allclose(
        [bar.width for bar in bars], [100 * share for share in document.whole.shares.values()], atol=0.01
    )
    assert bars[-1].start + bars[-1].width == pytest.approx(100, abs=0.05)


@pytest.fixture(scope="module")
def report(found, source):
    """The page of `score --report`, with the summary below the document, and the document."""
    (shown, _, picture) = found
    path = source.parent / "page.html"
    summary.write(picture, path, force=False, documents=shown, model=default_model())
    return path, shown[0]


@pytest.mark.slow
class TestInABrowser:
    @pytest.fixture
    def opened(self, browser, report):
        """Open the page; whatever it says on the console fails the test."""
        contexts, messages = [], []

        def open_page(script="", **options):
            context = browser.new_context(accept_downloads=True, **options)
            context.set_default_timeout(1000 * PATIENCE)
            context.add_init_script(script)
            contexts.append(context)
            shown = context.new_page()
            shown.on("console", lambda message: messages.append(message.text))
            shown.on("pageerror", lambda error: messages.append(str(error)))
            shown.on(
                "request", lambda one: None if one.url.startswith(("file:", "blob:")) else messages.append(one.url)
            )
            shown.goto(report[0].as_uri())
            return shown

        yield open_page
        for context in contexts:
            context.close()
        assert messages == []

    def test_it_shows_the_shares_and_runs_nothing_of_the_text(self, opened, report):
        shown = opened()
        _, document = report
        for label, share in document.whole.shares.items():
            figure = shown.locator(f"data[data-label={label}]")
            assert float(figure.get_attribute("value")) == pytest.approx(share)
            assert figure.text_content() == percent(share, 0)
        assert shown.title().startswith("outsort summary: ")
        assert shown.locator(".text img").count() == 0
        assert "<img src=x onerror=" in shown.locator(".text").text_content()

    def test_click_and_keyboard_say_why_and_a_correction_is_merged(self, opened, report, outsort, tmp_path):
        shown = opened()
        _, document = report
        why = shown.get_by_role("region", name="Selected clause")
        shown.get_by_role("button", name="Draft legal opinions on contracts").click()
        answer = predict("Draft legal opinions on contracts")
        assert why.locator(".badge").text_content() == answer.label == "KPO"
        assert answer.terms_for[0][0] in why.locator("dl").text_content()
        shown.keyboard.press("Escape")
        assert why.is_hidden()

        # One stop for Tab; arrows move; Enter and Space open, and Escape goes back.
        assert shown.locator(".text [tabindex='0']").count() == 1
        shown.locator(".text [tabindex='0']").focus()
        shown.keyboard.press("ArrowUp")
        shown.keyboard.press("Enter")
        assert why.evaluate("e => e === document.activeElement")
        assert why.locator("blockquote").text_content() == EVIL
        shown.keyboard.press("Escape")
        assert shown.evaluate("document.activeElement.textContent") == EVIL
        assert shown.evaluate("document.activeElement.ariaDescription").startswith("BPO, ")
        shown.keyboard.press(" ")
        assert why.is_visible()

        why.get_by_label("Correct label").select_option("NEITHER")
        shown.get_by_role("button", name="This agreement is governed").click()
        assert "boilerplate" in why.locator("dl").text_content()
        shown.get_by_label("Your name").fill("A reviewer")
        with shown.expect_download() as download:
            shown.get_by_role("button", name="Download corrections").click()
        download.value.save_as(tmp_path / "c.csv")
        (made,) = pd.read_csv(tmp_path / "c.csv", keep_default_na=False).to_dict("records")
        (clause,) = (clause for clause in document.clauses if clause.of.text == EVIL)
        del made["decided_at"]
        assert made == {
            "key": clause.of.key, "text": EVIL, "model_label": "BPO", "label": "NEITHER", "service_line": "",
            "reviewer": "A reviewer",
        }  # fmt: skip
        merged = outsort("merge", tmp_path / "c.csv", "--into", tmp_path / "labelled.csv")
        assert merged.code == 0, merged.err
        landed = pd.read_csv(tmp_path / "labelled.csv", keep_default_na=False)
        assert landed[["text", "label", "reviewer"]].values.tolist() == [[EVIL, "NEITHER", "A reviewer"]]

        shown.reload()
        assert shown.locator("[data-corrected=NEITHER]").text_content() == EVIL
        shown.on("dialog", lambda dialog: dialog.accept())
        shown.get_by_role("button", name="Forget corrections").click()
        assert shown.locator("[data-corrected]").count() == 0
        assert shown.evaluate("localStorage.length") == 0

    def test_where_nothing_is_kept_it_says_so_and_goes_on(self, opened):
        blocked = (
            "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError'); }})"
        )
        shown = opened(blocked)
        shown.get_by_role("button", name="Draft legal opinions").click()
        shown.get_by_label("Correct label").select_option("BPO")
        assert shown.locator(".count").text_content() == "1 correction"
        assert "Not kept" in shown.locator(".kept").text_content()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1024, 1440])
    def test_it_fits_and_can_be_read(self, opened, scheme, width):
        shown = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
        shown.get_by_role("button", name="Draft legal opinions").click()
        shown.locator(".why select").select_option("BPO")
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate(LOW_CONTRAST) == []
        assert shown.locator(".why").bounding_box()["x"] >= 0

    def test_without_scripts_the_text_can_be_read(self, opened):
        shown = opened(java_script_enabled=False)
        assert "Draft legal opinions" in shown.locator(".text").text_content()
        assert shown.locator(".side").is_hidden()
        assert shown.locator("[role=button]").count() == 0
