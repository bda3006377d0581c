"""MSRP without I/O: URIs, frames, sessions, connections (RFC 4975, 4976, 6135, 7701).

An engine for clients and servers. It has neither sockets nor a clock: bytes and the time (a float
in seconds, always of the same clock) are handed in, bytes and events are taken out.

Begin. Draw a session-id with `SessionRegistry.new_session_id`, make an `MsrpSession` of the path
that your SDP tells, set its `remote_path` from the SDP of the peer, and list it in the registry.
One `MsrpConnection` belongs to each TCP or TLS connection, and finds the sessions by the registry,
so that any number of them may share a port, and even a connection.

Bind. The side that connects calls `session.connected(connection, now)`; the other one calls
`session.await_connection(now)` and hands what it reads to the connection. Both learn `Bound`.

Receive. `connection.receive_data(data, now)` takes what one read has brought; then
`connection.next_event()` tells, one by one, what that means and to which session. When it raises
`RemoteProtocolError`, or the peer has closed, `connection.close(reason)` and close the socket.

Send. `session.send_message` puts one message into one chunk; `MessageAccepted`, `MessageFailed`
and `ReportReceived` tell what became of it. `FanOut` renders once what many sessions get. After
whatever may have said something, write `connection.data_to_send()`, all of it and in order.

Answer. A `MessageReceived` wants `session.accept` or `session.refuse`, once; a
`NicknameRequested` wants `session.answer_nickname`.

Deadlines. When `connection.next_deadline()` has come, call `connection.handle_deadline(now)`: what
was not answered fails, a silent peer is asked whether it is there, and given up. A session that
waits for its connection has a `next_deadline` and a `handle_deadline` of its own.

Streams. With `SessionLimits.stream_above` a larger message is told piece by piece: `PieceReceived`
until one of them `completes`, or `StreamAborted`; report on it with `reports`, or `refuse_stream`.
An `OutgoingStream` leaves in pieces by `session.streams`, and makes no other message wait.

Faults. With `SessionLimits.reconnect_timeout`, `connection.close(reason, now)` leaves its sessions
waiting for another connection: they tell `Detached`, keep what is to be sent, and tell `Rebound`
when the peer has named them on a new one, or we have called `session.connected` anew.

Ends. `session.close(reason)` ends one session: what was not answered has failed, `Closed` follows.
"""

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.events import (
    Bound,
    Closed,
    Detached,
    FanOutAnswered,
    IncomingMessage,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    MessageReported,
    NicknameAnswered,
    NicknameRequested,
    PieceReceived,
    Rebound,
    ReportReceived,
    SessionEvent,
    StreamAborted,
)
from sylk.msrp.fanout import FanOut
from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.outgoing_stream import OutgoingStream
from sylk.msrp.parser import Limits
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import MsrpURI, Path, parse_path, render_path

__all__ = [
    "Bound",
    "Closed",
    "Detached",
    "FanOut",
    "FanOutAnswered",
    "IncomingMessage",
    "IncomingStream",
    "Limits",
    "LocalProtocolError",
    "MessageAccepted",
    "MessageFailed",
    "MessageReceived",
    "MessageReported",
    "MsrpConnection",
    "MsrpSession",
    "MsrpURI",
    "NicknameAnswered",
    "NicknameRequested",
    "OutgoingStream",
    "Path",
    "PieceReceived",
    "Rebound",
    "RemoteProtocolError",
    "ReportReceived",
    "SessionEvent",
    "SessionLimits",
    "SessionRegistry",
    "SessionState",
    "StreamAborted",
    "parse_path",
    "render_path",
]
