"""Workbooks: which sheets they have and what is in them, new ones, and copies with new columns."""
