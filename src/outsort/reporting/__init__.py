"""Results for people: terminal tables, HTML reports, model cards."""
