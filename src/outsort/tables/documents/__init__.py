"""Documents: PDF, Word, HTML, Markdown and plain text, read as passages in reading order."""
