"""Train models and measure them on held-out rows."""
