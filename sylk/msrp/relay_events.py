"""What a relay tells whoever runs it."""

from dataclasses import dataclass

from sylk.msrp.connection import MsrpConnection


@dataclass(slots=True)
class PathGranted:
    """A client has proven who it is and got a path, or more time for one that it had."""

    link: MsrpConnection
    username: str
    expires: int


@dataclass(slots=True)
class AuthRefused:
    """An AUTH request was refused; challenges are not told."""

    link: MsrpConnection
    status: int
    reason: str


@dataclass(slots=True)
class ConnectWanted:
    """`link` is a connection that is to be opened; tell `opened` or `closed` what came of it."""

    link: MsrpConnection
    host: str
    port: int
    secure: bool


@dataclass(slots=True)
class CloseWanted:
    """`link` does what it should not, or, with `if_idle`, is of no use unless it has sessions."""

    link: MsrpConnection
    reason: str
    if_idle: bool = False


RelayEvent = PathGranted | AuthRefused | ConnectWanted | CloseWanted
