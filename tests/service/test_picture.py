"""The picture of the file on the page: what it counts, filters, sorts and groups."""

import csv
import io
import json

import pytest

import outsort
from browsing import corrections, downloaded, drop, expect, opened, records, row
from outsort.data.amounts import amounts, decimal_mark
from outsort.decision import LOW_CONFIDENCE, threshold_of
from outsort.model_file import save
from outsort.service.settings import ServiceSettings
from serving import serving

pytestmark = pytest.mark.slow

TEXTS = [
    "key invoices into sap", "zzz", "draft a contract", "key invoices into sap", "mop office floors",
    "tune a vision model", "key invoices into sap", "review contract clauses", "translate into", "clean the office",
]  # fmt: skip
SPEND = ["£1,000.50", "20", "", "300", "(5)", "1,234,567", "10", "0", "99.5", "7"]


#: The state of a row that is none of work.
NO_WORK = "not a row of work (a {})"


@pytest.fixture
def page(browser, client):
    """A page that fails the test if it logs to the console or sends a request elsewhere."""
    yield from opened(browser, client)


def spend_file():
    file = io.StringIO(newline="")
    rows = [[f"L{i}", text, spend] for i, (text, spend) in enumerate(zip(TEXTS, SPEND, strict=True))]
    csv.writer(file).writerows([["lot", "description", "spend"], *rows])
    return file.getvalue().encode()


def dropped(page):
    drop(page, "spend.csv", spend_file())
    expect(page.get_by_role("status")).to_contain_text("10 texts sorted")


def listed(page):
    """Return the texts in the list, from the top."""
    n = page.locator("#list [role=option]:visible").count()
    return [row(page, place).locator(".words").text_content().split("× ")[-1] for place in range(n)]


def of_picture(page):
    """Return the figures by label, and of what is to review."""
    rows = page.locator("#by-label tbody tr").all()
    return {row.locator("th").text_content(): row.locator("td.n").first.text_content() for row in rows}


def test_rows_and_spend_are_counted_by_label_and_to_review(page, model):
    dropped(page)
    answers = outsort.predict(TEXTS, model)
    weights = [number if number > 0 else 0 for number in amounts(SPEND)]

    def expected(weights, write):
        of = {
            label: sum(w for w, a in zip(weights, answers, strict=True) if a.label == label) for label in model.labels
        }
        of["to review"] = sum(w for w, a in zip(weights, answers, strict=True) if a.decision == "review")
        return {label: write(n) for label, n in of.items()}

    assert of_picture(page) == expected([1] * 10, str)
    page.select_option("#measure", "spend")
    expect(page.locator("#measured")).to_have_text("3 cells without an amount above 0 count as 0.")
    assert of_picture(page) == expected(weights, lambda n: f"{n / 1e6:.1f}m" if n >= 10_000 else f"{round(n):,}")
    # A person's label counts in place of the model's.
    page.focus("#list")
    page.keyboard.press("k")
    answers = [a if a.text != TEXTS[0] else outsort.predict(TEXTS[2], model) for a in answers]
    assert of_picture(page)["KPO"] == expected(weights, lambda n: f"{n / 1e6:.1f}m")["KPO"]


def test_totals_and_notes_count_as_little_as_in_the_summary_of_score(page, model, tmp_path, outsort):
    rows = [*zip(TEXTS, SPEND, strict=True), ("", "40"), ("", "50")]
    rows = [[f"L{i}", *row] for i, row in enumerate(rows)]
    rows += [["Total", "", "1,236,094"], ["Source: ledger", "", ""]]
    path = tmp_path / "spend.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["lot", "description", "spend"], *rows])
    save(model, tmp_path / "m.joblib")
    run = ("score", path, "-o", tmp_path / "o.csv", "-m", tmp_path / "m.joblib", "--weight-column", "spend", "--json")
    summary = json.loads(outsort(*run).out)
    assert {of["name"] for of in summary["not_work"]} == {NO_WORK.format("total"), NO_WORK.format("note")}
    review = next(of for of in summary["decisions"] if of["name"] == "to review")
    lines = {of["name"] for of in summary["service_lines"]}

    drop(page, path.name, path.read_bytes())
    expect(page.locator("#measured")).to_have_text("2 rows are not work (a total, a note).")
    assert of_picture(page) == {of["name"]: str(of["rows"]) for of in [*summary["labels"], review]}
    for kind, n in (("all", len(rows)), ("review", review["rows"])):
        expect(page.locator(f"[name=show][value={kind}] + span b")).to_have_text(str(n))
    n_accepted = summary["rows"] - review["rows"]
    expect(page.locator("#promise")).to_contain_text(f"{n_accepted / summary['rows']:.0%} of the rows ({n_accepted})")
    # Blank rows of work are one text; the total and the note stand for themselves, at the end.
    page.select_option("#order", "unsure")
    n = page.locator("#list [role=option]:visible").count()
    assert n == len(set(TEXTS)) + 3
    for place, kind in ((n - 2, "total"), (n - 1, "note")):
        expect(row(page, place).locator(".state")).to_have_text(NO_WORK.format(kind))
        expect(row(page, place).locator(".prediction")).to_have_text("")
        expect(row(page, place).locator(".quick")).to_be_hidden()
    page.focus("#list")
    page.keyboard.press("End")
    page.keyboard.press("k")
    expect(page.get_by_role("status")).to_have_text(f"There is nothing to correct: {NO_WORK.format('note')}.")
    assert page.locator("#these").text_content() == "Correct label"

    page.set_viewport_size({"width": 1200, "height": 900})
    page.select_option("#measure", "spend")
    expect(page.locator("#measured")).to_contain_text(
        "(a total, a note). 3 cells without an amount above 0 count as 0."
    )
    written = {of["name"]: of["weight"] for of in [*summary["labels"], review]}
    assert of_picture(page) == {name: f"{n / 1e6:.1f}m" if n >= 10_000 else f"{n:,.0f}" for name, n in written.items()}
    assert page.locator("#lines button").count() == len(lines)
    none = next(of["weight"] for of in summary["service_lines"] if of["name"] == "none")
    expect(page.get_by_role("button", name=f"no service line {none:.0f}")).to_have_count(1)
    page.select_option("#order", "amount")
    expect(row(page, 0).locator(".words")).to_have_text(TEXTS[5])
    expect(row(page, n - 2).locator(".state")).to_have_text(NO_WORK.format("total"))
    page.locator("label", has=page.locator("[name=show][value=review]")).click()
    assert page.locator("#list .row.no-work:visible").count() == 0
    # The last line of the table is seen whole.
    assert page.evaluate(
        """() => {
            const table = document.querySelector("#by-label").getBoundingClientRect();
            const last = document.querySelector("#by-label tr:last-child").getBoundingClientRect();
            const panel = document.querySelector("#by-label").closest(".card").getBoundingClientRect();
            const note = document.querySelector("#measured").getBoundingClientRect();
            return last.bottom <= table.bottom + 0.5 && note.bottom <= panel.bottom;
        }"""
    )


def test_amounts_are_read_as_the_library_reads_them(page):
    columns = [
        ["£1,234.50", "(12)", "1.234.567,5 EUR", "1 500", "n/a", "", "-7", "12-", "500,-", "US$ 9", "1e3", "1_000"],
        [".5", ",5"], ["1.234", "99,50", "1.000", "-1.234"], ["1.234", "99.50", "1,000"],
        ["1,234", "2,345"], ["1.234", "2.345"],
        ["12,34,567.00", "1’234.50", "1,2,3", "5%", "(5", "nan", "inf", "2026-01-02", "kr. 5", "Rs.12", "+4", "0,500"],
    ]  # fmt: skip
    for cells in columns:
        found = page.evaluate("async (cells) => [...(await import('/amounts.js')).amounts(cells)].map(String)", cells)
        # No number is infinite there.
        expected = [
            "NaN" if n != n or n in (float("inf"), -float("inf")) else n for n in amounts(cells, decimal_mark(cells))
        ]
        assert [n if n == "NaN" else float(n) for n in found] == expected, cells


def test_codes_and_running_numbers_are_not_offered_as_amounts(page):
    rows = [f"{i:04},{i + 7},{5 * i},{text}\n" for i, text in enumerate(TEXTS, 1)]
    drop(page, "register.csv", "".join(["ref,no,spend,description\n", *rows]).encode())
    expect(page.get_by_role("status")).to_contain_text("10 texts sorted")
    assert page.locator("#measure option").all_text_contents() == ["rows", "spend"]


def test_the_threshold_is_moved_and_says_what_it_would_accept(page, model):
    dropped(page)
    answers = outsort.predict(TEXTS, model)
    slider = page.get_by_role("slider", name="Minimum confidence to accept")

    def said(threshold):
        accepted = [a for a in answers if a.reason in ("", LOW_CONFIDENCE) and a.probability >= threshold]
        right = sum(a.probability for a in accepted) / len(accepted)
        return (
            f"At {threshold:.1%} or more, the model accepts {len(accepted) / 10:.0%} of the rows ({len(accepted)}) "
            f"and estimates that {'>99%' if right > 0.995 else f'{right:.0%}'} of them are right."
        ), len(accepted)

    text, n_accepted = said(threshold_of(model))
    promised = f"{text} No precision of accepted answers is certified for this model."
    expect(page.locator("#promise")).to_have_text(promised)
    expect(page.locator("[name=show][value=review] + span b")).to_have_text(str(10 - n_accepted))
    counts = {n_accepted}
    for threshold in (0.98, 0.995):
        slider.fill(str(threshold))
        text, n_accepted = said(threshold)
        counts.add(n_accepted)
        expect(page.locator("#promise")).to_contain_text(text)
        expect(page.locator("[name=show][value=review] + span b")).to_have_text(str(10 - n_accepted))
    assert len(counts) > 1
    # By keys, and back.
    slider.press("ArrowLeft")
    expect(slider).to_have_value("0.99")
    page.get_by_role("button", name="Back to").click()
    expect(page.locator("#promise")).to_have_text(promised)
    expect(page.locator("#reset-threshold")).to_be_hidden()


def test_a_rule_is_named_and_no_threshold_sends_its_rows_to_review(browser, model, tmp_path):
    (tmp_path / "rules.csv").write_text("name,words,label\nno floors,mop,KPO\n", encoding="utf-8")
    answer = outsort.predict(TEXTS[4], model)
    assert answer.label != "KPO"
    with serving(model, rules=outsort.load_rules(tmp_path / "rules.csv", model)) as client:
        for page in opened(browser, client):
            dropped(page)
            page.get_by_role("slider", name="Minimum confidence to accept").fill("1")
            ruled = page.locator(".row", has_text=TEXTS[4])
            expect(ruled.locator(".state")).to_have_text("accepted")
            expect(ruled.locator("data")).to_have_text("by rule")
            ruled.click()
            said = page.locator("#why").inner_text()
            assert "no floors" in said
            assert f"The model would say\n{answer.label}" in said


def test_a_bar_filters_the_list_and_the_search_says_how_many_it_finds(page, model):
    dropped(page)
    page.uncheck("#grouped")
    lines = [answer.service_line for answer in outsort.predict(TEXTS, model)]
    n = lines.count("data_entry")
    bar = page.get_by_role("button", name=f"data entry {n}")
    bar.press("Enter")
    expect(bar).to_have_attribute("aria-pressed", "true")
    assert listed(page) == [text for text, line in zip(TEXTS, lines, strict=True) if line == "data_entry"]
    expect(page.locator("#hits")).to_have_text(f"{n} of 10 rows, data entry")
    bar.click()
    assert listed(page) == TEXTS
    page.fill("#find", "CONTRACT")
    expect(page.locator("#hits")).to_have_text("2 of 10 rows with “contract”")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#hits")).to_have_text("10 rows")


def test_rows_are_sorted_by_confidence_spend_and_line(page, model):
    dropped(page)
    page.uncheck("#grouped")
    answers = outsort.predict(TEXTS, model)
    page.select_option("#measure", "spend")
    weights = [number if number > 0 else 0 for number in amounts(SPEND)]
    orders = {
        "unsure": lambda i: answers[i].probability,
        "sure": lambda i: -answers[i].probability,
        "amount": lambda i: -weights[i],
        "line": lambda i: f"{answers[i].label} {answers[i].service_line}",
    }
    for name, key in orders.items():
        page.select_option("#order", name)
        assert listed(page) == [TEXTS[i] for i in sorted(range(10), key=key)], name
    page.select_option("#order", "file")
    assert listed(page) == TEXTS


def test_equal_texts_are_one_row_and_one_correction(page):
    dropped(page)
    assert listed(page) == list(dict.fromkeys(TEXTS))
    expect(page.locator("#hits")).to_have_text("8 texts in 10 rows")
    expect(row(page, 0).locator(".times")).to_have_text("3×")
    group = page.get_by_role("group", name="All 3 of these are")
    group.get_by_role("button", name="KPO").click()
    expect(page.get_by_role("status")).to_have_text("KPO, corrected, all 3 of these. 1 correction.")
    (made,) = corrections(page)
    assert (made["text"], made["label"]) == (TEXTS[0], "KPO")
    scored = records(downloaded(page, "#download")[1])
    assert [i for i, answer in enumerate(scored) if answer["model_label"]] == [0, 3, 6]
    page.uncheck("#grouped")
    assert listed(page) == TEXTS


def test_other_columns_are_shown_on_request(page):
    dropped(page)
    page.uncheck("#grouped")
    row(page, 4).click()
    page.click("#columns-shown summary")
    page.get_by_role("checkbox", name="lot").check()
    expect(row(page, 3).locator(".cells")).to_have_text("L3")
    expect(row(page, 4)).to_have_attribute("aria-selected", "true")
    page.get_by_role("checkbox", name="spend").check()
    expect(row(page, 0).locator(".cells")).to_have_text("L0 · £1,000.50")
    expect(page.locator("#why dd").first).to_have_text("L4")
    page.get_by_role("checkbox", name="lot").uncheck()
    expect(row(page, 0).locator(".cells")).to_have_text("£1,000.50")


def test_the_first_visit_says_what_the_labels_mean_and_has_an_example(page):
    for definition in ("follows a procedure", "needs expertise and judgement", "Out of scope"):
        expect(page.locator("#definitions")).to_contain_text(definition)
    page.get_by_role("button", name="Try an example").click()
    expect(page.locator("#source")).to_have_text("example.csv")
    page.select_option("#measure", "spend")
    expect(page.locator("#counted")).to_have_text("spend")
    page.click("#again")
    expect(page.locator("#welcome")).to_be_hidden()


def test_three_hundred_thousand_rows_show_their_progress_are_all_counted_and_can_be_cancelled(browser, model, tmp_path):
    n = 300_001
    lines = (f"{TEXTS[i % 10]} {i},{i % 7}\n" for i in range(n))
    (tmp_path / "big.csv").write_text("description,spend\n" + "".join(lines))
    with serving(model, ServiceSettings(answer_seconds=600)) as client:
        for page in opened(browser, client):
            page.set_input_files("#file", tmp_path / "big.csv")
            expect(page.locator("#done-rows")).to_contain_text("rows")
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_role("status")).to_have_text("Cancelled.")
            expect(page.locator("#progress")).to_be_hidden()
            expect(page.locator("#results")).to_be_hidden()

            page.set_input_files("#file", tmp_path / "big.csv")
            expect(page.get_by_role("status")).to_contain_text("300,001 texts sorted")
            expect(page.locator("[name=show][value=all] + span b")).to_have_text("300,001")
            page.select_option("#measure", "spend")
            expect(page.locator("#counted")).to_have_text("spend")
            page.focus("#list")
            page.keyboard.press("End")
            expect(page.locator(f"#row-{n - 1} .words")).to_have_text(f"{TEXTS[0]} {n - 1}")
