PYTHON ?= python

.PHONY: help test lint types docs

help:  ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

test:  ## Run the quick tests.
	$(PYTHON) -m pytest -q -m "not slow"

lint:  ## Check format, style and the imports between packages.
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

types:  ## Check types.
	$(PYTHON) -m mypy

docs:  ## Run what the documents show.
	$(PYTHON) -m pytest -q tests/test_documents.py
