"""Results as text tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from outsort.decision import UNCERTIFIED
from outsort.improving.findings import Style
from outsort.reporting.captions import (
    SCORES,
    captions,
    figure,
    headline,
    notes,
    of_ruled,
    of_unclear,
    percent,
    percents,
)
from outsort.reporting.layout import JOINT, Table, table, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.data.dataset import Dataset
    from outsort.evaluation.compare import Judgement
    from outsort.evaluation.evaluate import Evaluation
    from outsort.improving.certify import Certified
    from outsort.improving.findings import Check, Finding
    from outsort.improving.plan import Plan
    from outsort.metrics import Counts
    from outsort.scoring.summary import Share, Summary
    from outsort.training.about import Summary as TrainingSummary
    from outsort.training.threshold import Certificate

#: Reasons, service lines and groups that a summary lists.
N_LISTED = 5
#: Labels up to which a table has the whole confusion matrix, and errors of each label that it has of more.
N_IN_MATRIX, N_TAKEN_FOR = 6, 3
#: Coverage from which the curve is shown: precision of fewer rows is noise.
CURVE_FROM = 0.3
#: What each check looks for.
CHECKS = {
    "empty": "empty texts",
    "not_text": "texts that are not descriptions",
    "rare_labels": "labels that a single row has",
    "exact_duplicates": "exact duplicates",
    "two_labels": "texts with conflicting labels",
    "lines_of_two_labels": "rows whose service line has conflicting labels",
    "near_duplicates": "near-duplicate pairs",
    "thin_lines": "service lines (or labels)",
    "style": "style leakage: accuracy from style alone",
    "label_errors": "probable label errors",
    "lopsided_words": "lopsided words: frequent, with an extreme share of one label",
}


def scores_table(scores: Mapping[str, Counts], first: str) -> Table:
    """Lay out a row of headline scores for each name."""
    shown = {name: headline(counts) for name, counts in scores.items()}
    columns = captions(scores.values())
    return table(
        [first, "rows", *columns.values()],
        ([visible(name), f"{scores[name].n:,}", *(figure(row[c]) for c in columns)] for name, row in shown.items()),
        right=range(1, len(columns) + 2),
    )


def training_lines(summary: TrainingSummary, dataset: Dataset) -> Iterator[RenderableType]:
    """Say what a model was trained on, and how good it is."""
    from outsort.training.folds import LINES_OUT, STRATIFIED

    labels = (f"{dataset.labels.count(label):,} {label}" for label in sorted(set(dataset.labels)))
    lines = f", {summary.service_lines} service lines" if summary.service_lines else ""
    yield f"{len(dataset.texts):,} rows used ({', '.join(labels)}{lines})"
    if summary.scores:
        yield scores_table(summary.scores, "cross-validation")
    gap = gap_line(summary.scores, STRATIFIED, LINES_OUT)
    if gap:
        yield gap


def written_lines(output: str, size: int, summary: TrainingSummary, took: str = "") -> Iterator[str]:
    """Say what was written, and what it promises."""
    yield f"{output}: {summary.terms:,} terms, {size / 1e6:.1f} MB{took}"
    yield from promise_lines(summary.decision)


def gap_line(scores: Mapping[str, Counts], usual: str, unseen: str) -> str | None:
    """Return the gap in scores between two schemes; None if one is missing."""
    if not {usual, unseen} <= set(scores):
        return None
    high, low = headline(scores[usual]), headline(scores[unseen])
    gaps = (
        f"{SCORES[c]} {a - b:.3f}"
        for c in ("accuracy", "in_scope.accuracy")
        if (a := high[c]) is not None and (b := low[c]) is not None
    )
    return f"gap between {usual} and {unseen}: {', '.join(gaps)}; expect {unseen} on new kinds of work"


def certificate_line(certificate: Certificate) -> str:
    """Return the promise of a model, or what it would take."""
    c = certificate
    promise = f"{c.target:.0%} precision at {c.level:.0%} confidence"
    if c.coverage:
        return (
            f"at threshold {c.threshold:.3f}: coverage {percent(c.coverage, 0)}, precision {percent(c.precision)} on "
            f"held-out rows; certified: at least {promise}"
        )
    if c.n_more < 0:
        return f"no threshold reaches {promise} on {c.n_rows:,} held-out rows"
    return f"no threshold: {c.n_rows:,} held-out rows cannot certify {promise}; about {c.n_more:,} more might"


def promise_lines(certificate: Certificate | None) -> Iterator[str]:
    """Say from where a model accepts answers, and what it promises of them; None is one without a certificate."""
    if certificate is not None:
        yield certificate_line(certificate)
    if certificate is None or not certificate.coverage:
        yield f"{UNCERTIFIED}: outsort certify can make one, on a random sample of your own texts"


def certified_lines(result: Certified, of: str) -> Iterator[str]:
    """Say what a random sample certifies, of another table `of` too, and what more labels would bring."""
    yield f"{result.n_texts:,} texts, {result.certificate.n_rows:,} rows drawn: {certificate_line(result.certificate)}"
    if result.share_of is not None:
        yield f"{of}: {percent(result.share_of, 0)} of the rows can go unread"
    if result.n_for_more > result.certificate.n_rows and result.more > result.certificate.coverage:
        yield (
            f"about {result.n_for_more:,} labels in all might certify a coverage of {result.more:.0%}, if answers are "
            "as good as on these"
        )


def evaluation_tables(result: Evaluation) -> Iterator[RenderableType]:
    """Lay out an evaluation."""
    found = {name: value for name, value in headline(result).items() if value is not None}
    intervals = {name: "–".join(map(figure, ends)) for name, ends in result.intervals.items()}
    values = ([SCORES[name], figure(value), intervals.get(name, "")] for name, value in found.items())
    heads = ["metric", "value", "95% interval"]
    yield table(heads, [["rows", f"{result.n:,}", ""], *values], right=[1])
    yield from (scores_table(groups, by) for by, groups in result.by.items())
    if result.n_left_out:
        yield f"{of_unclear(result.n_left_out, result.out_of_scope_auc)}."
    yield _labels_table(result)
    d = result.decision
    at_threshold = [
        f"coverage {percent(d.coverage, 0)}",
        "" if d.precision is None else f"precision {percent(d.precision)} ({percents(d.intervals['precision'])})",
        "" if d.others_reviewed is None else f"{percent(d.others_reviewed, 0)} of other rows to review",
    ]
    uncertified = "" if result.is_certified else " (not certified)"
    yield f"at threshold {d.threshold:.3f}{uncertified}: {', '.join(filter(None, at_threshold))}"
    if result.ruled:
        yield of_ruled(result, result.ruled)
    points = [point for point in result.curve[1::2] if point.coverage >= CURVE_FROM]
    heads = ["coverage", *(f"{point.coverage:.0%}" for point in points)]
    yield table(heads, [["precision", *(percent(p.precision) for p in points)]], right=range(1, len(heads)))
    if result.mistakes:
        heads = ["worst mistakes", "actual", "predicted", "probability", "top terms"]
        rows = (
            [visible(m.text), m.label, m.predicted, figure(m.probability), ", ".join(m.for_)] for m in result.mistakes
        )
        numbered = [(m.row, m.weight) for m in result.mistakes]
        yield rows_table(numbered, heads, rows, right=[3], wrap=[0, 4], spare=[4])


def _labels_table(result: Evaluation) -> Table:
    """Lay out each label against the rest, with the confusion matrix, or of many labels its largest errors."""
    heads = ["", "rows", "precision", "recall", "AUC"]
    is_small = len(result.labels) <= N_IN_MATRIX
    confused = [f"predicted {label}" for label in result.labels] if is_small else ["most often taken for"]
    rows = []
    for i, (label, of) in enumerate(result.per_class.items()):
        cells = [f"{cell:,.0f}" for cell in result.confusion[i]] if is_small else [_taken_for(result, i)]
        rows.append([f"actual {label}", f"{of.n:,}", *map(figure, (of.precision, of.recall, of.auc)), *cells])
    right = range(1, len(heads) + (len(confused) if is_small else 0))
    return table(heads + confused, rows, right=right, wrap=[] if is_small else [0, len(heads)])


def _taken_for(result: Evaluation, i: int) -> str:
    """Return the wrong labels that rows of a label get most, with how many do."""
    wrong = [(n, label) for j, (n, label) in enumerate(zip(result.confusion[i], result.labels, strict=True)) if j != i]
    most = sorted((item for item in wrong if item[0]), key=lambda item: -item[0])[:N_TAKEN_FOR]
    return ", ".join(f"{label}{JOINT}{n:,.0f}" for n, label in most)


def judgement_line(judgement: Judgement, test: str = "McNemar") -> str:
    """Return a judgement in a sentence; `test` is the name of its test."""
    j = judgement
    low, high = j.interval
    verdict = "worse" if j.worse else "better" if low > 0 else "no worse"
    return (
        f"The new model is {verdict}: accuracy {j.difference:+.3f} (95% interval {low:+.3f} to {high:+.3f}); "
        f"{j.got_right:,} rows now right, {j.got_wrong:,} now wrong ({test} p = {j.p_value:.3g})."
    )


def rows_table(
    numbered: Sequence[tuple[object, float]],
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    wrap: Iterable[int],
    spare: Iterable[int] = (),
) -> Table:
    """Lay out rows of a file after their number and, unless all weights are 1, their weight."""
    weighted = any(weight != 1 for _, weight in numbered)
    first = [[str(number), *([f"{weight:,.10g}"] if weighted else [])] for number, weight in numbered]
    n = 1 + weighted
    return table(
        ["row", "weight"][:n] + list(heads),
        ([*start, *row] for start, row in zip(first, rows, strict=True)),
        right=[*range(n), *(n + i for i in right)],
        wrap=[n + i for i in wrap],
        spare=[n + i for i in spare],
    )


def check_tables(result: Check, n_shown: int) -> Iterator[RenderableType]:
    """Lay out a check, with up to `n_shown` examples of each problem."""
    yield f"{result.source}: {result.n:,} rows, {result.encoding}"
    for name, counts in (("label", result.by_label), ("genre", result.by_genre)):
        if counts:
            shares = ([value or "(blank)", f"{n:,}", percent(n / result.n)] for value, n in counts.items())
            yield table([name, "rows", "share"], shares, right=[1, 2])
    found: dict[str, Finding | Style] = {name: f for name in CHECKS if (f := getattr(result, name))}
    verdicts = (_verdict(result, *item) for item in found.items())
    yield table(["check", "found", "verdict"], verdicts, right=[1], wrap=[0])
    for name, finding in found.items():
        examples = [example.to_dict() for example in getattr(finding, "worst", [])[:n_shown]]
        if examples:
            columns = list(examples[0])
            yield f"{_caption(name, finding)}:"
            yield table(
                [column.replace("_", " ") for column in columns],
                ([_shown(column, example[column]) for column in columns] for example in examples),
                right=[i for i, column in enumerate(columns) if _are_numbers(example[column] for example in examples)],
                wrap=[i for i, column in enumerate(columns) if column.endswith("text") or column == "guide"],
            )


def _shown(column: str, value: object) -> str:
    # Rounded to four digits; no probability is 0.
    return "under 0.0001" if column == "probability_of_label" and value == 0 else visible(str(value))


def _are_numbers(values: Iterable[object]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _verdict(result: Check, name: str, finding: Finding | Style) -> list[str]:
    found = figure(finding.accuracy) if isinstance(finding, Style) else f"{finding.n:,}"
    verdict = "FAILS" if name in result.failed else "inspect" if finding.n_failing else "ok"
    return [_caption(name, finding), found, verdict]


def _caption(name: str, finding: Finding | Style) -> str:
    if isinstance(finding, Style):
        detail = f" (chance {finding.chance:.3g}, limit {finding.limit:.3g})"
    elif finding.n_across_folds is not None:
        detail = f" (similarity {finding.limit:g} or more), {finding.n_across_folds:,} across folds"
    else:
        detail = "" if finding.limit is None else f" with fewer than {finding.limit} rows"
    return CHECKS[name] + detail


def plan_tables(result: Plan, n_lines: int) -> Iterator[RenderableType]:
    """Lay out a plan, with up to `n_lines` service lines."""
    sizes = ([f"{size.rows:,}", figure(size.accuracy)] for size in result.curve)
    yield table(["training rows", "held-out accuracy"], sizes, right=(0, 1))
    yield _worth_line(result)
    if result.forecast:
        forecasts = (
            [f"{more.labels:,}", figure(more.accuracy), "–".join(map(figure, more.range))] for more in result.forecast
        )
        heads = ["more labels", "accuracy", "range over folds"]
        yield table(heads, [["0", figure(result.accuracy), ""], *forecasts], right=(0, 1, 2))
    made = f"{result.to_make:,} labels to make" if result.to_make else "lowest accuracy first"
    lines = (
        [line.service_line, line.label, f"{line.rows:,}", figure(line.accuracy), f"{line.labels:,}"]
        for line in result.lines[:n_lines]
    )
    heads = [f"service line ({made})", "label", "rows", "accuracy", "labels to make"]
    yield table(heads, lines, right=(2, 3, 4))
    rest = result.lines[n_lines:]
    if rest:
        yield f"and {len(rest)} more lines with {sum(line.labels for line in rest):,} labels to make"


def _worth_line(result: Plan) -> str:
    least = f"{100 * result.min_gain:.2g} points"
    if result.fit is None:
        return "Accuracy does not rise with rows: more rows like these are not worth labelling."
    if not result.worth:
        return (
            f"No more labels are worth making: with {result.rows:,} rows, 100 more raise accuracy by less than {least}."
        )
    about = "More than" if result.is_more else "About"
    return (
        f"{about} {result.worth:,} more labels are worth making: up to there, every 100 raise accuracy by "
        f"{least} or more."
    )


def summary_tables(summary: Summary) -> Iterator[RenderableType]:
    """Lay out the picture of scored tables."""
    unit = [summary.weights.column] if summary.weights else []
    n = 3 + len(unit)

    def cells(of: Share) -> list[str]:
        weight = [f"{of.weight:,.0f}"] if unit else []
        return [f"{of.rows:,}", *weight, figure_of_share(of.weight, summary.weight)]

    heads = ["rows", *unit, "share"]
    labels = (
        [of.name, *cells(of), f"{of.expected:,.0f}", "–".join(f"{end:,.0f}" for end in of.interval)]
        for of in summary.labels
    )
    yield table(["label", *heads, "expected", f"{summary.level:.0%} interval"], labels, right=range(1, n + 2))
    decisions = [[of.name, *cells(of)] for of in summary.decisions]
    reasons = [[f"  {of.name}", *cells(of)] for of in summary.reasons[:N_LISTED]]
    others = [[of.name, *cells(of)[:-1], ""] for of in summary.not_work]
    # The reasons are those of the rows to review.
    yield table(["decision", *heads], [*decisions[:2], *reasons, *decisions[2:], *others], right=range(1, n))
    lines = [[of.name, *cells(of)] for of in summary.service_lines[:N_LISTED]]
    yield table([f"largest of {len(summary.service_lines)} service lines", *heads], lines, right=range(1, n))
    by = summary.by
    if by:
        mixes = (
            [visible(of.name) or "(blank)", *cells(of), *(figure_of_share(w, of.weight) for w in of.labels.values())]
            for of in by.groups[:N_LISTED]
        )
        names = [of.name for of in summary.labels][: len(by.groups[0].labels) if by.groups else None]
        n_values = len(by.groups) + by.n_rest
        first = f"{by.column}, largest of {n_values:,}" if n_values > N_LISTED else by.column
        yield table([first, *heads, *names], mixes, right=range(1, n + len(names)), wrap=[0])
    yield "expected: every row counts for each label by its probability."
    yield from notes(summary)


def figure_of_share(part: float, whole: float) -> str:
    """Return a share as per cent, see `percent`; "" of nothing.

    >>> figure_of_share(9_999, 10_000), figure_of_share(7, 7), figure_of_share(0, 0)
    ('over 99.9%', '100%', '')
    """
    return percent(part / whole) if whole else ""
