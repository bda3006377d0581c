"""The one tree of errors: each says who is to blame and what to answer.

Anything that is not in this tree is a bug of ours and is meant to be loud.
"""

from collections.abc import Sequence


class SylkError(Exception):
    """The root of every error that Sylk raises on purpose."""


class LocalProtocolError(SylkError):
    """We were asked to do what the protocol does not allow in this state."""


class RemoteProtocolError(SylkError):
    """The peer broke a rule of its protocol; holds the status to answer with.

    `status` is a SIP or MSRP status code, `headers` are (name, value) pairs that the
    answer should carry (for example Retry-After or Unsupported).
    """

    def __init__(
        self, message: str, status: int = 400, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)


class TransportError(SylkError):
    """The network or the operating system let us down."""


class ListenError(TransportError):
    """A port cannot be listened on; `number` is the errno, for who knows a cure."""

    def __init__(
        self, transport: str, host: str, port: int, reason: object, number: int | None
    ) -> None:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__(f"cannot listen on {transport} {where}: {reason}")
        self.transport = transport
        self.host = host
        self.port = port
        self.number = number


class SessionEnded(SylkError):
    """The session is over; `reason` says why, in words, and `status` in numbers if there is one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class ConfigError(SylkError):
    """A setting cannot be used; names the place and what would be right."""

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        section: str | None = None,
        key: str | None = None,
    ) -> None:
        where = file or "settings"
        if line is not None:
            where += f":{line}"
        if section is not None:
            where += f": [{section}]"
        if key is not None:
            where += f" {key}"
        super().__init__(f"{where}: {message}")
        self.file = file
        self.line = line
        self.section = section
        self.key = key
