"""What this user agent is and can do, and the header fields that tell it to others."""

from collections.abc import Mapping, Sequence

from sylk.sip.event_headers import allow_events_headers
from sylk.sip.message import Message, Request, Response

_TELLING = ("INVITE", "UPDATE")


class Capabilities:
    """What the user agent is called and takes, also as the header fields that say so.

    `accept` maps a method to the media types of its bodies, "*" and "text/*" included; a method
    that is not in it has a body which nobody reads, so that any is welcome. `event_packages` are
    all those whose state can be subscribed to here (RFC 6665 section 4.4.4).
    """

    def __init__(
        self,
        methods: Sequence[str],
        supported: Sequence[str],
        accept: Mapping[str, Sequence[str]],
        server_name: str,
        event_packages: Sequence[str] = (),
    ) -> None:
        self.server_name = server_name
        self.methods = tuple(methods)
        self.supported = frozenset(tag.lower() for tag in supported)
        self.accept = {
            method: tuple(media.lower() for media in types) for method, types in accept.items()
        }
        self.allow_header = ("Allow", ", ".join(methods))
        self.supported_header = ("Supported", ", ".join(supported))
        everything = dict.fromkeys(media for types in self.accept.values() for media in types)
        self.accept_header = ("Accept", _accept_value(tuple(everything)))
        self.allow_events_headers = allow_events_headers(event_packages)

    def accept_header_of(self, method: str) -> tuple[str, str]:
        """Return the Accept header field for bodies of this method."""
        return "Accept", _accept_value(self.accept.get(method, ()))

    def options_answer(self, request: Request, to_tag: str | None) -> Response:
        """Return the 200 to an OPTIONS (RFC 3261 section 11.2)."""
        headers = [self.allow_header, self.accept_header, self.supported_header]
        headers += self.allow_events_headers
        return Response.to_request(request, 200, to_tag=to_tag, headers=headers)

    def describe(self, message: Message, method: str | None) -> None:
        """Write into a message who we are and, where it is to be told, what we can do.

        `method` is that of the request which is sent or answered (RFC 3261 13.2.1, 13.3.1.4).
        """
        headers = message.headers
        if isinstance(message, Response):
            if "Server" not in headers:
                headers.add("Server", self.server_name)
            tells = method in _TELLING and 200 <= message.status < 300
            if message.status == 405 and "Allow" not in headers:
                # Not here, although elsewhere in this user agent (RFC 3261 section 21.4.6).
                allowed = [name for name in self.methods if name != method]
                headers.add("Allow", ", ".join(allowed))
            if message.status == 489 and "Allow-Events" not in headers:
                for name, value in self.allow_events_headers:
                    headers.add(name, value)
        else:
            if "User-Agent" not in headers:
                headers.add("User-Agent", self.server_name)
            tells = method in _TELLING
        if tells:
            for name, value in (self.allow_header, self.supported_header):
                if name not in headers:
                    headers.add(name, value)


def _accept_value(types: Sequence[str]) -> str:
    return ", ".join("*/*" if media == "*" else media for media in types)
