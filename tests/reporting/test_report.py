import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outsort.data.dataset import read
from outsort.errors import OutputError
from outsort.evaluation import breakdown, evaluate
from outsort.reporting import page, plots, report
from outsort.training import folds, train
from pages import LOW_CONTRAST, Page, flat
from reports import answers_of, report_of

#: Whether each caption of a table is within the screen.
WHOLE_CAPTIONS = """width => [...document.querySelectorAll(".tabled figcaption")]
    .map(e => e.getBoundingClientRect()).map(box => box.left >= 0 && box.right <= width)"""


@pytest.fixture(scope="module")
def measured(rows_frame):
    """A report of an evaluation by group, with mistakes, of texts that hold markup, by a model that knows others."""
    model = train.train(rows_frame[1:].assign(text=rows_frame["text"] + " anew"), checks=folds.Checks(folds=0))
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
    data = read(rows_frame.assign(supplier=list("abc") * 5, posted=[f"2026-0{1 + i % 3}-11" for i in range(15)]))
    model, validation = train.train_validated(data, checks=folds.Checks(folds=3))
    return report.of_training(model, data, validation, by=["supplier", "posted"])


@pytest.fixture(scope="module")
def pages(measured, trained):
    return {"evaluate": report.render(measured), "train": report.render(trained)}


@pytest.mark.slow
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
    assert set(re.findall(r"https?://[^\s<]*", pages["evaluate"])) == {"https://a.b"}
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
    for group in ("matrix/", "per_class/", "thresholds/", "service_lines/", "by/kind/<i>old</i>/", "mistakes/"):
        assert [path for path in shown if path.startswith(group)]


def test_its_figures_are_those_the_model_holds(pages, trained):
    shown = Page(pages["train"]).figures
    exact = flat(trained.model.about["scores"][trained.scheme])
    assert {"n", "accuracy", "in_scope/brier", "log_loss", "matrix/2/cells/0/weight", "baselines/1/accuracy"} <= set(
        shown
    )
    others = ("decision/", "matrix/", "thresholds/", "service_lines/", "mistakes/", "baselines/", "by/")
    for path in shown:
        if not path.startswith(others):
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
    assert all(attributes["aria-label"] for tag, attributes in page.tags if tag == "table")
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    # Calibration and threshold, three histograms, the ROC curves; and one of each column of groups.
    assert len(drawn) == {"train": 8, "evaluate": 7}[kind]
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in drawn)


def test_plots_have_the_colours_of_the_page(pages):
    for svg in re.findall(r"<svg.*?</svg>", pages["train"], re.DOTALL):
        assert "var(--ink)" in svg
        assert not re.findall(r"#[0-9a-f]{6}\b", svg)


@pytest.mark.slow
def test_the_same_report_is_the_same_file(pages, trained):
    assert report.render(trained) == pages["train"]


@pytest.mark.slow
def test_the_users_plotting_style_leaves_no_trace_and_is_left_alone(pages, trained):
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "path", "axes.grid": True}):
        assert report.render(trained) == pages["train"]
        assert mpl.rcParams["axes.grid"]


def test_answers_held_out_are_accepted_from_the_threshold_on(trained):
    answers = trained.answers
    np.testing.assert_array_equal(answers.accepted, answers.probability >= 0.7)
    assert np.isnan(trained.model.threshold)


@pytest.mark.slow
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


@pytest.mark.slow
def test_twenty_labels_of_any_name_are_shown(of_twenty):
    html = report.render(of_twenty)
    page = Page(html)
    assert "<b>" not in html
    assert all(name in page.text for name in NAMES)
    # In pictures by their beginning, not as formulas, and only those that are hardest to tell apart.
    assert len({name for name in NAMES if f"{name[:23]}…" in page.text}) == plots.N_LABELS
    assert [path for path in page.figures if re.fullmatch("matrix/.*/weight", path)] == [
        f"matrix/{i}/cells/{j}/weight" for i in range(20) for j in range(20)
    ]
    exact = flat(of_twenty.figures.to_dict())
    assert {path: {exact[path]} for path in page.figures} == page.figures


@pytest.mark.slow
def test_labels_of_ones_own_are_told_nothing_of_others(of_twenty):
    html = report.render(of_twenty)
    assert not re.search(r"BPO|KPO|NEITHER|[- ]scope\b", Page(html).text)


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
            assert page.evaluate(LOW_CONTRAST) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert all(page.evaluate(WHOLE_CAPTIONS, width))
            assert all(page.evaluate("[...document.querySelectorAll('svg')].map(s => s.clientHeight)"))
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.close()
    assert len(grounds) == 2
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}
    assert said == []


def test_months_are_told_from_other_values():
    assert plots.is_by_month(np.array(["2026-01", "", "2026-12"]))
    assert not plots.is_by_month(np.array(["2026-01", "tender"]))
    assert not plots.is_by_month(np.array(["2026"]))
    assert not plots.is_by_month(np.array([""]))


def test_a_report_of_training_scores_its_groups_and_months(pages):
    assert {"by/supplier/a/n", "by/posted/2026-03/n"} <= set(Page(pages["train"]).figures)
    assert "Accuracy of each month of posted" in pages["train"]
    assert "Accuracy of each value of supplier" in pages["train"]
    text = Page(pages["train"]).text
    assert "Scores for each month of posted" in text
    assert "Scores for each value of supplier" in text


def test_axes_have_no_decimals_that_say_nothing(pages):
    shown = re.findall(r">(\d[\d.]*)%</text>", pages["train"])
    assert shown
    assert [tick for tick in shown if tick.endswith(".0")] == []


@pytest.mark.slow
def test_probable_label_errors_are_listed_or_the_report_says_nothing_of_them(model):
    answers = answers_of(["BPO", "KPO"] * 3, [0.1, 0.9] * 3)
    error = breakdown.LabelError(7, "key invoices", "BPO", "KPO")
    for errors, said in (([error], "Probably wrong: 1 of 6 labels"), ([], "No label is probably wrong."), (None, "")):
        text = Page(report.render(report_of(model, answers, label_errors=errors))).text
        assert ("Quality of the labels" in text) == (errors is not None)
        assert said in text


@pytest.mark.slow
def test_a_taxonomy_has_one_report_with_a_section_for_each_axis(outsort, tmp_path):
    rows = {"text": ["Reset user passwords", "Draft a lease", "Key invoices"], "level": ["ITO", "KPO", "BPO"]}
    pd.DataFrame(rows).assign(domain=["IT", "legal", "Finance and accounting"]).to_csv(tmp_path / "m.csv", index=False)
    run = ("evaluate", tmp_path / "m.csv", "--taxonomy", "market", "--report", tmp_path / "r.html", "--json")
    exact = flat(json.loads(outsort(*run).out))
    found = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert {path: {exact[path]} for path in found.figures} == found.figures
    assert {"level/accuracy", "domain/accuracy"} <= set(found.figures)
    assert len(found.ids) == len(set(found.ids))
    assert "Axis: level" in found.text
    # A screen reader lists the regions by their names.
    regions = [attributes["aria-label"] for _, attributes in found.tags if attributes.get("role") == "region"]
    assert len(regions) == len(set(regions))


@pytest.mark.slow
def test_rules_are_listed_up_to_a_number_and_those_of_rows_without_labels_have_no_share(model):
    by_rule = [evaluate.RuledBy(2, 0, 0, 0, f"rule <{i}>", "BPO") for i in range(report.N_RULES + 3)]
    ruled = evaluate.Ruled(46, 0, 0, 0, "abc", 0.5, by_rule)
    html = report.render(report_of(model, answers_of(["BPO", "KPO"], [0.1, 0.9]), ruled=ruled))
    text = Page(html).text
    assert "Rules decided 46 of 2 rows, none of them with a label." in text
    assert f"the first {report.N_RULES} of {report.N_RULES + 3} rules" in text
    assert f"rule <{report.N_RULES - 1}>" in text
    assert f"rule <{report.N_RULES}>" not in text
    # The column for labels is there where some rows have none, and weights are told apart where there are some.
    assert "with a label" in [cell.split("<")[0] for cell in html.split('class="n">')]
    assert "Rows count as one each" not in text
    one = evaluate.RuledBy(2, 2, 1, 1, "rule", "BPO")
    all_labelled = evaluate.Ruled(2, 2, 1, 1, "abc", 0.5, [one])
    answers = answers_of(["BPO", "KPO"], [0.1, 0.9], weights=[1, 2])
    html = report.render(report_of(model, answers, ruled=all_labelled))
    assert '<th scope="col" class="n">with a label' not in html
    assert "Rows count as one each here, and by weight in accuracies." in Page(html).text
    none = replace(ruled, rows=0, by_rule=[])
    text = Page(report.render(report_of(model, answers_of(["BPO"], [0.1]), ruled=none))).text
    assert "Rules decided 0 of 1 rows." in text
