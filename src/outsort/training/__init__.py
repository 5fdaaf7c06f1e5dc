"""Train models and validate them on held-out rows."""
