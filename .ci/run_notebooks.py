"""Run every notebook of a folder from top to bottom; an error in a cell, or no notebook, fails."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

notebooks = sorted(Path(sys.argv[1]).glob("*.ipynb"))
if not notebooks:
    sys.exit(f"{sys.argv[1]}: no notebooks")
for path in notebooks:
    notebook = nbformat.read(path, as_version=4)
    if not any(cell.get("outputs") for cell in notebook.cells):
        sys.exit(f"{path}: committed without outputs")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    print(f"{path}: runs")
