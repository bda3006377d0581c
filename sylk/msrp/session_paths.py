"""The paths of one session: what we write into requests and answers, and what we let in.

Only the session-ids of the first URIs are compared: hosts and ports change on the way through NAT
and border controllers, and all deployed clients do the same. A session-id has 80 random bits, so it
is what proves that the peer is the one the SDP exchange was with.
"""

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.frame import Frame, answer_path_lines
from sylk.msrp.uri import MsrpURI, Path, render_path


class SessionPaths:
    """Both paths, and the header lines made of them."""

    __slots__ = (
        "_answer_lines",
        "_raw_from",
        "_raw_to",
        "_remote",
        "_report_lines",
        "local",
        "request_lines",
    )

    def __init__(self, local: Path) -> None:
        if not local or not local[-1].session_id:
            raise LocalProtocolError("a local path must end in a URI with a session-id")
        self.local = local
        self.request_lines = b""
        """The path lines of our requests, empty as long as the remote path is not known."""
        self._remote: Path = ()
        # The paths of the last frame as they stood in it, and what goes back to such a frame.
        self._answer_lines = b""
        self._report_lines = b""
        self._raw_to: bytes = b""
        self._raw_from: bytes = b""

    @property
    def remote(self) -> Path:
        """The path that the peer gave, empty while unknown."""
        return self._remote

    @remote.setter
    def remote(self, path: Path) -> None:
        self._remote = path
        self._raw_to = b""
        self._raw_from = b""
        self.request_lines = b""
        if path:
            to_path = render_path(self._outward(path))
            self.request_lines = f"To-Path: {to_path}\r\nFrom-Path: {self.local[-1]}\r\n".encode()

    def _outward(self, remote: Path) -> Path:
        """Return the way to the peer: our relays, the nearest first (RFC 4976 section 5.1)."""
        return self.local[-2::-1] + remote

    def admit(self, frame: Frame) -> int:
        """Check the paths of a frame: 0, or the status to refuse it with (400 or 481)."""
        if frame.from_path == self._raw_from and frame.to_path == self._raw_to:
            return 0
        try:
            sender = MsrpURI.parse(frame.from_path.partition(b" ")[0])
        except RemoteProtocolError as error:
            return error.status
        if self._remote:
            expected = self._outward(self._remote)[0]
            if sender.session_id != expected.session_id:
                return 481
        self._raw_from = frame.from_path
        self._raw_to = frame.to_path
        own = frame.to_path.partition(b" ")[0]
        self._answer_lines = answer_path_lines(own, frame.from_path, whole=False)
        self._report_lines = answer_path_lines(own, frame.from_path, whole=True)
        if not self.request_lines:
            self.request_lines = self._report_lines
        return 0

    def answer_lines_for(self, frame: Frame) -> bytes:
        """Return the path lines of the answer to a SEND: one hop back."""
        if frame.from_path == self._raw_from and frame.to_path == self._raw_to:
            return self._answer_lines
        return answer_path_lines(frame.to_path, frame.from_path, whole=False)

    def report_lines_for(self, frame: Frame) -> bytes:
        """Return the path lines of a REPORT on a SEND: the whole way back."""
        if frame.from_path == self._raw_from and frame.to_path == self._raw_to:
            return self._report_lines
        return answer_path_lines(frame.to_path, frame.from_path, whole=True)
