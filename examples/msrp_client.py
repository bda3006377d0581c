"""Talk to an MSRP peer whose path is known: what is typed is sent, what comes is printed.

    python examples/msrp_client.py 'msrp://192.0.2.1:2855/SESSION;tcp' 'msrp://us:2855/OURS;tcp'

The peer has got our path, the second one, as it has told its own: by SDP, for one. Of Sylk it uses
the engine alone; sockets and the clock are Python's own.
"""

import select
import socket
import sys
import time

from sylk.msrp import (
    Closed,
    MessageFailed,
    MessageReceived,
    MsrpConnection,
    MsrpSession,
    SessionEvent,
    SessionRegistry,
    parse_path,
)


def handle(session: MsrpSession, event: SessionEvent) -> None:
    """Show what has happened, and answer a message."""
    match event:
        case MessageReceived(message):
            print(message.body.decode("utf-8", "replace"), flush=True)
            session.accept(message)
        case MessageFailed(_, status, comment):
            print(f"not delivered: {status} {comment.decode()}", file=sys.stderr)
        case Closed(reason):
            print(f"over: {reason}", file=sys.stderr)
        case _:
            pass


def main(remote: str, local: str) -> None:
    """Talk until one side ends it; at the end of the input, ours does."""
    session = MsrpSession(parse_path(local), active=True, accept_types=("text/plain",))
    session.remote_path = parse_path(remote)
    registry = SessionRegistry()
    registry.add(session)
    connection = MsrpConnection(registry)
    hop = session.remote_path[0]
    with socket.create_connection((hop.host, hop.port or 2855)) as sock:
        session.connected(connection, time.monotonic())
        while True:
            while (told := connection.next_event()) is not None:
                handle(*told)
            sock.sendall(connection.data_to_send())
            if not connection.sessions:
                return
            deadline = connection.next_deadline()
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([sock, sys.stdin], [], [], patience)
            now = time.monotonic()
            connection.handle_deadline(now)
            if sock in ready:
                data = sock.recv(65536)
                connection.receive_data(data, now) if data else connection.close("the peer left")
            elif sys.stdin in ready:
                line = sys.stdin.readline()
                if line:
                    session.send_message(line.rstrip("\n").encode(), b"text/plain", now)
                else:
                    connection.close("nothing more to say")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
