"""The file of those who have a password: who they are, and the digests of their passwords.

One line for each user, realm and algorithm, `user:realm:ALGORITHM:digest`; blank lines and lines
that begin with `#` are left alone. A digest is H(A1) of RFC 7616 section 3.4.2, in hexadecimal.
There is no password in the file, yet a digest is as good as the password for its realm, so nobody
but the owner may read it.

A change is taken up with the next look-up. The running server stays with what it knows when the
new contents cannot be used, and says so in the log: a slip of the pen locks nobody out, and lets
nobody in. Writers replace the whole file in one step and keep each other out; readers need no
lock.
"""

import fcntl
import logging
import os
import re
import stat
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sylk.errors import ConfigError
from sylk.sip.authenticator import DEFAULT_ALGORITHMS
from sylk.sip.digest import PASSWORD_ALGORITHMS, StoredUser, hash_password

logger = logging.getLogger("sylk.users")

USERS_FILE = "users"
"""Its name in the spool directory."""

MAX_FILE_SIZE = 16 * 1024**2
"""The largest file that is read, in bytes: about 90,000 users."""

MAX_NAME = 255
"""How long a user or realm may be, in characters."""

_MODE = 0o600
_DIGITS = {name: len(hash_password("", "", "", name)) for name in PASSWORD_ALGORITHMS}
_DIGEST = re.compile(r"[0-9a-f]+")

Name = tuple[str, str]  # user, realm
# What of a file changes when its contents do: time, size, inode.
_Version = tuple[int, int, int]


@dataclass(slots=True)
class _Contents:
    """A file that was read: its lines as they stand, and what they mean."""

    lines: list[str] = field(default_factory=list[str])
    owners: list[Name | None] = field(default_factory=list[Name | None])  # line by line
    users: dict[Name, StoredUser] = field(default_factory=dict[Name, StoredUser])


class UserFile:
    """The users in the file at `path`; a file that is not there has none."""

    def __init__(
        self,
        path: Path,
        *,
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        max_size: int = MAX_FILE_SIZE,
    ) -> None:
        """Read the file; raises ConfigError, with the line, if it cannot be used.

        `algorithms` are those for which `set_password` keeps a digest, `max_size` is in bytes.
        """
        self.path = path
        self._algorithms = tuple(algorithms)
        self._max_size = max_size
        self._version = self._look()
        self._users = self._read().users

    def find(self, username: str, realm: str) -> StoredUser | None:
        """Return what is kept of the user's password, None for nobody. Never raises."""
        self._refresh()
        return self._users.get((username, realm))

    def names(self) -> list[Name]:
        """Return everybody as (user, realm), sorted by realm."""
        self._refresh()
        return sorted(self._users, key=lambda name: (name[1], name[0]))

    def set_password(self, username: str, realm: str, password: str) -> None:
        """Give a user, new or not, a password. Raises ConfigError."""
        _check_name(username, "a user name", self.path)
        _check_name(realm, "a realm", self.path)
        if ":" in username or username.startswith("#"):
            raise ConfigError(
                "a user name holds no colon and does not begin with #", file=str(self.path)
            )
        self._change(
            (username, realm),
            [
                f"{username}:{realm}:{name}:{hash_password(username, realm, password, name)}"
                for name in self._algorithms
            ],
        )

    def remove(self, username: str, realm: str) -> bool:
        """Take a user's password away; False if there was none. Raises ConfigError."""
        return self._change((username, realm), [])

    def _refresh(self) -> None:
        try:
            version = self._look()
            if version == self._version:
                return
            # Even if it cannot be used: that is said once.
            self._version = version
            self._users = self._read().users
        except ConfigError as error:
            logger.error("the users stay as they were: %s", error)
        else:
            logger.info("%s was read again: %d users", self.path, len(self._users))

    def _look(self) -> _Version | None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error) from None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> _Contents:
        try:
            with open(self.path, "rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    logger.warning("%s can be read by others: set its mode to 600", self.path)
                data = file.read(self._max_size + 1)
        except FileNotFoundError:
            return _Contents()
        except OSError as error:
            raise self._error(error) from None
        if len(data) > self._max_size:
            raise ConfigError(f"is larger than {self._max_size} bytes", file=str(self.path))
        return _parse(data, self.path)

    def _change(self, name: Name, new: list[str]) -> bool:
        """Put `new` in the place of the lines of a user; tell whether there were any."""
        path = Path(os.path.realpath(self.path))
        try:
            if new:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                return False
            with _locked(path):
                contents = self._read()
                known = name in contents.users
                pairs = zip(contents.lines, contents.owners, strict=True)
                kept = [line for line, owner in pairs if owner != name]
                at = contents.owners.index(name) if known else len(kept)
                if known or new:
                    _replace(path, "".join(f"{line}\n" for line in kept[:at] + new + kept[at:]))
        except OSError as error:
            raise self._error(error) from None
        return known

    def _error(self, error: OSError) -> ConfigError:
        return ConfigError(error.strerror or str(error), file=str(self.path))


def _parse(data: bytes, path: Path) -> _Contents:
    contents = _Contents()
    digests: dict[Name, dict[str, str]] = {}
    for number, raw in enumerate(data.splitlines(), 1):
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise ConfigError("is no UTF-8", file=str(path), line=number) from None
        contents.lines.append(line)
        if not line.strip() or line.startswith("#"):
            contents.owners.append(None)
            continue
        name, algorithm, digest = _parse_line(line, path, number)
        contents.owners.append(name)
        known = digests.setdefault(name, {})
        if algorithm in known:
            raise ConfigError(
                f"{'@'.join(name)} has two {algorithm} digests", file=str(path), line=number
            )
        known[algorithm] = digest
    contents.users = {name: StoredUser(ha1) for name, ha1 in digests.items()}
    return contents


def _parse_line(line: str, path: Path, number: int) -> tuple[Name, str, str]:
    # A realm may hold colons, as an IPv6 address does; the other three hold none.
    username, _, rest = line.rstrip().partition(":")
    realm, algorithm, digest = (["", "", *rest.rsplit(":", 2)])[-3:]
    digest = digest.lower()
    if len(digest) != _DIGITS.get(algorithm) or not _DIGEST.fullmatch(digest):
        listed = ", ".join(PASSWORD_ALGORITHMS)
        raise ConfigError(
            f"must be user:realm:ALGORITHM:digest with one of {listed}",
            file=str(path),
            line=number,
        )
    _check_name(username, "a user name", path, number)
    _check_name(realm, "a realm", path, number)
    return (username, realm), algorithm, digest


def _check_name(name: str, what: str, path: Path, line: int | None = None) -> None:
    if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"{what} is 1 to {MAX_NAME} characters that can be printed, without spaces around",
            file=str(path),
            line=line,
        )


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Keep other writers out of the folder of `path`; does not wait for them."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError("somebody else is changing it: try again", file=str(path)) from None
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """Write a file beside `path` and put it in its place; readers see the old or the new one."""
    try:
        owner = os.stat(path)
    except FileNotFoundError:
        owner = os.stat(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(descriptor, _MODE)
            if os.geteuid() == 0:
                # The server, which is not root, must be able to read what root has written.
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
