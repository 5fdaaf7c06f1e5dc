"""Labelled datasets: reading, checking, identity of texts."""
