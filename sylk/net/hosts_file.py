"""The hosts file: names that the administrator of this machine has given addresses (hosts(5))."""

from pathlib import Path

from sylk.sip.dns_records import is_address

HOSTS_FILE = Path("/etc/hosts")
MAX_HOSTS_BYTES = 1 << 20
"""How much of the file is read; some hold long lists of unwanted hosts."""


def version_of(path: Path) -> tuple[int, ...]:
    """Return what is another when the file is another, or is no more."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


class HostsFile:
    """The names in a hosts file; it is read anew when it has changed."""

    def __init__(self, path: Path = HOSTS_FILE, *, max_bytes: int = MAX_HOSTS_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._version: tuple[int, ...] | None = None
        self._addresses: dict[str, tuple[str, ...]] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of `name`, IPv4 and IPv6, none if the file does not have it."""
        return self._addresses.get(name.lower().removesuffix("."), ())

    def has_changed(self) -> bool:
        """Tell whether the file is another one than was read."""
        return version_of(self._path) != self._version

    def read(self) -> None:
        """Read the file; one that is not there, or cannot be read, has no names."""
        version = version_of(self._path)
        try:
            with self._path.open("rb") as file:
                text = file.read(self._max_bytes).decode("utf-8", "replace")
        except OSError:
            text = ""
        addresses: dict[str, tuple[str, ...]] = {}
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if not is_address(address):
                continue
            for name in {name.lower().removesuffix(".") for name in names}:
                addresses[name] = (*addresses.get(name, ()), address)
        self._addresses = addresses
        self._version = version
