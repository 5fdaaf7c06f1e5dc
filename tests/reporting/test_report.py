import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outsort.data.dataset import read
from outsort.errors import OutputError
from outsort.evaluation import evaluate
from outsort.evaluation.evaluate import Answers
from outsort.labels import find_out_of_scope
from outsort.reporting import page, report
from outsort.training import folds, train
from outsort.training.about import DataIdentity
from pages import Page, flat


@pytest.fixture(scope="module")
def measured(model, rows_frame):
    """A report of an evaluation by group, with mistakes, of texts that hold markup."""
    frame = pd.concat(
        [
            rows_frame,
            pd.DataFrame(
                {
                    "text": ["<script>alert('x')</script> key invoices & \"forms\"", "draft a contract https://a.b"],
                    "label": ["KPO", "BPO"],
                    "service_line": ["legal<b>", "data_entry"],
                }
            ),
        ],
        ignore_index=True,
    )
    data = read(frame.assign(kind=["<i>old</i>", "new"] * 8 + ["new"]), for_training=False)
    answers = evaluate.answer(model, data, by=["kind"])
    return report.of_evaluation(model, data, answers, evaluate.evaluate_answers(model, answers))


@pytest.fixture(scope="module")
def trained(rows_frame):
    data = read(rows_frame)
    model, validation = train.train_validated(data, checks=folds.Checks(folds=3))
    return report.of_training(model, data, validation)


@pytest.fixture(scope="module")
def pages(measured, trained):
    return {"evaluate": report.render(measured), "train": report.render(trained)}


@pytest.mark.parametrize("kind", ["evaluate", "train"])
def test_it_needs_nothing_from_elsewhere_and_runs_nothing(pages, kind):
    tags = Page(pages[kind]).tags
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        for name in ("src", "href", "xlink:href", "srcset", "poster"):
            assert re.match(r"#|data:image/png;base64,", attributes.get(name, "#")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\((?!#)", pages[kind])
    policies = [a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_no_address_but_those_in_the_texts(pages):
    assert re.findall(r"https?://[^\s<]*", pages["evaluate"]) == ["https://a.b"]
    assert "://" not in pages["train"]


@pytest.mark.parametrize("kind", ["evaluate", "train"])
def test_every_inner_reference_leads_to_one_place(pages, kind):
    page = Page(pages[kind])
    assert len(page.ids) == len(set(page.ids))
    inner = set(re.findall(r'(?:href="#|url\(#)([^")]+)', pages[kind]))
    labelled = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert inner
    assert inner | labelled <= set(page.ids)


def test_its_figures_are_those_of_json(pages, measured):
    shown, exact = Page(pages["evaluate"]).figures, flat(measured.figures.to_dict())
    assert {path: {exact[path]} for path in shown} == shown
    for path in ("accuracy", "in_scope/accuracy", "in_scope/auc", "out_of_scope_auc", "per_class/NEITHER/auc"):
        assert path in shown
    for path in ("intervals/accuracy/0", "intervals/in_scope.auc/1", "decision/coverage", "decision/precision"):
        assert path in shown
    for group in ("confusion/", "per_class/", "curve/", "by/kind/<i>old</i>/", "mistakes/"):
        assert [path for path in shown if path.startswith(group)]


def test_its_figures_are_those_the_model_holds(pages, trained):
    shown = Page(pages["train"]).figures
    exact = flat(trained.model.about["scores"][trained.scheme])
    assert {"n", "accuracy", "in_scope/brier", "log_loss", "confusion/2/0"} <= set(shown)
    for path in shown:
        if not path.startswith(("decision/", "curve/", "mistakes/")):
            assert shown[path] == {exact[path]}, path


def test_texts_and_names_are_shown_and_not_obeyed(pages):
    html = pages["evaluate"]
    assert "<script>" not in html
    assert "<b>" not in html
    page = Page(html)
    assert "<script>alert('x')</script> key invoices & \"forms\"" in page.text
    assert "<i>old</i>" in page.text
    assert "legal<b>" in page.text


@pytest.mark.parametrize("kind", ["evaluate", "train"])
def test_the_verdict_comes_first_and_every_section_has_a_heading(pages, kind):
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", pages[kind])
    assert headings[0] == "Verdict"
    assert "Worst mistakes" in headings
    assert pages[kind].index("Verdict") < pages[kind].index("<table")
    page = Page(pages[kind])
    assert [tag for tag, _ in page.tags].count("table") == [tag for tag, _ in page.tags].count("caption")
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawn) == 3
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in drawn)


def test_plots_have_the_colours_of_the_page(pages):
    for svg in re.findall(r"<svg.*?</svg>", pages["train"], re.DOTALL):
        assert "var(--ink)" in svg
        # The numbers in the cells stand on colours that no theme changes.
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#111111"}


def test_text_stands_out_from_its_ground_in_both_themes(pages):
    # WCAG 2.2, criterion 1.4.3 level AA: a contrast of 4.5 for text of ordinary size.
    themes = re.findall(r"--page: (\S+); --ink: (\S+); --soft: (\S+);.*?--tint: (\S+);", pages["train"])
    assert len(themes) == 2
    for ground, ink, soft, tint in themes:
        assert min(contrast(text, on) for text in (ink, soft) for on in (ground, tint)) >= 4.5


def contrast(first, second):
    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_the_same_report_is_the_same_file(pages, trained):
    assert report.render(trained) == pages["train"]


def test_the_users_plotting_style_leaves_no_trace_and_is_left_alone(pages, trained):
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "path", "axes.grid": True}):
        assert report.render(trained) == pages["train"]
        assert mpl.rcParams["axes.grid"]


def test_answers_held_out_are_accepted_from_the_threshold_on(trained):
    answers = trained.answers
    np.testing.assert_array_equal(answers.accepted, answers.probability >= 0.7)
    assert np.isnan(trained.model.threshold)


def answers_of(labels, p_second, accepted=None, weights=None, lines=None, names=("BPO", "KPO", "NEITHER")):
    """Answers of `names` with the probabilities of the second, and of the first for what is left."""
    n = len(labels)
    proba = np.zeros((n, len(names)))
    proba[:, 1] = p_second
    proba[:, 0] = 1 - proba[:, 1]
    return Answers(
        numbers=list(range(n)),
        texts=[f"key invoices {i}" for i in range(n)],
        labels=np.array(labels),
        lines=None if lines is None else np.array(lines),
        proba=proba,
        names=names,
        out_of_scope=find_out_of_scope(names),
        accepted=np.ones(n, bool) if accepted is None else np.array(accepted),
        weights=np.ones(n) if weights is None else np.array(weights, dtype=float),
        source="d.csv",
    )


def report_of(model, answers, decision=None, scheme=None, **figures):
    model = replace(model, about=model.about | {"decision": decision or {}})
    data = DataIdentity(source="d.csv", sha256="0", rows=len(answers.texts), rows_by_label={}, longest=9)
    figures = replace(evaluate.measure(model, answers), **figures)
    return report.Report(model, answers, figures, data, scheme)


CERTIFIED = {"target": 0.8, "level": 0.9, "threshold": 0.9, "precision": 0.9, "bound": 0.8, "coverage": 0.5}
CERTIFIED |= {"n_rows": 500, "n_more": 0, "held_out": folds.LINES_OUT, "measured": {}}
UNCERTIFIED = CERTIFIED | {"threshold": None, "precision": None, "bound": None, "coverage": 0.0}


class TestVerdict:
    labels, p_second = ["BPO"] * 5 + ["KPO"] * 5, [0.1] * 4 + [0.9] + [0.8] * 5

    def test_it_counts_of_a_hundred(self, model):
        answers = answers_of(self.labels, self.p_second, accepted=[True] * 5 + [False] * 5)
        first, second, third, _ = report.verdict(report_of(model, answers))
        assert first == "Of 100 rows in d.csv, 90 are classified correctly."
        assert second == "Of 100 rows in scope, 90 are right by BPO against KPO, whatever the answer."
        assert third.startswith("50% of the rows are accepted without review, and of 100 accepted answers 80 ")

    def test_intervals_and_texts_seen_are_named_where_they_are_known(self, model):
        sentences = report.verdict(
            report_of(model, answers_of(self.labels, self.p_second), intervals={"accuracy": (0.7, 1.0)}, share_seen=0.3)
        )
        assert "between 70% and 100%" in sentences[0]
        assert "trained on about 30% of these texts" in sentences[-1]

    @pytest.mark.parametrize(
        ("decision", "scheme", "sentence"),
        [
            (None, None, "no precision is promised"),
            (CERTIFIED, folds.LINES_OUT, "Certified on rows like these: at least 80% precision"),
            (CERTIFIED, None, "these rows confirm it"),
            (CERTIFIED | {"target": 0.95}, None, "these rows fall short of it"),
            (UNCERTIFIED | {"n_more": 70}, folds.LINES_OUT, "about 70 more rows might"),
            (UNCERTIFIED | {"n_more": -1}, folds.LINES_OUT, "No threshold is certified"),
        ],
    )
    def test_it_promises_what_was_certified(self, model, decision, scheme, sentence):
        sentences = report.verdict(report_of(model, answers_of(self.labels, self.p_second), decision, scheme))
        assert sentence in sentences[3]

    def test_where_none_is_accepted_it_says_so(self, model):
        answers = answers_of(self.labels, self.p_second, accepted=[False] * 10)
        sentences = report.verdict(report_of(model, answers, CERTIFIED))
        assert sentences[2] == "No answer is accepted: all go to review."
        assert "no answer is accepted here" in sentences[3]

    @pytest.mark.parametrize(
        ("scheme", "kind"),
        [
            (folds.STRATIFIED, "rows like the training rows"),
            (folds.LINES_OUT, "rows of unseen service lines"),
            (folds.UNSEEN.format("supplier"), "rows of an unseen supplier"),
        ],
    )
    def test_it_says_which_rows_were_held_out(self, model, scheme, kind):
        sentences = report.verdict(report_of(model, answers_of(self.labels, self.p_second), None, scheme))
        assert sentences[0] == f"Of 100 {kind}, 90 are classified correctly."

    def test_with_weights_it_counts_weight(self, model):
        answers = answers_of(["BPO", "KPO"], [0.1, 0.2], weights=[3, 1])
        assert "By weight, of 100 rows in d.csv, 75" in report.verdict(report_of(model, answers))[0]


def test_service_lines_come_worst_first_with_what_their_rows_allow():
    labels = ["BPO", "BPO", "KPO", "KPO", "KPO", "UNCLEAR", "UNCLEAR"]
    lines = ["typing", "typing", "law", "law", "law", "mopping", "mopping"]
    answers = answers_of(
        labels, [0.1, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5], accepted=[True] * 5 + [True, False], weights=[1, 3, 1, 1, 1, 1, 3]
    )
    found = report.by_line(answers, np.array(lines))
    assert [(line.line, line.n, line.label) for line in found] == [
        ("typing", 2, "BPO"),
        ("mopping", 2, "UNCLEAR"),
        ("law", 3, "KPO"),
    ]
    assert [(line.accuracy, line.reviewed) for line in found] == [(0.25, None), (None, 0.75), (1.0, None)]


def test_more_lines_than_a_page_shows_are_collapsed(model):
    n = report.N_WORST + 5
    answers = answers_of(["BPO", "KPO"] * n, [0.1, 0.9] * n, lines=np.repeat([f"line{i}" for i in range(n)], 2))
    html = report.render(report_of(model, answers))
    assert "The other 5 service lines" in html
    assert html.count('<th scope="row">line') == n


@pytest.mark.parametrize(
    "answers",
    [
        answers_of(["BPO", "BPO"], [0.2, 0.7]),
        answers_of(["KPO"], [0.7], accepted=[False]),
        answers_of(["BPO", "KPO", "UNCLEAR"], [0.5, 0.5, 0.5], weights=[0, 0.5, 0]),
    ],
    ids=["one label", "one row", "weights"],
)
def test_few_rows_make_a_report_too(model, answers):
    html = report.render(report_of(replace(model, about={}), answers))
    assert "The data have no service lines." in html
    assert "nan" not in Page(html).text.lower().replace("finance", "")


NAMES = [f"Team {i} <b>$x_{i}$</b> & sons" for i in range(20)]


@pytest.fixture(scope="module")
def of_twenty():
    """A report of twenty labels of the user's own, with names that mean something to HTML and to TeX."""
    rows = [(f"text of word{i}x {j}", name) for i, name in enumerate(NAMES) for j in range(3)]
    data = read(pd.DataFrame(rows, columns=["text", "label"]))
    model = train.train(data, checks=folds.Checks(folds=0))
    answers = evaluate.answer(model, data)
    return report.of_evaluation(model, data, answers, evaluate.evaluate_answers(model, answers))


def test_twenty_labels_of_any_name_are_shown(of_twenty):
    html = report.render(of_twenty)
    page = Page(html)
    assert "<b>" not in html
    for name in NAMES:
        assert name in page.text
        # In the picture by their beginning, and not as formulas.
        assert f"{name[:23]}…" in page.text
    assert [path for path in page.figures if path.startswith("confusion/")] == [
        f"confusion/{i}/{j}" for i in range(20) for j in range(20)
    ]
    exact = flat(of_twenty.figures.to_dict())
    assert {path: {exact[path]} for path in page.figures} == page.figures


def test_labels_of_ones_own_are_told_nothing_of_others(of_twenty):
    html = report.render(of_twenty)
    assert not re.search(r"BPO|KPO|NEITHER|[- ]scope\b", Page(html).text)


def test_the_verdict_measures_many_labels_in_scope_among_themselves(ticket_model):
    # Of four rows of access three are answered access, one of them as the likeliest label in scope only.
    model = replace(ticket_model, out_of_scope="software")
    answers = answers_of(["access"] * 4, [0.1, 0.0, 0.7, 0.0], names=model.labels)
    answers.proba[3] = [0.3, 0.2, 0, 0, 0, 0, 0, 0.5]
    first, second, *_ = report.verdict(report_of(model, replace(answers, out_of_scope="software")))
    assert first == "Of 100 rows in d.csv, 50 are classified correctly."
    assert second == "Of 100 rows in scope, 75 are right by the labels in scope alone, whatever the answer."


@pytest.mark.parametrize("name", ["jinja2", "matplotlib"])
def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OutputError, match=rf"r.html: a report needs {name}; run pip install 'outsort\[report\]'"):
        page.check(tmp_path / "r.html", force=False)


def test_a_lone_surrogate_does_not_stop_it(model, tmp_path):
    answers = answers_of(["KPO", "BPO"], [0.1, 0.1])
    answers = replace(answers, texts=["key \ud800 invoices", "x"])
    report.write(report_of(model, answers), tmp_path / "r.html", force=False)
    assert b"key &#55296; invoices" in (tmp_path / "r.html").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["evaluate", "train"])
def test_a_browser_shows_it_at_any_width_in_both_colours_and_asks_for_nothing(browser, pages, tmp_path, kind):
    file = tmp_path / "r.html"
    file.write_text(pages[kind], encoding="utf-8")
    grounds, asked, said = set(), [], []
    for width in (360, 1280):
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: said.append(message.text))
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert all(page.evaluate("[...document.querySelectorAll('svg')].map(s => s.clientHeight)"))
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.close()
    assert len(grounds) == 2
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}
    assert said == []
