import errno
import io
import os

import pytest

from outsort.errors import DataError, OutputError
from outsort.files import decode, sniff_encoding, sweep, written_whole


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encodings_of_spreadsheets_are_told_apart(encoding):
    text = 'text,label\n"Übersetzung, 500 €",BPO\n' + "translate “quotes”,BPO\n" * 5
    found, name = decode(text.encode(encoding), "f.csv")
    assert found == text
    assert name == encoding.removesuffix("-sig")


def test_utf_16_without_a_mark_and_without_western_letters_is_not_guessed():
    # It cannot be told from cp1252; the reader gets an error or the right text, never a NUL.
    with pytest.raises(DataError, match=r"f\.csv: line 1 is not valid utf-8 or cp1252\."):
        decode(b"a,b\x81\x8d", "f.csv")


@pytest.mark.parametrize("at", [0, 1000, 70_000])
def test_a_bad_byte_does_not_make_a_file_of_utf_8_another(at):
    # Further on, and far beyond what a guess from the head would see, are the characters that tell.
    content = b"n,text\n".ljust(at, b"x") + b"\xff" + b"key invoices\n" * 100_000 + "Büro für 翻訳\n".encode()
    assert sniff_encoding(io.BytesIO(content)) == "utf-8"


def test_letters_of_cp1252_that_look_like_utf_8_do_not_make_it_so():
    # Ã¼ is the two bytes that are ü in UTF-8.
    content = "Größe;Maß\nBüro;Straße\nkaputtes Ã¼;x\n".encode("cp1252")
    assert sniff_encoding(io.BytesIO(content)) == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_found_in_either_byte_order(encoding):
    stream = io.BytesIO("text,label\nÜbersetzung,BPO\n".encode(encoding))
    assert sniff_encoding(stream) == encoding
    assert stream.tell() == 0


def test_a_file_that_ends_within_a_character_is_what_the_rest_of_it_is():
    assert sniff_encoding(io.BytesIO("Büro für ü".encode()[:-1])) == "utf-8"
    assert sniff_encoding(io.BytesIO("Caf\xe9".encode("cp1252"))) == "cp1252"


def test_a_file_is_written_atomically(tmp_path):
    with written_whole(tmp_path / "out", force=False) as file:
        file.write(b"content")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"content"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_output_is_as_readable_as_any_file(tmp_path):
    (tmp_path / "ordinary").touch()
    with written_whole(tmp_path / "out", force=False):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_after_an_error_only_the_old_file_is_left(tmp_path, error):
    (tmp_path / "out").write_bytes(b"old")

    def fail_half_way():
        with written_whole(tmp_path / "out", force=True) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        fail_half_way()
    assert (tmp_path / "out").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_one_message_and_no_half_file(tmp_path):
    with (
        pytest.raises(OutputError, match=r"out: cannot be written \(No space left on device\)"),
        written_whole(tmp_path / "out", force=False),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_only_the_temporary_files_of_a_killed_writer_are_removed(tmp_path):
    with written_whole(tmp_path / "a.csv", force=False) as file:
        (left,) = tmp_path.iterdir()
        kept = left.with_name(left.name.replace("a.csv", "b.csv"))
        for path in (kept, tmp_path / ".a.csv.notes", tmp_path / "c.part"):
            path.write_text("mine")
        file.write(b"whole")
    left.write_text("half")
    sweep([tmp_path / "a.csv", tmp_path / "nowhere" / "d.csv"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.csv.notes", kept.name, "a.csv", "c.part"]
