"""The page in a real browser: paste, drop, review, correct, download."""

import gzip
import io
import json
import re
from functools import partial

import openpyxl
import pandas as pd
import pytest

import outsort
from browsing import (
    corrections,
    downloaded,
    drop,
    expect,
    expected_row,
    opened,
    paste,
    records,
    row,
    shown,
    sorted_file,
    state,
    tab,
    table,
    wait_until,
)  # fmt: skip
from conftest import ROWS
from outsort import model_file
from outsort.explanation import is_reason
from outsort.scoring import files
from outsort.scoring.corrections import CORRECTED
from outsort.scoring.documents import DocumentsTally
from outsort.scoring.summary import SummaryTally
from outsort.service.app import key_of
from outsort.service.settings import ServiceSettings
from outsort.training import folds, train
from pages import LOW_CONTRAST
from serving import serving

pytestmark = pytest.mark.slow

#: Text that is markup, a formula, of several bytes or units a character, or nothing.
ODD = [
    '<img src=x onerror="document.title=1"><script>document.title=2</script>',
    "=HYPERLINK(1) key invoices",
    "👷🏽 draft a contract, ﬁles façade",
    "zzz",
]


@pytest.fixture
def page(browser, client):
    """A page that fails the test if it, or another tab, logs to the console or sends a request elsewhere."""
    yield from opened(browser, client)


def test_the_answer_for_a_text_is_the_same_everywhere(page, client, model, outsort, tmp_path):
    from outsort import predict

    texts = [*ODD, "key invoices into sap", "review contract clauses", "mop office floors"]
    expected = [expected_row(p) for p in predict(texts, model)]

    model_file.save(model, tmp_path / "m.joblib")
    printed = outsort("predict", "-m", tmp_path / "m.joblib", "-f", "json", stdin="\n".join(texts).encode())
    by_command = json.loads(printed.out)

    (tmp_path / "t.csv").write_bytes(table(texts))
    files.score_file(tmp_path / "t.csv", tmp_path / "t.jsonl", model)
    by_file = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    for answer in by_file:
        answer["text"] = answer["description"]

    by_http = client.post("/predict", json={"texts": texts}).json()["answers"]

    for answers in (by_command, by_file, by_http):
        assert [
            (
                a["text"],
                a["label"],
                a["probability"],
                (a["service_line"] or "no service line").replace("_", " "),
                f"review: {a['reason']}" if a["decision"] == "review" else "accepted",
            )
            for a in answers
        ] == expected

    paste(page, texts)
    assert [shown(page, place) for place in range(len(texts))] == expected


def test_the_words_of_a_text_are_tinted_by_their_log_odds(page, model):
    text = ODD[2]
    paste(page, [text])
    expect(row(page, 0).locator(".t").first).to_be_visible()
    words = [
        (text[word.start : word.end], "for" if word.log_odds > 0 else "against", abs(word.log_odds))
        for word in outsort.explain(model, text).words
    ]
    expected = [
        (word, f"t {side} s{1 + sum(size >= least for least in (0.5, 1.5))}")
        for word, side, size in words
        if is_reason(word, size)
    ]
    assert expected
    for place in (row(page, 0), page.locator("#full")):
        tints = place.locator(".t")
        assert [(t.text_content(), t.get_attribute("class")) for t in tints.all()] == expected
    # Nothing is lost between the words.
    assert shown(page, 0)[0] == page.locator("#full").text_content() == text
    label = outsort.predict(text, model).label
    assert page.locator("#legend .t").all_text_contents() == [f"for {label}", f"against {label}"]
    expect(page.locator("#little")).to_be_hidden()


def test_a_clause_that_counts_little_is_faint(page, model):
    text = "Key invoices into SAP. " + "Mop office floors. " * 5 + "Thank you!"
    paste(page, [text])
    expect(page.locator("#full .little").first).to_be_visible()
    clauses = outsort.explain(model, text).clauses
    most = max(clause.share for clause in clauses)
    faint = [text[clause.start : clause.end] for clause in clauses if clause.share < most / 4]
    assert 0 < len(faint) < len(clauses)
    assert page.locator("#full .little").all_text_contents() == faint
    assert page.locator("#full").text_content() == text
    expect(page.locator("#little")).to_be_visible()


def test_markup_stays_text(page):
    paste(page, ODD)
    page.click("#row-0")
    expect(page.locator("#full")).to_have_text(ODD[0])
    assert page.title() == "outsort: BPO or KPO?"
    assert page.locator("main img, main script").count() == 0


def test_the_whole_box_can_be_one_text(page):
    page.check("#single")
    paste(page, ["Draft a contract", "", "and key the invoices"])
    assert shown(page, 0)[0] == "Draft a contract\n\nand key the invoices"
    assert page.locator("#list [role=option]:visible").count() == 1


def test_a_spreadsheet_is_dropped_reviewed_and_downloaded(page, model, tmp_path):
    texts = ["translate into", "zzz", 'qqq, "quoted"', "draft contract", "=1+1 yyy"]
    content = table(texts)
    (tmp_path / "t.csv").write_bytes(content)
    drop(page, "tenders.csv", content)
    expect(page.locator("#source")).to_have_text("tenders.csv")
    assert [shown(page, place) for place in range(5)] == [expected_row(p) for p in outsort.predict(texts, model)]

    page.get_by_role("radio", name="Review").check()
    assert [shown(page, place)[0] for place in range(3)] == [texts[1], texts[2], texts[4]]
    page.click("#row-0 .quick [data-to=KPO]")  # by a click
    page.focus("#list")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")  # by a key, which moves on
    page.click("#decide [value=BPO]")  # in the details
    page.select_option("#line", "data_entry")
    page.fill("#reviewer", 'Ada "A." Lovelace')
    expect(page.locator("#status")).to_have_text("BPO, confirmed. 3 corrections.")
    page.get_by_role("radio", name="Corrected").check()
    assert page.locator("#list [role=option]:visible").count() == 3

    rows = corrections(page)
    answers = outsort.predict([texts[1], texts[2], texts[4]], model)
    assert [list(row.values())[:6] for row in rows] == [
        [key_of(answer.text), answer.text, answer.label, label, line, 'Ada "A." Lovelace']
        for answer, label, line in zip(
            answers,
            ["KPO", "NEITHER", "BPO"],
            [answers[0].service_line or "" if answers[0].label == "KPO" else "", "", "data_entry"],
            strict=True,
        )
    ]
    assert list(rows[0]) == ["key", "text", "model_label", "label", "service_line", "reviewer", "decided_at"]
    assert all(row["decided_at"].endswith("Z") for row in rows)

    name, scored = downloaded(page, "#download")
    assert name == "tenders-scored.csv"
    files.score_file(tmp_path / "t.csv", tmp_path / "plain.csv", model)
    expected = records((tmp_path / "plain.csv").read_bytes())
    for answer in expected:
        answer |= dict.fromkeys(CORRECTED, "")
        for made in rows:
            if made["text"] == answer["description"]:
                answer |= {name: made[name] for name in ("label", "service_line", *CORRECTED)}
    assert records(scored) == expected


def test_a_file_without_corrections_is_downloaded_as_score_makes_it(page, model, tmp_path):
    (tmp_path / "t.csv").write_bytes(table(ODD))
    sorted_file(page, "t.csv", ODD)
    files.score_file(tmp_path / "t.csv", tmp_path / "t-scored.csv", model)
    assert downloaded(page, "#download") == ("t-scored.csv", (tmp_path / "t-scored.csv").read_bytes())


READERS = {
    "csv.gz": lambda raw: pd.read_csv(raw, compression="gzip"),
    "csv": pd.read_csv,
    "xlsx": partial(pd.read_excel, engine="openpyxl"),
    "jsonl": lambda raw: pd.read_json(raw, lines=True),
    "parquet": pd.read_parquet,
}


def test_the_corrections_are_in_the_download_of_every_format(page):
    # Of a table with columns of the same names as ours, packed, as users have them.
    content = b"label,text,reviewer\nx,key invoices,Bob\ny,zzz,Eve\nz,key invoices,Joe\n"
    drop(page, "t.csv.gz", gzip.compress(content))
    expect(page.locator("#source")).to_have_text("t.csv.gz")
    page.fill("#reviewer", "Ada")
    page.focus("#list")
    page.keyboard.press("k")
    state(page, 0).to_have_text("corrected")
    for style, read in READERS.items():
        page.select_option("#format", "" if style == "csv.gz" else style)
        name, raw = downloaded(page, "#download")
        assert name == f"t-scored.{style}"
        rows = read(io.BytesIO(raw)).astype(object)
        rows = rows.where(rows.notna(), None)
        assert rows[["label", "text", "reviewer"]].to_numpy().tolist() == [
            ["x", "key invoices", "Bob"],
            ["y", "zzz", "Eve"],
            ["z", "key invoices", "Joe"],
        ]
        ours = rows[["outsort_label", "outsort_model_label", "outsort_reviewer"]].to_numpy().tolist()
        assert ours == [["KPO", "BPO", "Ada"], ["BPO", None, None], ["KPO", "BPO", "Ada"]]
        assert rows["outsort_decided_at"].notna().tolist() == [True, False, True]


def test_what_was_corrected_on_the_page_teaches_the_next_model(page, browser, model, csv_file, outsort, tmp_path):
    things = ["ledgers", "deeds", "wills", "bills", "patents", "receipts", "leases", "claims"]
    right = {f"{verb} {thing}": label for verb, label in (("punch", "BPO"), ("litigate", "KPO")) for thing in things}
    paste(page, right)
    drop(page, "tenders.csv", table(right))
    expect(page.locator("#source")).to_have_text("tenders.csv")
    page.fill("#reviewer", "Ada")
    page.focus("#list")
    for label in right.values():
        page.keyboard.press(label[0].lower())
    expect(page.locator("#status")).to_contain_text("16 corrections.")
    (tmp_path / "corrections.csv").write_bytes(downloaded(page, "#save")[1])

    old, new = tmp_path / "old.joblib", tmp_path / "new.joblib"
    model_file.save(model, old)
    merged = outsort("merge", tmp_path / "corrections.csv", "--into", csv_file, "-m", old)
    assert "16 rows added" in merged.out
    trained = outsort("retrain", csv_file, "--base", old, "-o", new, "--gate", "no-worse", "--folds", "4")
    assert trained.code == 0, trained.err
    assert "16 of 31 rows are new" in trained.out

    unseen = {"punch contracts": "BPO", "litigate contracts": "KPO"}
    with serving(model_file.load(new)) as client:
        for taught in opened(browser, client):
            paste(taught, unseen)
            assert [shown(taught, place)[1] for place in range(2)] == list(unseen.values())


# --- any labels -------------------------------------------------------------------------------------------

HANDS_ON = {
    ("house_repairs", "NEITHER"): [
        "fix a broken fence at my house",
        "repair a garden gate",
        "plumber for a leaking tap",
    ]
}


def test_work_out_of_scope_is_shown_as_neither_like_any_other_answer(browser):
    rows = [(text, label, line) for (line, label), texts in (ROWS | HANDS_ON).items() for text in texts]
    model = train.train(pd.DataFrame(rows, columns=["text", "label", "service_line"]), checks=folds.Checks(folds=0))
    texts = ["welder to fix broken gate hinge at my house", "key invoices into sap", "review contract clauses"]
    answers = outsort.predict(texts, model)
    assert [answer.label for answer in answers] == ["NEITHER", "BPO", "KPO"]
    with serving(model) as client:
        for page in opened(browser, client):
            paste(page, texts)
            assert [shown(page, place) for place in range(3)] == list(map(expected_row, answers))
            badges = page.locator(".row .badge")
            colours = badges.evaluate_all("badges => badges.map(e => getComputedStyle(e).backgroundColor)")
            assert colours == ["rgba(0, 0, 0, 0)", "rgb(11, 92, 173)", "rgb(163, 32, 127)"]
            # In the picture: each third of the rows as often as the others, and what is to review.
            counted = [row.locator("td.n").all_text_contents() for row in page.locator("#by-label tbody tr").all()]
            to_review = sum(answer.decision == "review" for answer in answers)
            assert counted == [["1", "33%"]] * 3 + [[str(to_review), f"{to_review / 3:.0%}"]]
            others = sorted(answers[0].probabilities.items(), key=lambda item: -item[1])[1:]
            expect(page.locator("#why dd").first).to_have_text(
                ", ".join(f"{label} {round(100 * p)}%" if p >= 0.005 else f"{label} <1%" for label, p in others)
            )
            page.get_by_role("radio", name="NEITHER").check()
            expect(page.locator("#list [role=option]:visible")).to_have_count(1)
            assert shown(page, 0)[0] == texts[0]
            # As downloaded.
            scored = records(downloaded(page, "#download")[1])
            assert [row["label"] for row in scored] == ["NEITHER", "BPO", "KPO"]
            assert scored[0]["p_NEITHER"] == scored[0]["probability"]
            assert float(scored[0]["probability"]) == pytest.approx(answers[0].probability, abs=1e-6)


def test_eight_labels_have_filters_keys_and_colours_of_their_own(browser, ticket_model, new_tickets):
    labels = sorted(set(new_tickets["label"]))
    texts = new_tickets["text"][:8].tolist()
    with serving(ticket_model) as client:
        for page in opened(browser, client):
            assert page.title() == "outsort"
            # What is said of the shipped labels, and the example of them, is gone.
            expect(page.locator("#welcome")).to_have_count(0)
            expect(page.get_by_text("BPO")).to_have_count(0)
            paste(page, texts)
            answers = outsort.predict(texts, ticket_model)
            # Nothing is said of service lines, which the model does not know.
            expected = [expected_row(answer, none="") for answer in answers[:5]]
            assert [shown(page, place) for place in range(5)] == expected
            assert page.locator("#decide button[value]").evaluate_all("all => all.map(e => e.value)") == labels
            badges = page.locator("#by-label .badge")
            hues = badges.evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")
            assert len(set(hues)) == 8
            expect(page.locator(".row .t").first).to_be_visible()
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(LOW_CONTRAST) == []
            counted = [sum(answer.label == label for answer in answers) for label in labels]
            filters = page.locator("[data-label] + span").all_text_contents()
            assert filters == [f"{label} {n}" for label, n in zip(labels, counted, strict=True)]
            for label, n in zip(labels, counted, strict=True):
                page.locator(f"[data-label='{label}']").check()
                expect(page.locator("#list [role=option]:visible")).to_have_count(n)
            page.get_by_role("radio", name="All").check()
            page.focus("#list")
            for digit in range(8, 0, -1):
                page.keyboard.press(str(digit))
            page.keyboard.press("9")  # is no label's
            expect(page.locator(".row:visible .line").last).to_have_text("")
            assert [made["label"] for made in corrections(page)] == labels[::-1]
            assert [row["label"] for row in records(downloaded(page, "#download")[1])] == labels[::-1]
            page.click("#decide [value=access]")  # once more: no longer corrected
            expect(page.locator("#corrected")).to_have_text("7")
            page.keyboard.press("u")
            expect(page.locator("#corrected")).to_have_text("8")


def test_of_more_labels_than_digits_one_is_chosen_from_a_list(browser):
    rows = [(f"{verb} {noun}s", f"class {i:02}") for i, noun in enumerate(NOUNS) for verb in ("sell", "mend", "make")]
    model = train.train(pd.DataFrame(rows, columns=["text", "label"]), checks=folds.Checks(folds=0))
    with serving(model) as client:
        for page in opened(browser, client):
            paste(page, [f"sell {noun}s" for noun in NOUNS])
            expect(page.locator("#decide button[value]")).to_have_count(0)
            page.select_option("#decide-label", "class 11")
            page.focus("#list")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("9")
            assert [made["label"] for made in corrections(page)] == ["class 11", "class 08"]
            page.focus("#list")
            page.keyboard.press("Home")
            page.select_option("#decide-label", "not corrected")
            expect(page.locator("#corrected")).to_have_text("1")
            page.select_option("#show-label", "class 03")
            expect(page.locator("#list [role=option]:visible")).to_have_count(1)
            assert shown(page, 0)[:2] == (f"sell {NOUNS[3]}s", "class 03")
            expect(page.locator("#show-label option").nth(4)).to_have_text("class 03 (1)")


NOUNS = ["apple", "boat", "chair", "drum", "engine", "flute", "glove", "hammer", "lamp", "mirror", "needle", "oven"]


# --- undo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["u", "Control+z", "Meta+z", "Backspace"])
def test_each_key_takes_the_last_decision_back_and_goes_to_its_row(page, key):
    paste(page, ["key invoices into sap", "zzz", "contract"])
    before = [row(page, place).locator(".state").text_content() for place in range(3)]
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("n")  # the second row once more
    state(page, 1).to_have_text("corrected")
    expect(row(page, 2)).to_have_attribute("aria-selected", "true")

    page.keyboard.press(key)
    expect(row(page, 1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#status")).to_contain_text("Undone: KPO")
    page.keyboard.press(key)
    expect(row(page, 1).locator(".state")).to_have_text(before[1])
    page.keyboard.press(key)
    expect(row(page, 0)).to_have_attribute("aria-selected", "true")
    assert [row(page, place).locator(".state").text_content() for place in range(3)] == before
    expect(page.locator("#save")).to_be_disabled()
    page.keyboard.press(key)
    expect(page.locator("#status")).to_have_text("Nothing to undo.")


def test_undo_shows_a_row_that_the_filter_hides(page):
    paste(page, ["key invoices into sap", "zzz", "contract"])
    page.get_by_role("radio", name="Review").check()
    page.focus("#list")
    page.keyboard.press("k")
    page.get_by_role("radio", name="Review").focus()
    page.fill("#find", "contract")
    page.get_by_role("radio", name="All").check()
    expect(page.locator("#list [role=option]:visible")).to_have_count(1)
    page.keyboard.press("u")  # on a radio button
    expect(page.locator("#find")).to_have_value("")
    expect(row(page, 1)).to_have_attribute("aria-selected", "true")
    state(page, 1).to_contain_text("review")


@pytest.mark.parametrize("field", ["#find", "#reviewer"])
def test_keys_edit_the_text_in_a_field_and_undo_no_decision(page, field):
    paste(page, ["key invoices"])
    page.keyboard.press("k")
    page.click(field)
    page.keyboard.type("up")
    page.keyboard.press("Backspace")
    expect(page.locator(field)).to_have_value("u")
    page.keyboard.press("Control+z")
    expect(page.locator("#corrected")).to_have_text("1")


def test_a_correction_is_taken_away_by_the_same_label_and_that_can_be_undone(page):
    paste(page, ["key invoices"])
    page.click("#decide [value=KPO]")
    page.select_option("#line", "legal_services")
    page.click("#decide [value=KPO]")
    state(page, 0).to_have_text("accepted")
    for line, label in (("legal_services", "KPO"), ("", "KPO")):
        page.click("#undo")
        state(page, 0).to_have_text("corrected")
        expect(page.locator("#line")).to_have_value(line)
        expect(page.locator(f"#decide [value={label}]")).to_have_attribute("aria-pressed", "true")
    page.click("#undo")
    state(page, 0).to_have_text("accepted")
    expect(page.locator("#undo")).to_be_disabled()


#: Where whatever can be clicked is.
PLACES = """() => [...document.querySelectorAll("button, a, input, select, summary, .row, .row .quick span")]
    .filter(e => e.checkVisibility({visibilityProperty: true}))
    .map(e => [e.id || e.textContent, ...Object.values(e.getBoundingClientRect().toJSON())])"""


@pytest.mark.parametrize("width", [360, 900, 1280])
def test_nothing_moves_when_the_explanation_of_a_text_comes(browser, client, width):
    held = []
    for page in opened(browser, client, viewport={"width": width, "height": 800}):
        page.route("**/predict", lambda route: held.append(route))
        # Of clauses of which some count little, in lines that are full.
        paste(page, ["Translate contract clauses, subtitles and invoices into SAP. " + "Mop office floors. " * 5])
        row(page, 0).click()
        page.click("#decide [value=KPO]")
        page.focus("#line")
        while not held:
            page.wait_for_timeout(10)
        places, lines = page.evaluate(PLACES), page.locator("#line option").all_text_contents()
        expect(page.locator("#legend")).to_be_hidden()
        answer = held[0].fetch().json()
        for word in answer["answers"][0]["words"]:
            word |= {"log_odds": 9, "is_reason": True}  # the strongest tint
        held[0].fulfill(json=answer)
        expect(page.locator("#legend")).to_be_visible()
        expect(page.locator("#little")).to_be_visible()
        assert page.evaluate(PLACES) == places
        # Nor does the list that may just be open; afterwards it begins with what is most probable.
        assert page.locator("#line option").all_text_contents() == lines
        page.click("#decide [value=BPO]")
        page.click("#decide [value=KPO]")
        assert page.locator("#line option").all_text_contents() == [lines[0], *lines[:0:-1]]


def test_the_same_label_once_more_is_no_decision(page):
    paste(page, ["key invoices", "zzz"])
    page.click("#decide [value=KPO]")
    # The explanation, when it comes, fills the list of lines anew.
    expect(row(page, 0).locator(".t").first).to_be_visible()
    page.select_option("#line", "legal_services")
    page.focus("#list")
    page.keyboard.press("k")
    # Each key once the one before has had its effect.
    expect(row(page, 1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#line")).to_have_value("legal_services")
    page.keyboard.press("u")
    expect(page.locator("#line")).to_have_value("")
    page.keyboard.press("u")
    state(page, 0).to_have_text("accepted")


# --- what the browser keeps ---------------------------------------------------------------------------------

TEXTS = ["key invoices into sap", "zzz", "contract"]


def test_a_reload_keeps_file_answers_corrections_and_undo(page):
    sorted_file(page, "tenders.csv", TEXTS)
    answers = [shown(page, place) for place in range(3)]
    page.fill("#reviewer", "Ada")
    page.focus("#list")
    page.keyboard.press("k")
    page.keyboard.press("n")
    expect(page.locator("#keeping")).to_have_text("Kept in this browser.")
    before = downloaded(page, "#download"), corrections(page)

    page.reload()
    expect(page.locator("#source")).to_have_text("tenders.csv")
    expect(page.locator("#corrected")).to_have_text("2")
    expect(page.locator("#reviewer")).to_have_value("Ada")
    assert (downloaded(page, "#download"), corrections(page)) == before
    for last in (1, 0):
        page.keyboard.press("u")
        expect(row(page, last)).to_have_attribute("aria-selected", "true")
    assert [shown(page, place) for place in range(3)] == answers


def test_a_decision_is_kept_even_if_the_page_is_left_at_once(page):
    paste(page, [f"zzz {i}" for i in range(10)])
    page.on("dialog", lambda dialog: dialog.accept())
    for n in range(10):
        page.evaluate(f"document.querySelector('#row-{n} [data-to=KPO]').click(); location.reload()")
        expect(page.locator("#status")).to_contain_text("sorted")
        expect(page.locator("#corrected")).to_have_text(str(n + 1))


def test_corrections_belong_to_the_content_of_a_file_and_not_to_its_name(page):
    sorted_file(page, "tenders.csv", TEXTS)
    page.keyboard.press("k")
    sorted_file(page, "other.csv", [TEXTS[0], "yyy"])  # a text of both
    expect(page.locator("#corrected")).to_have_text("0")
    assert b"model_label" not in downloaded(page, "#download")[1]
    page.focus("#list")
    page.keyboard.press("n")
    (made,) = corrections(page)
    assert (made["text"], made["label"]) == (TEXTS[0], "NEITHER")

    sorted_file(page, "renamed.csv", TEXTS)
    (made,) = corrections(page)
    assert (made["text"], made["label"]) == (TEXTS[0], "KPO")
    drop(page, "renamed.csv", table([*TEXTS, "more"]))
    expect(row(page, 3)).to_be_visible()
    expect(page.locator("#corrected")).to_have_text("0")


@pytest.mark.parametrize("way", ["list", "back", "reload"])
def test_new_texts_can_be_undone(page, way):
    sorted_file(page, "tenders.csv", TEXTS)
    page.keyboard.press("k")
    page.click("#again")
    expect(page.locator("#results")).to_be_hidden()
    if way == "reload":
        page.reload()
        expect(page.locator("#texts")).to_be_visible()
    expect(page.locator("#kept li")).to_contain_text("1 correction")
    if way == "back":
        page.go_back()
    else:
        page.click("text=tenders.csv")
    expect(page.locator("#source")).to_have_text("tenders.csv")
    state(page, 0).to_have_text("corrected")
    for _ in range(3):  # a hidden list has no height to divide by
        page.click("#again")
        page.set_viewport_size({"width": 900, "height": 700})
        page.go_back()
        expect(row(page, 0)).to_be_visible()


def test_what_is_forgotten_is_gone(page):
    sorted_file(page, "tenders.csv", TEXTS)
    page.keyboard.press("k")
    asked = []
    for answer in ("dismiss", "accept"):
        page.once("dialog", lambda dialog, answer=answer: (asked.append(dialog.message), getattr(dialog, answer)()))
        expect(page.locator("#results")).to_be_visible()
        page.click("#forget")
    assert asked == ["Forget tenders.csv and 1 correction? This cannot be undone."] * 2
    expect(page.locator("#texts")).to_be_visible()
    expect(page.locator("#kept")).to_be_hidden()
    # To forget takes the browser a moment, and this reload asks nobody whether to wait for it.
    wait_until(page, f"async () => Object.values(await ({STORED})()).every(n => n === 0)")
    page.reload()
    expect(page.locator("#model")).to_contain_text("Model")
    expect(page.locator("#kept")).to_be_hidden()
    sorted_file(page, "tenders.csv", TEXTS)
    expect(page.locator("#corrected")).to_have_text("0")


def test_all_files_can_be_forgotten_at_once(page):
    for name in ("one.csv", "two.csv"):
        sorted_file(page, name, [name])
        page.keyboard.press("k")
    page.click("#again")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.click("#forget-all")
    expect(page.locator("#kept")).to_be_hidden()
    assert asked == ["Forget 2 files and 2 corrections? This cannot be undone."]
    page.go_back()
    expect(page.locator("#texts")).to_be_visible()


#: How many items each object store has.
STORED = """() => new Promise((resolve) => {
    indexedDB.open("outsort").onsuccess = ({target: {result: database}}) => {
        const stores = [...database.objectStoreNames], found = {}, transaction = database.transaction(stores);
        for (const name of stores)
            transaction.objectStore(name).count().onsuccess = ({target}) => { found[name] = target.result; };
        transaction.oncomplete = () => resolve(found);
    };
})"""

FAILURES = {
    "blocked": "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError'); };"
    "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('', 'SecurityError'); }});",
    "private": "IDBFactory.prototype.open = function () { const request = {}; setTimeout(() => request.onerror()); "
    "return request; };",
    "file too large": "IDBObjectStore.prototype.put = () => { throw new DOMException('', 'QuotaExceededError'); };",
    "full": "const add = IDBObjectStore.prototype.add; IDBObjectStore.prototype.add = function (value) "
    "{ this.transaction.abort(); return add.call(this, value); };",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_where_nothing_can_be_kept_nothing_is_lost_and_it_is_said_once(browser, client, failure):
    for page in opened(browser, client, script=FAILURES[failure]):
        sorted_file(page, "tenders.csv", TEXTS)
        page.keyboard.press("k")
        expect(page.get_by_role("alert")).to_contain_text("This browser does not keep the file and its corrections.")
        expect(page.locator("#keeping")).to_have_text("Not kept in this browser.")
        sorted_file(page, "other.csv", ["zzz"])
        page.keyboard.press("k")
        expect(page.locator("#corrected")).to_have_text("1")
        expect(page.get_by_role("alert")).to_be_hidden()

        # It goes on in this tab, and the browser asks before it is closed.
        page.click("#again")
        page.click("text=tenders.csv")
        state(page, 0).to_have_text("corrected")
        with page.expect_event("dialog") as asked:
            page.evaluate("setTimeout(() => location.reload())")
        assert asked.value.type == "beforeunload"
        asked.value.dismiss()
        (made,) = corrections(page)
        assert made["label"] == "KPO"


def test_two_tabs_share_the_corrections_of_a_file(page, client):
    sorted_file(page, "tenders.csv", TEXTS)
    page.keyboard.press("k")
    other = tab(page.context, client)
    other.click("text=tenders.csv")
    state(other, 0).to_have_text("corrected")
    other.focus("#list")
    other.keyboard.press("End")
    other.keyboard.press("n")
    state(page, 2).to_have_text("corrected")
    page.keyboard.press("u")  # the last decision, whichever tab it is from
    state(other, 2).not_to_have_text("corrected")
    expect(other.locator("#corrected")).to_have_text("1")

    # A file of this tab is offered in the other, until one forgets it.
    sorted_file(page, "other.csv", ["zzz"])
    # What is done to a file that is not shown draws nothing anew, such as the field that somebody types in. That the
    # explanation has come, which does, is seen by its legend.
    expect(page.locator("#legend")).to_be_visible()
    page.evaluate("document.querySelector('#why').firstElementChild.dataset.seen = 'yes'")
    other.keyboard.press("b")
    expect(page.locator("#kept")).to_contain_text("2 corrections")
    expect(page.locator("#why [data-seen]")).to_have_count(1)
    other.click("#again")
    expect(other.locator("#kept")).to_contain_text("other.csv")
    other.get_by_role("button", name="Forget other.csv").click()
    expect(page.locator("#texts")).to_be_visible()


def test_what_one_tab_could_not_keep_stays_there_when_another_adds_to_it(page, client):
    sorted_file(page, "tenders.csv", TEXTS)
    other = tab(page.context, client)
    other.click("text=tenders.csv")
    expect(row(other, 2)).to_be_visible()
    page.evaluate(f"() => {{ {FAILURES['full']} }}")
    page.keyboard.press("k")
    expect(page.get_by_role("alert")).to_contain_text("does not keep")
    other.focus("#list")
    other.keyboard.press("End")
    other.keyboard.press("n")
    state(page, 2).to_have_text("corrected")
    assert [made["label"] for made in corrections(page)] == ["KPO", "NEITHER"]


def test_a_file_that_changes_on_the_disk_is_downloaded_as_it_was_sorted(page, tmp_path):
    path = tmp_path / "tenders.csv"
    path.write_bytes(table(TEXTS))
    page.set_input_files("#file", path)
    expect(page.locator("#source")).to_have_text("tenders.csv")
    path.unlink()
    assert b"key invoices into sap" in downloaded(page, "#download")[1]


# --- files and keys -----------------------------------------------------------------------------------------


def test_a_file_without_a_usual_column_asks_which_it_is(page):
    buffer = b"a,Supplier\n1,key invoices\n"
    page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": buffer})
    expect(page.locator("#columns")).to_contain_text("Which column of x.csv contains the texts?")
    expect(page.locator("#column option")).to_have_text(["a: 1", "Supplier: key invoices"])
    page.select_option("#column", "Supplier")
    page.click("#columns button")
    expect(page.locator("#row-0 .words")).to_have_text("key invoices")
    assert page.messages.pop().startswith("Failed to load resource: the server responded with a status of 422")


SCOPE = """# Scope

1.1 Key invoices into SAP. Draft a contract.

- clean the office & <img src=x onerror=document.title=1>
"""


def test_a_document_is_shown_like_its_report_corrected_and_downloaded(page, model, tmp_path):
    drop(page, "scope.txt", SCOPE.encode())
    expect(page.locator("#source")).to_have_text("scope.txt")
    expect(page.get_by_role("status")).to_contain_text("4 clauses sorted")
    (tmp_path / "scope.txt").write_text(SCOPE)
    tally = SummaryTally(model, documents=DocumentsTally(model))
    options = files.Options(split=True)
    files.score_file(
        tmp_path / "scope.txt", tmp_path / "o.csv", model, options=options, summary=tally, tell=lambda _: 0
    )
    (shown,) = tally.documents.result()
    for label, share in shown.whole.shares.items():
        expect(page.locator(f"data[data-label={label}]")).to_have_text(f"{share:.0%}")
    assert page.locator(".text .clause").all_text_contents() == [clause.of.text for clause in shown.clauses]
    assert page.locator("#document img").count() == 0

    page.get_by_role("button", name="Draft a contract").click()
    expect(page.locator(".why .badge")).to_have_text("KPO")
    page.locator(".why select").select_option("BPO")
    expect(page.get_by_role("status")).to_contain_text("1 correction")
    (made,) = corrections(page)
    assert (made["text"], made["model_label"], made["label"]) == ("Draft a contract.", "KPO", "BPO")
    page.select_option("#format", "csv")
    name, content = downloaded(page, "#download")
    assert name == "scope-scored.csv"
    assert [row["model_label"] for row in records(content)] == ["", "", "KPO", ""]

    # It is kept like a table, and a table comes in its place.
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(page.locator("#corrected")).to_have_text("0")
    page.get_by_role("button", name="clean the office").click()
    page.locator(".why select").select_option("KPO")
    page.reload()
    expect(page.locator("[data-corrected=KPO]")).to_contain_text("clean the office")
    sorted_file(page, "t.csv", ["key invoices", "zzz"])
    expect(page.locator("#document")).to_be_hidden()
    state(page, 0).to_have_text("accepted")
    page.go_back()
    expect(page.locator("[data-corrected=KPO]")).to_contain_text("clean the office")
    expect(page.locator("#list")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(360, 800), (1024, 800), (1440, 900)])
def test_a_document_fits_and_can_be_read_in_any_size_and_light(browser, client, scheme, size):
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "color_scheme": scheme}
    for page in opened(browser, client, **options):
        drop(page, "scope.txt", (SCOPE * 5).encode())
        page.get_by_role("button", name="Draft a contract").first.click()
        page.locator(".why select").select_option("BPO")
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert page.evaluate(LOW_CONTRAST) == []


def test_a_table_in_plain_text_is_a_table(page):
    sorted_file(page, "t.txt", ["key invoices", "draft a contract", "clean the office"])
    assert page.messages.pop().startswith("Failed to load resource: the server responded with a status of 415")
    expect(page.locator("#document")).to_be_hidden()
    page.select_option("#format", "csv")
    assert [row["lot"] for row in records(downloaded(page, "#download")[1])] == ["000", "001", "002"]


def test_a_document_that_cannot_be_used_says_why(page):
    drop(page, "scope.pdf", b"%PDF-1.7 broken")
    expect(page.get_by_role("alert")).to_contain_text("scope.pdf: ")
    page.messages.clear()  # the browser tells of the response


def test_the_column_can_be_changed_afterwards_and_the_corrections_of_each_stay(page):
    drop(page, "x.csv", b"title,description,title\nkey invoices,,a logo\nb,draft a contract,zzz\n")
    first, second = page.locator("#row-0 .words"), page.locator("#row-1 .words")
    expect(first).to_have_text("key invoices")
    expect(second).to_have_text("draft a contract")
    options = page.locator("#text-column option")
    expect(options).to_have_text([
        "description, else title (1)", "title (1): key invoices; b", "description: draft a contract",
        "title (3): a logo; zzz",
    ])  # fmt: skip
    page.locator("#row-0").click()
    page.keyboard.press("k")
    expect(page.locator("#corrected")).to_have_text("1")
    page.select_option("#text-column", "title (3)")
    expect(first).to_have_text("a logo")
    expect(page.locator("#text-column")).to_have_value("title (3)")
    expect(page.locator("#corrected")).to_have_text("0")
    page.go_back()
    expect(first).to_have_text("key invoices")
    expect(page.locator("#corrected")).to_have_text("1")


def test_the_sheet_can_be_changed_afterwards(page, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "April"
    for sheet, text in ((book.active, "key invoices"), (book.create_sheet("May"), "draft a contract")):
        sheet.append(["text"])
        sheet.append([text])
    book.save(tmp_path / "x.xlsx")
    page.set_input_files("#file", tmp_path / "x.xlsx")
    expect(page.locator("#row-0 .words")).to_have_text("key invoices")
    page.fill("#sheet", "May")
    page.keyboard.press("Enter")
    expect(page.locator("#row-0 .words")).to_have_text("draft a contract")
    page.fill("#sheet", "June")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no sheet 'June'; it has 'April', 'May'")
    assert page.messages.pop().startswith("Failed to load resource: the server responded with a status of 422")


def test_what_the_service_noted_is_said_in_words_of_the_page(page, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Spend FY25"
    for row_ in (["Spend of 2025"], [], ["ref", "description"], [1, "key invoices"], [2, "draft a contract"]):
        book.active.append(row_)
    book.create_sheet("Read me").append(["Prepared by procurement"])
    book.save(tmp_path / "spend.xlsx")
    drop(page, "spend.xlsx", (tmp_path / "spend.xlsx").read_bytes())
    notes = expect(page.locator("#notes"))
    notes.to_have_text("Sheet 'Spend FY25'; header in row 3; not read: 'Read me'.")
    drop(page, "old.csv", "text\nÜbersetzung für Behörden\n".encode("cp1252"))
    notes.to_have_text(
        "Read as cp1252, because it is not UTF-8. If letters look wrong, save it as UTF-8 or as an Excel workbook, and "
        "sort it again."
    )
    page.click("#again")
    paste(page, ["key invoices"])
    notes.to_be_hidden()


def test_a_file_that_cannot_be_used_says_why(page):
    drop(page, "x.odt", b"text\n")
    expect(page.get_by_role("alert")).to_have_text(
        re.compile(r"x\.odt is not a table that can be read\. Use Excel, CSV, .*")
    )
    # Where the file was chosen.
    expect(page.locator("#drop + #alert")).to_be_visible()
    assert page.messages.pop().startswith("Failed to load resource: the server responded with a status of 415")
    expect(page.locator("#texts")).to_be_visible()


def test_numbers_that_are_none_do_not_break_the_table(page):
    drop(page, "x.jsonl", b'{"text": "key invoices: NaN, 1", "price": NaN}\n{"text": "zzz", "price": [-Infinity]}\n')
    expect(page.locator("#row-1 .words")).to_have_text("zzz")
    expect(page.locator("#row-0 .words")).to_contain_text("key invoices")


def test_keyboard_and_screen_reader(page):
    page.focus("#texts")
    page.keyboard.type("key invoices into sap\nzzz")
    page.keyboard.press("Control+Enter")
    listbox = page.get_by_role("listbox", name="Texts and answers")
    expect(listbox).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("2 texts sorted")
    option = page.locator("#row-0")
    assert option.get_attribute("role") == "option"
    # Named by what it shows, the answer first.
    expect(option).to_have_accessible_name(
        re.compile(r"^BPO >?\d+% data entry (accepted|review.*) key invoices into sap$")
    )
    states = [option.get_attribute(f"aria-{name}") for name in ("posinset", "setsize", "selected")]
    assert states == ["1", "2", "true"]
    page.keyboard.press("End")
    expect(listbox).to_have_attribute("aria-activedescendant", "row-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Selected text")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="BPO", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(listbox).to_be_focused()
    # Whatever can be used has a name.
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea")]
            .filter(e => !e.closest("[aria-hidden=true]") && !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
            .map(e => e.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(360, 800), (1280, 900)])
def test_it_fits_and_can_be_read_in_any_size_and_light(browser, client, scheme, size):
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "color_scheme": scheme}
    for page in opened(browser, client, **options):
        clauses = "Key invoices into SAP. " + "Mop office floors, key invoices. " * 5
        paste(page, ["key invoices into sap and much else " * 5, "zzz", "x" * 200, "mop office floors", clauses])
        expect(page.locator(".row .t").first).to_be_visible()
        if size[0] < 500:
            expect(page.locator("#detail")).to_be_hidden()
            page.click("#row-1")
        expect(page.locator("#detail")).to_be_visible()
        expect(page.locator("#decide [value=KPO]")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert page.evaluate(LOW_CONTRAST) == []
        page.keyboard.press("Escape")
        if size[0] > 500:
            page.click("#row-4")
            expect(page.locator("#full .little .t").first).to_be_visible()
            assert page.evaluate(LOW_CONTRAST) == []
        page.locator("#download").click(trial=True)


def test_of_twenty_thousand_rows_only_those_in_sight_are_in_the_document(page):
    texts = [f"key invoices {i}" for i in range(20_000)]
    drop(page, "big.csv", table(texts))
    expect(page.get_by_role("status")).to_contain_text("20,000 texts sorted")
    page.keyboard.press("End")
    expect(page.locator("#row-19999 .words")).to_have_text("key invoices 19999")
    expect(page.locator("#row-19999 .t").first).to_be_visible()
    page.evaluate("document.getElementById('list').scrollTop = 300000")
    page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    assert page.locator(".row").count() < 60
    top = page.evaluate("document.getElementById('list').getBoundingClientRect().top")
    first = page.evaluate(f"document.elementFromPoint(300, {top} + 40).closest('.row').dataset.index")
    height = page.evaluate("document.querySelector('.row:not([hidden])').offsetHeight")
    assert abs(int(first) - 300_000 / height) <= 1
    page.fill("#find", "invoices 1234")
    expect(page.locator("#row-10 .words")).to_have_text("key invoices 12349")
    assert page.locator("#list [role=option]:visible").count() == 11


def test_a_token_is_asked_for_once(browser, model):
    right = "a-token-of-length"
    with serving(model, ServiceSettings(token=right)) as client:
        context = browser.new_context()
        page = context.new_page()
        page.goto(str(client.base_url))
        for token in ("wrong", right):
            page.get_by_label("This service requires a token.").fill(token)
            page.click("#unlock button")
        expect(page.locator("#model")).to_contain_text("Model")
        paste(page, ["key invoices"])
        expect(page.locator("#row-0 .badge")).to_have_text("BPO")
        context.close()
