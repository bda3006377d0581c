"""Files that are begun anew: their number, their mode, and a disk without room."""

import os
import resource
import stat
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.files import RotatingFile

HEADER = b"header\n"


def rotating(folder: Path, max_size: int = 20, max_files: int = 3) -> RotatingFile:
    return RotatingFile(folder / "messages.log", HEADER, max_size=max_size, max_files=max_files)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """Let no file of this process grow over `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_file_is_followed_by_another_and_the_oldest_goes(tmp_path: Path) -> None:
    file = rotating(tmp_path / "traces")
    for number in range(1, 8):
        assert file.append([b"block %d\n" % number] * 1) == (1, None)
    file.close()
    assert contents(tmp_path / "traces") == {
        "messages.log": HEADER + b"block 7\n",
        "messages.1.log": HEADER + b"block 6\n",
        "messages.2.log": HEADER + b"block 5\n",
    }


def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    file = rotating(tmp_path / "a" / "traces")
    file.append([b"x" * 20] * 3)
    file.close()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "traces").iterdir()]
    assert modes == [0o600] * 3
    assert stat.S_IMODE((tmp_path / "a" / "traces").stat().st_mode) == 0o700


def test_a_file_that_was_there_is_kept_and_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "messages.log").symlink_to(victim)
    for number in (2, 3, 7):
        (folder / f"messages.{number}.log").write_bytes(b"old")
    (folder / "messages.old.log").write_bytes(b"somebody else's")
    file = rotating(folder)
    file.append([b"new\n"])
    file.close()
    assert victim.read_bytes() == b"precious"
    assert contents(folder) == {
        "messages.log": HEADER + b"new\n",
        "messages.1.log": b"precious",
        "messages.old.log": b"somebody else's",
    }


def test_files_that_are_too_many_go_at_the_first_start(tmp_path: Path) -> None:
    for number in (1, 2, 3, 12):
        (tmp_path / f"messages.{number}.log").write_bytes(b"old")
    file = rotating(tmp_path)
    file.open()
    file.close()
    assert set(os.listdir(tmp_path)) == {"messages.log", "messages.1.log", "messages.2.log"}


def test_one_file_alone_is_kept(tmp_path: Path) -> None:
    file = rotating(tmp_path / "traces", max_files=1)
    file.append([b"block 1\n", b"block 2\n"])
    file.close()
    assert contents(tmp_path / "traces") == {"messages.log": HEADER + b"block 2\n"}


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20), st.integers(1, 4))
def test_all_that_is_kept_is_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes], at_once: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    file = rotating(folder / "traces", max_files=100)
    file.open()
    for first in range(0, len(blocks), at_once):
        part = blocks[first : first + at_once]
        assert file.append(part) == (len(part), None)
    file.close()
    numbered = sorted(
        (folder / "traces").iterdir(),
        key=lambda path: int(path.name.split(".")[1]) if path.name.count(".") == 2 else 0,
        reverse=True,
    )
    parts = [path.read_bytes() for path in numbered]
    assert all(part.startswith(HEADER) for part in parts)
    assert b"".join(part.removeprefix(HEADER) for part in parts) == b"".join(blocks)
    assert all(len(part) <= max(20, len(HEADER) + 30) for part in parts)


def test_what_does_not_fit_on_the_disk_is_taken_back_whole(tmp_path: Path) -> None:
    file = rotating(tmp_path / "traces", max_size=10_000)
    with largest_file(100):
        written, error = file.append([b"a" * 60 + b"\n"])
        assert (written, error) == (1, None)
        written, error = file.append([b"b" * 60 + b"\n"])
        assert written == 0
        assert error is not None
        written, error = file.append([b"c" * 9 + b"\n", b"e" * 5 + b"\n", b"f" * 30])
        assert (written, error is None) == (2, False)
    assert file.append([b"d\n"]) == (1, None)
    file.close()
    expected = HEADER + b"a" * 60 + b"\n" + b"c" * 9 + b"\neeeee\nd\n"
    assert contents(tmp_path / "traces") == {"messages.log": expected}


def test_a_disk_without_room_for_the_header(tmp_path: Path) -> None:
    file = rotating(tmp_path / "traces")
    with largest_file(3):
        written, error = file.append([b"a\n"])
        assert written == 0
        assert error is not None
        with pytest.raises(OSError):
            file.open()
    assert file.append([b"b\n"]) == (1, None)
    file.close()
    assert contents(tmp_path / "traces") == {"messages.log": HEADER + b"b\n"}


def test_a_disk_that_is_full_in_truth(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        file = rotating(disk, max_size=1_000_000)
        block = b"x" * 999 + b"\n"
        written, error = file.append([block])
        assert (written, error) == (1, None)
        while error is None:
            written, error = file.append([block])
        assert error.errno == 28  # ENOSPC
        before = (disk / "messages.log").read_bytes()
        assert before.removeprefix(HEADER) == block * (len(before) // 1000)
        file.close()
        (disk / "messages.log").unlink()
        assert file.append([block]) == (1, None)
        file.close()
        assert contents(disk) == {"messages.log": HEADER + block}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    written, error = rotating(tmp_path / "file" / "traces").append([b"a\n"])
    assert written == 0
    assert isinstance(error, NotADirectoryError)
    assert os.listdir(tmp_path) == ["file"]
