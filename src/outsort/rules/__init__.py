"""House rules: people's own rules, which decide before the model."""
