"""The spool folder: one server at a time, a layout that is brought forward, never back."""

import os
from pathlib import Path

import pytest

from sylk.spool import LAYOUT, LAYOUT_FILE, LOCK_FILE, Spool, SpoolError, holder_of, layout_of


def test_a_new_folder_has_the_layout_of_this_version(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "spool"
    spool = Spool.open(folder)
    assert layout_of(folder) == LAYOUT
    assert (folder / LOCK_FILE).read_text("ascii") == f"{os.getpid()}\n"
    spool.close()


def test_a_second_server_is_told_who_has_the_folder(tmp_path: Path) -> None:
    first = Spool.open(tmp_path)
    with pytest.raises(SpoolError, match=rf"in use by the server with the pid {os.getpid()}: end "):
        Spool.open(tmp_path)
    assert holder_of(tmp_path) == os.getpid()
    first.close()
    assert holder_of(tmp_path) is None
    Spool.open(tmp_path).close()


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "none") is None


def test_a_folder_of_before_the_layout_had_a_number_keeps_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "users").write_text("alice\n")
    Spool.open(tmp_path).close()
    assert layout_of(tmp_path) == LAYOUT
    assert (tmp_path / "users").read_text() == "alice\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layout", "lock", "tls", "users"]


def test_a_newer_folder_is_refused_and_let_go(tmp_path: Path) -> None:
    (tmp_path / LAYOUT_FILE).write_text(f"{LAYOUT + 1}\n")
    with pytest.raises(SpoolError, match=f"has layout {LAYOUT + 1}, of a newer version"):
        Spool.open(tmp_path)
    assert layout_of(tmp_path) == LAYOUT + 1
    assert holder_of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "one\n", "-1\n", "1.5\n"])
def test_a_layout_that_is_no_number_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / LAYOUT_FILE).write_text(text)
    with pytest.raises(SpoolError, match="layout holds no number"):
        Spool.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"cannot write in .*Not a directory.*set spool_dir"):
        Spool.open(tmp_path / "file" / "spool")
