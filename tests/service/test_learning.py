"""Learning from corrections on the page: the data grows, a better model answers, and the one before comes back."""

import csv
import io
import multiprocessing
import os
import re
import signal
import threading
import time
from contextlib import contextmanager

import pandas as pd
import pytest

import outsort
from conftest import ROWS
from outsort.errors import ServiceError
from outsort.improving.history import History
from outsort.service import app
from outsort.service.learning import LearnInto, settings_for_learning
from outsort.service.settings import ServiceSettings
from outsort.service.workers import CONTEXT
from serving import serving

TOKEN = "a-token-of-length"  # noqa: S105 - of a service for these tests
SETTINGS = ServiceSettings(token=TOKEN)
THINGS = ["ledgers", "deeds", "wills", "bills", "patents", "receipts", "leases", "claims", "orders", "forms"]
RIGHT = {f"{verb} {thing}": label for verb, label in (("punch", "BPO"), ("litigate", "KPO")) for thing in THINGS}


def decisions(right, by="Ada"):
    return [{"text": text, "label": label, "reviewer": by} for text, label in right.items()]


@pytest.fixture
def client(model, csv_file):
    """A service that learns into a copy of the small data."""
    with serving(model, SETTINGS, learn_into=LearnInto(csv_file)) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        yield client


def learnt(client):
    """Return the state of the service once it has learnt."""
    while (state := client.get("/learning").json())["stage"]:
        time.sleep(0.1)
    return state


@pytest.mark.slow
def test_corrections_are_merged_and_a_model_that_is_not_worse_answers(client, model, csv_file):
    assert client.get("/model").json()["learns"] is True
    started = client.post("/learning", json={"corrections": decisions(RIGHT)})
    assert started.status_code == 202
    assert client.post("/learning", json={"corrections": decisions(RIGHT)}).status_code == 409
    state = learnt(client)
    lesson = state["lesson"]
    assert state["problem"] == ""
    assert (lesson["added"], lesson["rows"], lesson["is_better"]) == (20, 35, True)
    assert lesson["comparison"]["new_rows"] == 20
    assert (lesson["base"], lesson["model"]) == (model.fingerprint, state["model"])
    data = pd.read_csv(csv_file)
    assert dict(zip(data["text"], data["label"], strict=True)).items() >= RIGHT.items()
    assert set(data["reviewer"].dropna()) == {"Ada"}

    answers = client.post("/predict", json={"texts": ["punch contracts", "litigate contracts"]}).json()
    assert answers["model"] == client.get("/model").json()["model"] == state["model"]
    assert [answer["label"] for answer in answers["answers"]] == ["BPO", "KPO"]
    scored = client.post("/score?filename=t.csv", content=b"text\nlitigate contracts\n").text
    assert f"KPO,{answers['answers'][1]['probability']}" in scored

    # Nothing is new in them a second time.
    client.post("/learning", json={"corrections": decisions(RIGHT)})
    again = learnt(client)
    assert (again["lesson"]["known"], again["lesson"]["model"], again["model"]) == (20, "", state["model"])

    # Back to the model before, which has nothing before it; who did what is in the log.
    assert state["before"] == model.fingerprint
    back = client.post("/learning/back", json={"reviewer": "Bob"}).json()
    assert (back["model"], back["before"]) == (model.fingerprint, "")
    assert client.post("/predict", json={"texts": ["zzz"]}).json()["model"] == model.fingerprint
    assert client.post("/learning/back", json={}).status_code == 409
    history = History(csv_file)
    said = [(event["event"], event.get("by")) for event in history.events()]
    assert said == [
        ("decide", None),
        ("learn", "Ada"),
        ("use", "Ada"),
        ("decide", None),
        ("learn", "Ada"),
        ("use", "Bob"),
    ]
    decided = history.events()[0]["decisions"]
    assert {one["text"]: one["label"] for one in decided} == RIGHT
    assert all(re.fullmatch("k[0-9a-f]{16}", one["key"]) for one in decided)
    assert history.last().fingerprint == model.fingerprint
    assert history.load(state["model"]).fingerprint == state["model"]


@pytest.mark.slow
def test_what_cannot_be_learnt_says_why(client, csv_file, model):
    refused = client.post("/learning", json={"corrections": decisions({"punch deeds": "OTHER"})})
    assert refused.status_code == 422
    assert "corrections.0.label: is none of the labels of the model, BPO, KPO, NEITHER" in refused.json()["detail"]
    assert client.post("/learning", json={"corrections": []}).status_code == 422
    csv_file.write_text("nothing\n")
    client.post("/learning", json={"corrections": decisions(RIGHT)})
    state = learnt(client)
    assert "tasks.csv" in state["problem"]
    assert state["model"] == model.fingerprint


def test_learning_can_be_cancelled(client, model):
    client.post("/learning", json={"corrections": decisions(RIGHT)})
    while (state := client.delete("/learning").json())["stage"]:
        time.sleep(0.1)
    assert (state["model"], state["lesson"]) == (model.fingerprint, None)
    assert "cancelled" in state["problem"]


def learnt_while_starting(client, monkeypatch, *, before=lambda: None, after=lambda _: None):
    """Return what came of corrections, with something done just before and after the process that learns starts."""
    start = CONTEXT.Process.start

    def interrupted(process):
        before()
        start(process)
        after(process)

    monkeypatch.setattr(CONTEXT.Process, "start", interrupted)
    client.post("/learning", json={"corrections": decisions(RIGHT)})
    return learnt(client)


def test_learning_can_be_cancelled_while_it_is_starting(client, monkeypatch, model):
    state = learnt_while_starting(client, monkeypatch, before=lambda: client.delete("/learning"))
    assert (state["model"], state["lesson"]) == (model.fingerprint, None)
    assert "cancelled" in state["problem"]


def test_learning_that_ends_uncancelled_says_so(client, monkeypatch):
    state = learnt_while_starting(client, monkeypatch, after=lambda process: process.kill())
    assert state["problem"] == (
        "It ended, perhaps for lack of memory. What was merged into your data by then stays there."
    )


def test_only_who_has_the_token_can_let_it_learn(client):
    del client.headers["authorization"]
    for method, path in (
        ("GET", "/learning"),
        ("POST", "/learning"),
        ("DELETE", "/learning"),
        ("POST", "/learning/back"),
    ):
        assert client.request(method, path).status_code == 401
    other = client.post("/learning", headers={"authorization": f"Bearer {TOKEN}", "sec-fetch-site": "cross-site"})
    assert other.status_code == 403


def test_a_service_that_learns_has_a_token_and_is_for_this_machine_only(model, csv_file):
    with pytest.raises(ServiceError, match=r"other machines can reach this address, and --learn changes your data"):
        app.serve(model, "0.0.0.0", 0, SETTINGS, learn_into=LearnInto(csv_file))  # noqa: S104
    assert settings_for_learning(SETTINGS, "127.0.0.1").token == TOKEN
    made = [settings_for_learning(ServiceSettings(), "localhost").token for _ in range(2)]
    assert len(set(made)) == 2
    assert all(len(token) >= app.MIN_TOKEN for token in made)


def test_without_the_option_nothing_is_learnt(model):
    with serving(model) as client:
        assert client.get("/model").json()["learns"] is False
        assert client.post("/learning", json={"corrections": decisions(RIGHT)}).status_code == 404


@contextmanager
def stopped(processes):
    """Let processes rest while the block lasts."""
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_file_that_is_scored_while_the_model_changes_is_answered_by_one_model_and_says_which(model, two_class_model):
    texts = [f"{text} {i}" for i in range(60_000) for text in ("key invoices", "draft a contract", "mop floors", "zzz")]
    query, answers = {"filename": "t.csv", "progress": "anotherSession"}, []
    with serving(model, ServiceSettings(answer_seconds=300)) as client:

        def score():
            content = "\n".join(["text", *texts]).encode()
            answers.append(client.post("/score", params=query, content=content))

        session = threading.Thread(target=score)
        session.start()
        while not client.get("/progress", params={"name": query["progress"]}).json()["rows"]:
            assert session.is_alive()
            time.sleep(0.02)
        # Half way, whichever of the two a busy machine favours: the process that scores waits meanwhile.
        with stopped(multiprocessing.active_children()):
            client.server.config.app.state.served.switch(two_class_model)
            assert client.get("/model").json()["model"] == two_class_model.fingerprint
            assert session.is_alive(), "the file was scored before the model changed"
        session.join()
        rows = list(csv.DictReader(io.StringIO(answers[0].text)))
        assert len(rows) == len(texts)
        assert {row["model"] for row in rows} == {model.fingerprint}
        for part in (rows[:4], rows[-4:]):
            assert [row["label"] for row in part] == [outsort.predict(row["text"], model).label for row in part]
        after = client.post("/score?filename=t.csv", content=b"text\nmop floors\n").text
        assert [row["model"] for row in csv.DictReader(io.StringIO(after))] == [two_class_model.fingerprint]


@pytest.mark.slow
def test_a_worse_model_is_refused_on_the_page_and_the_old_one_stays(browser, two_class_model, tmp_path):
    from browsing import axe_source, expect, opened, paste, shown, violations

    # Data with all labels the wrong way round: what is learnt from them gets the person's answers wrong.
    data = tmp_path / "tasks.csv"
    wrong = {"BPO": "KPO", "KPO": "BPO"}
    rows = [(text, wrong[label]) for (_, label), texts in ROWS.items() if label in wrong for text in texts]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(data, index=False)
    texts = [
        *("key scanned invoices", "copy invoices into sap", "type records into excel", "translate french subtitles"),
        *("localise a contract to french", "draft contract clauses", "research a contract"),
        *("train a vision model", "build a churn model", "tune a vision model"),
    ]
    with serving(two_class_model, SETTINGS, learn_into=LearnInto(data)) as client:
        for page in opened(browser, client, path=f"#token={TOKEN}"):
            paste(page, texts)
            before = [shown(page, place)[:3] for place in range(len(texts))]
            page.focus("#list")
            for _, label, _ in before:
                page.keyboard.press(label[0].lower())
            page.get_by_role("button", name="Learn from my corrections").click()
            said = page.locator("#lesson-said")
            expect(said).to_contain_text("The new model is worse than the current one, which stays")
            expect(said).to_contain_text("Your corrections are kept in tasks.csv.")
            expect(page.locator("#lesson-facts")).to_contain_text("is worse than the current one")
            expect(page.locator("#lesson-back")).to_be_hidden()
            expect(page.locator("#lesson-cancel")).to_be_hidden()
            expect(page.locator("#model")).to_contain_text(two_class_model.fingerprint)
            assert [shown(page, place)[:3] for place in range(len(texts))] == before
            if axe := axe_source():
                assert violations(page, axe) == []
        client.headers["authorization"] = f"Bearer {TOKEN}"
        assert client.get("/model").json()["model"] == two_class_model.fingerprint
    assert len(pd.read_csv(data)) == len(rows) + len(texts)
    assert [event["event"] for event in History(data).events()] == ["decide", "learn"]


@pytest.mark.slow
def test_what_is_learnt_from_has_the_shares_and_marks_of_clauses_that_were_given(model, csv_file, tmp_path):
    decision = {"text": "punch ledgers", "label": "BPO"}
    marks = tmp_path / "marks.csv"
    pd.DataFrame([("k0", "punch", 1)], columns=["row", "clause", "says_the_work"]).to_csv(marks, index=False)
    wrong = {
        "no text has the key 'k0'": LearnInto(csv_file, clauses=marks),
        # Shares are checked by the command; the service does not say more of what it does not expect.
        "Something went wrong": LearnInto(csv_file, shares={"NEITHER": 2.0}),
    }
    for problem, into in wrong.items():
        decision["text"] += " again"
        with serving(model, SETTINGS, learn_into=into) as client:
            client.headers["authorization"] = f"Bearer {TOKEN}"
            client.post("/learning", json={"corrections": [decision]})
            assert problem in learnt(client)["problem"]


@pytest.mark.slow
def test_the_page_says_what_went_wrong_and_what_could_not_be_added(browser, model, csv_file):
    from browsing import expect, opened, paste

    with serving(model, SETTINGS, learn_into=LearnInto(csv_file)) as client:
        for page in opened(browser, client, path=f"#token={TOKEN}"):
            paste(page, ["key invoices into sap"])
            page.focus("#list")
            page.keyboard.press("k")
            learn = page.get_by_role("button", name="Learn from my corrections")
            page.route("**/learning", lambda route: route.abort())
            learn.click()
            expect(page.get_by_role("alert")).to_have_text("The service cannot be reached. Is it still running?")
            page.messages.clear()  # the browser tells of the request
            page.unroute("**/learning")
            learn.click()
            said = page.locator("#lesson-said")
            expect(said).to_have_text("None of these corrections could be added to tasks.csv.")
            expect(page.get_by_role("alert")).to_be_hidden()
            expect(page.locator("#lesson-facts")).to_contain_text("Not added: ")
            expect(page.locator("#lesson-cancel")).to_be_hidden()


@pytest.mark.slow
def test_from_paste_to_the_better_model_and_back_without_a_terminal(browser, model, csv_file):
    from browsing import axe_source, expect, opened, paste, shown, violations

    unseen = {"punch contracts": "BPO", "litigate contracts": "KPO"}
    with serving(model, SETTINGS, learn_into=LearnInto(csv_file)) as client:
        for page in opened(browser, client, path=f"#token={TOKEN}"):
            assert TOKEN not in page.url
            paste(page, [*RIGHT, *unseen])
            before = [shown(page, 20 + place)[1] for place in range(2)]
            assert before != list(unseen.values())
            page.fill("#reviewer", "Ada")
            page.focus("#list")
            for label in RIGHT.values():
                page.keyboard.press(label[0].lower())
            page.get_by_role("button", name="Learn from my corrections").click()
            expect(page.locator("#lesson-said")).to_contain_text("now answers with the new model")
            facts = page.locator("#lesson-facts")
            expect(facts).to_contain_text("tasks.csv now has 35 labelled rows: 20 added, 0 filled in, 0 already there.")
            expect(facts).to_contain_text(
                re.compile(r"On the 20 new rows, .* is better than the current one: \d+ rows")
            )
            expect(facts).to_contain_text(re.compile(r"In this file, \d+ answers? changed"))
            assert [shown(page, 20 + place)[1] for place in range(2)] == list(unseen.values())
            expect(page.locator("#model")).to_contain_text("trained on 35 rows")
            if axe := axe_source():
                assert violations(page, axe) == []

            page.get_by_role("button", name=f"Go back to the previous model, {model.fingerprint}").click()
            expect(page.locator("#lesson-said")).to_contain_text(f"answers with model {model.fingerprint} again")
            assert [shown(page, 20 + place)[1] for place in range(2)] == before
    assert [event.get("by") for event in History(csv_file).events() if event["event"] == "use"] == ["Ada", "Ada"]


@pytest.mark.slow
def test_a_new_model_that_somebody_left_before_the_page_looked_is_not_called_worse(browser, model, csv_file):
    from browsing import expect, opened

    lesson = {"added": 1, "filled": 0, "known": 0, "problems": [], "rows": 9, "model": "new", "is_better": True}
    ended = {"data": "tasks.csv", "stage": "", "model": "old", "before": "", "problem": "", "lesson": lesson}
    lesson["comparison"] = {"worse": False, "on_new_rows": None, "on_groups": {}}
    states = iter([ended | {"stage": "training"}] * 2)
    with serving(model, SETTINGS, learn_into=LearnInto(csv_file)) as client:
        for page in opened(browser, client, path=f"#token={TOKEN}"):
            page.route("**/learning", lambda route: route.fulfill(json=next(states, ended)))
            page.reload()
            said = page.locator("#lesson-said")
            page.evaluate("document.querySelector('#results').hidden = false")
            expect(said).to_contain_text("is no worse, but the service answers with old again")


def test_options_of_training_need_data_to_train_on_and_labels_of_the_model(outsort, csv_file, model_path):
    alone = outsort("serve", "--share", "NEITHER=0.5")
    assert (alone.code, "is for training: name the data with --learn" in alone.err) == (2, True)
    mistyped = outsort("serve", "-m", model_path, "--learn", csv_file, "--share", "NIETHER=0.5")
    assert (mistyped.code, "there is no label 'NIETHER'. Did you mean 'NEITHER'?" in mistyped.err) == (2, True)
    missing = outsort("serve", "-m", model_path, "--learn", csv_file, "--clauses", csv_file.with_name("no.csv"))
    assert (missing.code, "Name a table of marked clauses" in missing.err) == (1, True)
