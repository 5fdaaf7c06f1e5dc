"""The notebooks as they are read on GitHub; `.ci/run_notebooks.py` runs them."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_picture_is_followed_by_what_it_shows(path):
    shown = cells(path)
    for cell, after in zip(shown, [*shown[1:], {"cell_type": ""}], strict=True):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert after["cell_type"] == "markdown", cell["id"]
            assert not "".join(after["source"]).startswith("#"), cell["id"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_are_tables_or_sentences_and_no_warnings(path):
    for cell in cells(path):
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", cell["id"]
            written = "".join(output.get("data", {}).get("text/plain", ""))
            assert not written.startswith(("{", "(", "[")), cell["id"]


def test_the_page_on_notebooks_lists_them():
    page = (NOTEBOOKS[0].parent / "README.md").read_text(encoding="utf-8")
    assert all(f"]({path.name})" in page for path in NOTEBOOKS)
    assert "'.[notebooks]'" in page
