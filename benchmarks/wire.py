"""A chat client of text templates and blocking sockets, which uses nothing of Sylk.

It does what deployed clients do: INVITE over TCP, ACK, connect to the path of the answer, bind with
an empty SEND, answer what wants an answer, and BYE.
"""

import itertools
import os
import re
import socket
import ssl

HOST = "127.0.0.1"
BODY_SIZE = 200
"""Bytes of text in each chat message."""

_PATIENCE = 20.0
"""Seconds that anything may take."""

FRAME = re.compile(
    rb"MSRP (\S+) ([A-Z]+|[0-9]{3})[^\r\n]*\r\n(.*?)\r\n-------\1[$+#]\r\n", re.DOTALL
)
TO_PATH = re.compile(rb"^To-Path: ([^\r\n]+)", re.MULTILINE)
FROM_PATH = re.compile(rb"^From-Path: ([^\r\n]+)", re.MULTILINE)
_QUIET = re.compile(rb"^Failure-Report: (?:no|partial)", re.MULTILINE)
SDP_PATH = re.compile(r"^a=path:(\S+)", re.MULTILINE)
CONTACT = re.compile(r"^Contact:[^<\r\n]*<([^>]+)>", re.MULTILINE)
TO = re.compile(r"^To: *([^\r\n]+)", re.MULTILINE)
_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]+)", re.IGNORECASE)

REQUEST = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/TCP {host}:{port};rport;branch=z9hG4bK{branch}
Max-Forwards: 70
From: "{name}" <sip:{user}@{host}>;tag={tag}
To: {to}
Call-ID: {call_id}
CSeq: {cseq} {method}
Contact: <sip:{user}@{host}:{port};transport=tcp>
User-Agent: bench
{more}Content-Length: {length}

"""

OFFER = """\
v=0
o=- 1142306750 1 IN IP4 {host}
s=chat
c=IN IP4 {host}
t=0 0
m=message 2855 TCP/MSRP *
a=path:{path}
a=accept-types:message/cpim text/* application/im-iscomposing+xml
a=accept-wrapped-types:*
a=setup:active
a=chatroom:nickname private-messages
"""


class LoadError(Exception):
    """The other side did not do what the benchmark needs."""


def answer_frame(transaction: bytes, rest: bytes) -> bytes:
    """Return the 200 for a SEND, empty where its sender wants none."""
    paths = FROM_PATH.search(rest), TO_PATH.search(rest)
    if _QUIET.search(rest) is not None or paths[0] is None or paths[1] is None:
        return b""
    return b"MSRP %b 200 OK\r\nTo-Path: %b\r\nFrom-Path: %b\r\n-------%b$\r\n" % (
        transaction,
        paths[0][1],
        paths[1][1],
        transaction,
    )


def message_template(paths: str, name: str, user: str, target: str) -> bytes:
    """Return a SEND of a CPIM-wrapped text, to be formatted with its number four times."""
    text = "#%08d# " + "Nobody reads this, but it has the length that is wanted. " * 4
    # Formatted, a place of four bytes becomes a number of eight.
    content = text[: BODY_SIZE - 4]
    cpim = (
        f"From: {name} <sip:{user}@{HOST}>\r\nTo: <{target}>\r\n"
        "DateTime: 2026-01-01T12:00:00.000000+00:00\r\n\r\n"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{content}"
    )
    size = len(cpim) + 4
    return (
        f"MSRP t%08dx SEND\r\n{paths}Message-ID: m%08dx\r\n"
        f"Byte-Range: 1-{size}/{size}\r\nContent-Type: message/cpim\r\n\r\n"
        f"{cpim}\r\n-------t%08dx$\r\n"
    ).encode()


def connect(port: int) -> socket.socket:
    """Open a TCP connection to this machine that waits for no larger packets."""
    sock = socket.create_connection((HOST, port), timeout=_PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect_tls(port: int) -> ssl.SSLSocket:
    """Open a TLS connection to this machine, whatever certificate it shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connect(port))


class SipConnection:
    """One SIP connection over TCP; any number of calls, one after the other, may use it."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)
        self._buffer = b""
        self.port: int = self._socket.getsockname()[1]

    def send(self, text: str) -> None:
        """Send one message."""
        self._socket.sendall(text.encode())

    def response_to(self, call_id: str, cseq: str) -> str:
        """Wait for the final response of a transaction; raises LoadError for a failure."""
        while True:
            message = self._receive()
            if f"Call-ID: {call_id}\r" not in message or f"CSeq: {cseq}\r" not in message:
                continue
            status = message[8:11]
            if status >= "300":
                raise LoadError(f"{cseq} was answered: {message.partition(chr(13))[0]}")
            if status >= "200":
                return message

    def _receive(self) -> str:
        while True:
            head, blank, rest = self._buffer.lstrip(b"\r\n").partition(b"\r\n\r\n")
            if blank:
                match = _LENGTH.search(head)
                length = int(match[1]) if match is not None else 0
                if len(rest) >= length:
                    self._buffer = rest[length:]
                    return (head + blank + rest[:length]).decode()
            data = self._socket.recv(65536)
            if not data:
                raise LoadError("the server closed the SIP connection")
            self._buffer += data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class ChatSession:
    """One participant: a call, and the MSRP connection of its session."""

    def __init__(self, sip: SipConnection, target: str, user: str, *, secure: bool = False) -> None:
        """Call `target`, a SIP URI, and bind, if `secure` over TLS; raises LoadError."""
        self._sip = sip
        self.target = target
        self.user = user
        self.name = user.capitalize()
        self._tag = os.urandom(5).hex()
        self._call_id = os.urandom(10).hex()
        self._cseq = 1
        self._to = f"<{target}>"
        self._remote_target = target
        self._buffer = b""
        self._numbers = itertools.count()
        scheme = "msrps" if secure else "msrp"
        self.local_path = f"{scheme}://{HOST}:2855/{os.urandom(10).hex()};tcp"
        self.remote_path = self._invite(secure=secure)
        port = int(self.remote_path.partition("//")[2].partition("/")[0].rpartition(":")[2])
        self.socket: socket.socket = connect_tls(port) if secure else connect(port)
        self._bind()

    # SIP

    def _invite(self, *, secure: bool) -> str:
        offer = OFFER.format(host=HOST, path=self.local_path).replace("\n", "\r\n")
        if secure:
            offer = offer.replace("TCP/MSRP", "TCP/TLS/MSRP")
        self._request("INVITE", "Content-Type: application/sdp\n", offer)
        answer = self._sip.response_to(self._call_id, "1 INVITE")
        contact, to, path = CONTACT.search(answer), TO.search(answer), SDP_PATH.search(answer)
        if contact is None or to is None or path is None:
            raise LoadError(f"the answer lacks something:\n{answer}")
        self._remote_target, self._to = contact[1], to[1]
        self._request("ACK")
        return path[1]

    def _request(self, method: str, more: str = "", body: str = "") -> None:
        head = REQUEST.format(
            method=method,
            uri=self._remote_target,
            host=HOST,
            port=self._sip.port,
            branch=os.urandom(8).hex(),
            name=self.name,
            user=self.user,
            tag=self._tag,
            to=self._to,
            call_id=self._call_id,
            cseq=self._cseq,
            more=more,
            length=len(body),
        )
        self._sip.send(head.replace("\n", "\r\n") + body)

    def leave(self) -> None:
        """Say BYE, wait for its 200 and close the MSRP connection."""
        self.say_bye()
        self._sip.response_to(self._call_id, f"{self._cseq} BYE")
        self.socket.close()

    def say_bye(self) -> None:
        """Say BYE, and wait for nothing."""
        self._cseq += 1
        self._request("BYE")

    # MSRP

    def _bind(self) -> None:
        transaction = f"b{next(self._numbers)}"
        head = f"MSRP {transaction} SEND\r\n{self.paths()}Message-ID: {transaction}\r\n"
        end = f"Byte-Range: 1-0/0\r\n-------{transaction}$\r\n"
        self.socket.sendall((head + end).encode())
        method = self._frame()[1]
        if method != b"200":
            raise LoadError(f"the bind was answered with {method.decode()}")

    def await_message(self) -> None:
        """Wait for one message and answer it, if it wants to be."""
        transaction, method, rest = self._frame()
        if method != b"SEND":
            raise LoadError(f"{method.decode()} came in place of a message")
        self.socket.sendall(answer_frame(transaction, rest))

    def _frame(self) -> tuple[bytes, bytes, bytes]:
        """Return transaction id, method or status, and the rest of the next frame."""
        while (match := FRAME.match(self._buffer)) is None:
            data = self.socket.recv(65536)
            if not data:
                raise LoadError("the server closed the MSRP connection")
            self._buffer += data
        self._buffer = self._buffer[match.end() :]
        return match[1], match[2], match[3]

    def paths(self) -> str:
        """Return the two path lines of what is sent."""
        return f"To-Path: {self.remote_path}\r\nFrom-Path: {self.local_path}\r\n"

    def message_template(self) -> bytes:
        """Return a SEND of a CPIM-wrapped text, to be formatted with its number four times."""
        return message_template(self.paths(), self.name, self.user, self.target)
