"""Measure models on labelled texts, and compare two."""
