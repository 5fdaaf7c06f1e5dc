"""How workbooks are written, and given up."""

import gc
import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from outsort.tables.workbooks.workbook import Workbook


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), OSError(28, "No space left on device")])
def test_a_workbook_that_is_given_up_says_nothing_and_leaves_nothing(error, tmp_path, monkeypatch, capfd):
    # What zipfile has begun it ends when it is deleted: by then, the stream was closed, and Python told of it.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stream = io.BytesIO()
    book = Workbook(stream)
    book.add_sheet("one", ["text"], [10])

    def write(archive, *_):
        # As by a signal, in the midst of the first part.
        archive.fp.write(b"half")
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "write", write)
        with pytest.raises(type(error)):
            book.close()
    stream.close()
    assert list(Path(tmp_path).iterdir()) == []
    # It holds what was under way.
    error.__traceback__ = None
    del book
    gc.collect()
    assert capfd.readouterr().err == ""
