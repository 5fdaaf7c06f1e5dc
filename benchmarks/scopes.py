"""What share of a scope of work is KPO: twenty scopes, written as documents and split.

    python benchmarks/scopes.py [--as html docx docx.pdf html.pdf]

Each scope of data/scopes.csv is written as HTML and as a Word document, printed to PDF by LibreOffice and by Chromium,
and read by `outsort score --split`. Prints for each kind of file: the share of the clauses that is found as it was
written; of those with work, how many are labelled as by their author; how many scopes have every label's share within
8 points of the truth and how many within the interval; the median width of the intervals; and how many scopes whose
smaller label in scope has a fifth of the work are called mixed, and how many of the others.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from outsort.mixture import mixture
from outsort.prediction import default_model
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from documents import Part, docx_of, html_of  # noqa: E402 - from the tests

KINDS = {"heading": "heading", "sentence": "clause", "item": "bullet"}
WITHIN, MINOR = 0.08, 0.2


def parts_of(scope, clauses):
    """Return a scope as the builders of the tests take it: sentences of a paragraph together, and rows of a table."""
    parts = [Part("title", "", [scope.replace("-", " ")])]
    for (kind, _), rows in clauses.groupby(
        [clauses["kind"], clauses["paragraph"].where(clauses["kind"] != "row", -1)], sort=False
    ):
        if kind == "row":
            parts.append((rows.index[0], Part("table", "", [text.split(" | ") for text in rows["text"]])))
        else:
            parts.append((rows.index[0], Part(KINDS[kind], rows["number"].iloc[0], rows["text"].tolist())))
    return [parts[0], *(part for _, part in sorted(parts[1:], key=lambda found: found[0]))]


def write(scope, parts, folder):
    """Write a scope as HTML and Word; return the files by kind."""
    files = {"html": folder / f"{scope}.html", "docx": folder / f"{scope}.docx"}
    files["html"].write_text(html_of(parts), encoding="utf-8")
    files["docx"].write_bytes(docx_of(parts))
    return files


def printed(files, folder):
    """Print files to PDF by LibreOffice and Chromium, where these are; return the PDF files by kind."""
    found = {}
    (folder / "office").mkdir(exist_ok=True)
    if office := shutil.which("soffice"):
        command = [office, "--headless", "--convert-to", "pdf", "--outdir", folder / "office", files["docx"]]
        subprocess.run(command, check=True, capture_output=True)
        found["docx.pdf"] = folder / "office" / f"{files['docx'].stem}.pdf"
    if chromium := shutil.which("chromium"):
        target = files["html"].with_suffix(".pdf")
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--print-to-pdf={target}",
            files["html"].as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True)
        found["html.pdf"] = target
    return found


def plain(text):
    """Return what is compared of a clause."""
    return re.sub(r"\W+", " ", text).strip().casefold()


def measured(path, clauses, scorer, folder):
    """Return the figures of one scope in one file: found, labelled, apart, margin, spread and the smaller share."""
    model = scorer.model
    options = Options(split=True)
    score_file(path, folder / "split.csv", scorer, options=options, force=True, tell=lambda _: None)
    rows = pd.read_csv(folder / "split.csv", keep_default_na=False)
    found = dict(zip(rows["text"].map(plain), rows["label"], strict=True))
    true = clauses[clauses["kind"] != "heading"]
    answers = true["text"].map(plain).map(found)
    work = true["label"] != ""
    n_words = true["text"].str.split().str.len()
    truth = np.array([n_words[true["label"] == label].sum() for label in model.labels]) / n_words[work].sum()
    counted = rows[rows["weight"] > 0]
    proba = counted[[f"p_{label}" for label in model.labels]].to_numpy()
    made_of = mixture(
        proba, counted["weight"].to_numpy(), counted["words"].to_numpy(float), model.prior, model.n_in_scope
    )
    return (
        answers.notna().mean(),
        (answers == true["label"])[work & answers.notna()].mean(),
        np.abs(made_of.shares - truth).max(),
        made_of.margin,
        made_of.disagreement >= model.mixed,
        np.sort(truth[: model.n_in_scope])[-2],
        ((rows["label"] == rows["label"]) & (rows["weight"] == 0)).mean(),
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--as", dest="kinds", nargs="+", default=["html", "docx", "docx.pdf", "html.pdf"])
    kinds = parser.parse_args().kinds
    scopes = pd.read_csv(ROOT / "data" / "scopes.csv", dtype=str, keep_default_na=False)
    scorer = Scorer(default_model())
    figures = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scope, clauses in scopes.groupby("scope"):
            files = write(scope, parts_of(scope, clauses), folder)
            if any("pdf" in kind for kind in kinds):
                files |= printed(files, folder)
            for kind in set(kinds) & set(files):
                figures[kind].append(measured(files[kind], clauses, scorer, folder))
    print(
        "| file | scopes | clauses found | label right | within 8 points | in the interval | width | mixed | others |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, of_kind in figures.items():
        found, right, apart, margin, is_mixed, minor, _ = np.array(of_kind, float).T
        print(
            f"| {kind} | {len(found)} | {found.mean():.3f} | {right.mean():.3f} | {(apart <= WITHIN).sum()} "
            f"| {(apart <= margin).sum()} | {np.median(2 * margin):.2f} "
            f"| {is_mixed[minor >= MINOR].sum():.0f} of {(minor >= MINOR).sum()} "
            f"| {is_mixed[minor < MINOR].sum():.0f} of {(minor < MINOR).sum()} |"
        )


if __name__ == "__main__":
    main()
