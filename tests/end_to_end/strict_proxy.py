"""A strict router as RFC 2543 had it, for there is none left to install: UDP, and no state.

It puts itself into the route of a dialog without the parameter lr. A request inside the dialog
must then have its address as the Request-URI, with the address of the peer at the end of Route
(RFC 3261 section 12.2.1.1); what comes otherwise is not forwarded but kept as a complaint.
"""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

from tests.end_to_end.server import HOST
from tests.end_to_end.wire_sip import SipMessage, take_message

_END_TIMEOUT = 5.0
_Hop = tuple[str, int]


def _hop_of(uri: str) -> _Hop:
    """Return where a SIP URI, with or without brackets, sends to."""
    address = uri.strip("<> ").removeprefix("sip:").partition(";")[0]
    host, _, port = address.rpartition("@")[2].partition(":")
    return host, int(port or "5060")


class StrictProxy:
    """One proxy on a port of its own, and what passed it."""

    def __init__(self, next_hop: _Hop) -> None:
        self.complaints: list[str] = []
        self.routed: list[str] = []
        """The method of each request inside a dialog."""
        self._next_hop = next_hop
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._own: _Hop = (HOST, int(self._socket.getsockname()[1]))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        """Return its address, as it stands in Record-Route."""
        return f"sip:{HOST}:{self._own[1]}"

    def close(self) -> None:
        """End it: an empty packet of its own tells the thread."""
        self._socket.sendto(b"", self._own)
        self._thread.join(_END_TIMEOUT)
        self._socket.close()

    def _run(self) -> None:
        while data := self._socket.recv(65536):
            taken = take_message(data) if data.strip() else None
            if taken is None:
                # A keep-alive (RFC 5626 section 3.5.1).
                continue
            message, _ = taken
            if message.status:
                self._pass_response(message)
            else:
                self._pass_request(message)

    def _pass_request(self, request: SipMessage) -> None:
        method, uri, version = request.start_line.split()
        headers = list(request.headers)
        if ";tag=" not in request["To"]:
            hop = self._next_hop
            # A caller whose outbound proxy we are may have put us into Route.
            headers = [(k, v) for k, v in headers if k != "Route" or _hop_of(v) != self._own]
            headers.insert(0, ("Record-Route", f"<{self.uri}>"))
        elif method == "ACK" and _hop_of(uri) != self._own and "Route" not in request:
            # For a refusal, which goes the way of the INVITE (RFC 3261 section 17.1.1.3).
            hop = self._next_hop
        else:
            routes = [one.strip() for line in request.all("Route") for one in line.split(",")]
            if _hop_of(uri) != self._own or not routes:
                self.complaints.append(request.raw.decode())
                return
            self.routed.append(method)
            uri = routes.pop(0).strip("<>")
            hop = _hop_of(uri)
            headers = [(name, value) for name, value in headers if name != "Route"]
            headers += [("Route", route) for route in routes]
        # The same for each retransmission (RFC 3261 section 16.11).
        branch = request["Via"].partition(";branch=")[2].partition(";")[0]
        headers.insert(0, ("Via", f"SIP/2.0/UDP {HOST}:{self._own[1]};branch={branch}-strict"))
        self._send(f"{method} {uri} {version}", headers, request.body, hop)

    def _pass_response(self, response: SipMessage) -> None:
        headers = list(response.headers)
        headers.remove(("Via", response["Via"]))
        below = next(value for name, value in headers if name == "Via")
        sent_by = below.split(";")[0].split()[1]
        self._send(response.start_line, headers, response.body, _hop_of(sent_by))

    def _send(
        self, start_line: str, headers: list[tuple[str, str]], body: bytes, hop: _Hop
    ) -> None:
        lines = [start_line, *(f"{name}: {value}" for name, value in headers)]
        self._socket.sendto("\r\n".join([*lines, "", ""]).encode() + body, hop)


@contextmanager
def strictly_routing(next_hop: _Hop) -> Generator[StrictProxy]:
    """Run a strict router while inside, which sends what opens a dialog to `next_hop`."""
    proxy = StrictProxy(next_hop)
    try:
        yield proxy
        assert not proxy.complaints, "\n".join(proxy.complaints)
    finally:
        proxy.close()
