"""Tests of sylk.net.hosts_file."""

import os
from pathlib import Path

from sylk.net.hosts_file import HostsFile, version_of


def hosts(path: Path, text: str | bytes, *, max_bytes: int = 1000) -> HostsFile:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    file = HostsFile(path, max_bytes=max_bytes)
    file.read()
    return file


def test_names_and_aliases_have_all_their_addresses(tmp_path: Path) -> None:
    file = hosts(
        tmp_path / "hosts",
        "127.0.0.1 localhost\n"
        "# 192.0.2.7 no.example.com\n"
        "192.0.2.1\tSip.Example.com. sip  # the old one\r\n"
        "2001:db8::1 sip sip\n"
        "\n",
    )
    assert file.addresses("localhost") == ("127.0.0.1",)
    assert file.addresses("sip.example.com") == ("192.0.2.1",)
    assert file.addresses("SIP.") == ("192.0.2.1", "2001:db8::1")
    assert file.addresses("no.example.com") == ()
    assert file.addresses("old") == ()


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    file = hosts(
        tmp_path / "hosts", b"\xff\x00 a\n300.1.1.1 b\nfe80::1%lo0 c\n192.0.2.1\n192.0.2.2 d\n"
    )
    assert [file.addresses(name) for name in ("a", "b", "c")] == [(), (), ()]
    assert file.addresses("d") == ("192.0.2.2",)


def test_a_file_that_is_not_there_has_no_names(tmp_path: Path) -> None:
    file = HostsFile(tmp_path / "hosts")
    assert file.has_changed()
    file.read()
    assert not file.has_changed()
    assert file.addresses("localhost") == ()


def test_a_change_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    file = hosts(path, "192.0.2.1 a\n")
    assert not file.has_changed()
    path.write_text("192.0.2.22 a\n")
    assert file.has_changed()
    assert file.addresses("a") == ("192.0.2.1",)
    file.read()
    assert file.addresses("a") == ("192.0.2.22",)
    path.unlink()
    assert file.has_changed()
    file.read()
    assert file.addresses("a") == ()


def test_a_new_file_of_the_same_size_and_time_is_another(tmp_path: Path) -> None:
    old, new = tmp_path / "hosts", tmp_path / "hosts.new"
    file = hosts(old, "192.0.2.1 a\n")
    new.write_text("192.0.2.2 a\n")
    times = old.stat()
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.replace(old)
    assert version_of(old)[:2] == (times.st_mtime_ns, times.st_size)
    assert file.has_changed()


def test_a_long_file_is_read_up_to_the_bound(tmp_path: Path) -> None:
    file = hosts(tmp_path / "hosts", "192.0.2.1 a\n" + "#" * 20 + "\n192.0.2.2 b\n", max_bytes=20)
    assert file.addresses("a") == ("192.0.2.1",)
    assert file.addresses("b") == ()
