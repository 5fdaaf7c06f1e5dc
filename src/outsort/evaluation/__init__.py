"""Evaluate a model on labelled texts, or compare two."""
