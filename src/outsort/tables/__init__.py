"""Tables in files: CSV, TSV, JSON Lines, Parquet and Excel, batch by batch."""
