"""Improve data and models: check, review, merge, retrain, plan."""
