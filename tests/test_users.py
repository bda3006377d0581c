"""The users file: what it takes, what it refuses, and that writers and readers do not collide."""

import fcntl
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import ConfigError
from sylk.sip.digest import hash_password
from sylk.users import MAX_NAME, UserFile

MD5 = hash_password("alice", "example.com", "secret", "MD5")
SHA256 = hash_password("alice", "example.com", "secret", "SHA-256")

name = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=":#"),
    min_size=1,
    max_size=20,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o600)
    return path


def ha1_of(users: UserFile, username: str = "alice", realm: str = "example.com") -> dict[str, str]:
    user = users.find(username, realm)
    return {} if user is None else dict(user.ha1)


def test_no_file_means_nobody(path: Path) -> None:
    users = UserFile(path)
    assert users.find("alice", "example.com") is None
    assert users.names() == []
    assert users.remove("alice", "example.com") is False
    assert not path.exists()


def test_a_password_is_kept_as_digests_alone(path: Path) -> None:
    users = UserFile(path)
    users.set_password("alice", "example.com", "secret")
    assert ha1_of(users) == {"MD5": MD5, "SHA-256": SHA256}
    assert users.find("alice", "example.org") is None
    assert "secret" not in path.read_text()
    assert set(path.read_text().splitlines()) == {
        f"alice:example.com:SHA-256:{SHA256}",
        f"alice:example.com:MD5:{MD5}",
    }


def test_the_digests_that_are_kept_can_be_chosen(path: Path) -> None:
    users = UserFile(path, algorithms=["SHA-256"])
    users.set_password("alice", "example.com", "secret")
    assert ha1_of(users) == {"SHA-256": SHA256}


def test_nobody_else_can_read_the_file(path: Path) -> None:
    before = os.umask(0)
    try:
        UserFile(path).set_password("alice", "example.com", "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["users"]


def test_a_file_that_others_can_read_is_complained_about(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, f"alice:example.com:MD5:{MD5}").chmod(0o640)
    assert ha1_of(UserFile(path)) == {"MD5": MD5}
    assert "can be read by others" in caplog.text


def test_a_new_password_takes_the_place_of_the_old_one(path: Path) -> None:
    write(
        path,
        "# staff",
        "",
        f"bob:example.com:MD5:{MD5}",
        f"alice:example.com:MD5:{'0' * 32}",
        "# guests",
        f"alice:example.com:SHA-256:{'0' * 64}",
        f"alice:example.org:MD5:{MD5}",
    )
    users = UserFile(path)
    users.set_password("alice", "example.com", "secret")
    users.set_password("carol", "example.com", "secret")
    lines = path.read_text().splitlines()
    assert lines[:7] == [
        "# staff",
        "",
        f"bob:example.com:MD5:{MD5}",
        f"alice:example.com:SHA-256:{SHA256}",
        f"alice:example.com:MD5:{MD5}",
        "# guests",
        f"alice:example.org:MD5:{MD5}",
    ]
    assert [line.partition(":")[0] for line in lines[7:]] == ["carol", "carol"]
    assert users.names() == [
        ("alice", "example.com"),
        ("bob", "example.com"),
        ("carol", "example.com"),
        ("alice", "example.org"),
    ]


def test_a_user_is_removed_and_nobody_else(path: Path) -> None:
    users = UserFile(path)
    users.set_password("alice", "example.com", "secret")
    users.set_password("bob", "example.com", "secret")
    assert users.remove("alice", "example.com") is True
    assert users.names() == [("bob", "example.com")]
    assert users.remove("alice", "example.com") is False


def write_in_place(path: Path) -> None:
    write(path, f"bob:example.com:MD5:{MD5}")


def set_password(path: Path) -> None:
    UserFile(path).set_password("bob", "example.com", "x")


def put_another_in_its_place(path: Path) -> None:
    os.replace(write(path.with_name("new"), f"bob:example.com:MD5:{MD5}", "#"), path)


@pytest.mark.parametrize("change", [write_in_place, set_password, put_another_in_its_place])
def test_a_change_is_taken_up_with_the_next_look_up(
    path: Path, change: Callable[[Path], object]
) -> None:
    UserFile(path).set_password("alice", "example.com", "secret")
    users = UserFile(path)
    assert users.find("bob", "example.com") is None
    change(path)
    assert users.find("bob", "example.com") is not None


def test_nobody_gets_in_once_the_file_is_gone(path: Path) -> None:
    users = UserFile(path)
    users.set_password("alice", "example.com", "secret")
    assert users.find("alice", "example.com") is not None
    path.unlink()
    assert users.find("alice", "example.com") is None


def test_a_change_that_cannot_be_used_is_logged_once_and_changes_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    users = UserFile(write(path, f"alice:example.com:MD5:{MD5}"))
    write(path, f"bob:example.com:MD5:{MD5}", "oops")
    with caplog.at_level(logging.ERROR, "sylk.users"):
        for _ in range(3):
            assert ha1_of(users) == {"MD5": MD5}
            assert users.find("bob", "example.com") is None
    assert caplog.text.count("users:2: must be user:realm:ALGORITHM:digest") == 1
    write(path, f"bob:example.com:MD5:{MD5}")
    assert users.find("bob", "example.com") is not None
    with pytest.raises(ConfigError):
        UserFile(write(path, "oops")).set_password("alice", "example.com", "secret")
    assert path.read_text() == "oops\n"


@pytest.mark.parametrize(
    "line",
    [
        f"# {MD5}",
        "   ",
        f"alice:example.com:MD5:{MD5}  ",
        f"alice:example.com:MD5:{MD5.upper()}",
    ],
)
def test_lines_that_are_fine(path: Path, line: str) -> None:
    assert set(ha1_of(UserFile(write(path, line))).values()) <= {MD5}


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "alice:secret",
        f"alice:MD5:{MD5}",
        f":example.com:MD5:{MD5}",
        f"alice::MD5:{MD5}",
        f" alice:example.com:MD5:{MD5}",
        f"alice: example.com:MD5:{MD5}",
        f"alice:example.com:md5:{MD5}",
        f"alice:example.com:MD5-sess:{MD5}",
        f"alice:example.com:SHA-256:{MD5}",
        f"alice:example.com:MD5:{MD5[1:]}",
        f"alice:example.com:MD5:g{MD5[1:]}",
        f"al\x1bice:example.com:MD5:{MD5}",
        f"{'a' * (MAX_NAME + 1)}:example.com:MD5:{MD5}",
    ],
)
def test_lines_that_are_not(path: Path, line: str) -> None:
    write(path, "# comment", f"bob:example.com:MD5:{MD5}", line)
    with pytest.raises(ConfigError) as caught:
        UserFile(path)
    assert (caught.value.file, caught.value.line) == (str(path), 3)
    # The line may hold what somebody took for the place of a password.
    assert "secret" not in str(caught.value)


def test_two_digests_of_one_kind(path: Path) -> None:
    line = f"alice:example.com:MD5:{MD5}"
    with pytest.raises(ConfigError, match=r"users:2: alice@example.com has two MD5 digests"):
        UserFile(write(path, line, line))


def test_what_is_no_text(path: Path) -> None:
    path.write_bytes(b"\n\xff\n")
    with pytest.raises(ConfigError, match=r"users:2: is no UTF-8"):
        UserFile(path)


def test_the_size_is_bounded(path: Path) -> None:
    write(path, "#" * 99)
    UserFile(path, max_size=100)
    with pytest.raises(ConfigError, match="larger than 99 bytes"):
        UserFile(path, max_size=99)


def test_what_is_no_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigError, match="directory"):
        UserFile(path)


@pytest.mark.parametrize(
    ("username", "realm"),
    [
        ("", "example.com"),
        ("alice", ""),
        ("al:ice", "example.com"),
        ("#alice", "example.com"),
        ("alice\n", "example.com"),
        ("alice", "example.com\nbob:x"),
        (" alice", "example.com"),
        ("alice\udcff", "example.com"),
        ("a" * (MAX_NAME + 1), "example.com"),
    ],
)
def test_names_that_the_file_cannot_hold(path: Path, username: str, realm: str) -> None:
    with pytest.raises(ConfigError):
        UserFile(path).set_password(username, realm, "secret")
    assert not path.exists()


def test_the_folder_is_made(tmp_path: Path) -> None:
    users = UserFile(tmp_path / "var" / "spool" / "users")
    users.set_password("alice", "example.com", "secret")
    assert users.names() == [("alice", "example.com")]


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    path.symlink_to(other / "real")
    UserFile(path).set_password("alice", "example.com", "secret")
    assert path.is_symlink()
    assert UserFile(other / "real").names() == [("alice", "example.com")]


def test_writers_keep_each_other_out(path: Path) -> None:
    users = UserFile(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="try again"):
            users.set_password("alice", "example.com", "secret")
    finally:
        os.close(folder)
    users.set_password("alice", "example.com", "secret")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    path = folder / "users"
    for _ in range(2):
        UserFile(path).set_password("alice", "example.com", "secret")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)


@given(username=name, realm=name | st.just("[2001:db8::1]:5060"), password=st.text(max_size=20))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, username: str, realm: str, password: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any" / "users"
    users = UserFile(path)
    users.set_password(username, realm, password)
    expected = {kind: hash_password(username, realm, password, kind) for kind in ("SHA-256", "MD5")}
    assert ha1_of(UserFile(path), username, realm) == expected
    users.remove(username, realm)
    assert path.read_bytes() == b""


@given(st.binary(max_size=200) | st.just(f"a:b:MD5:{MD5}\r".encode()))
def test_any_octets_are_a_file_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "octets"
    path.write_bytes(data)
    try:
        users = UserFile(path)
    except ConfigError:
        return
    assert len(users.names()) <= data.count(b"MD5")
