"""What a server says that nobody has set up: how to join, where it listens, where its state is."""

from collections.abc import Iterable
from pathlib import Path

from sylk import __version__
from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS, local_address_towards
from sylk.sip.flow import Address, show_address

_OUTSIDE = ("192.0.2.1", 0)
"""An address of nobody: what leads there is the address that others know us by."""

_STANDARD_PORT = 5060

Listening = Iterable[tuple[str, Address]]


def greeting(sip: Listening, msrp: Listening, spool: Path) -> str:
    """Return the text, several lines, for a server that listens on these (transport, address)."""
    places = list(sip)
    room = room_uri("lobby", places)
    return "\n".join(
        [
            f"Sylk {__version__} is running. Nothing has to be set up.",
            "",
            f"  join        sylk-chat '{room}'",
            f"              or call {room} with any SIP client that has MSRP chat;",
            "              every other name in place of lobby is a room too",
            "  neighbours  see it by Bonjour; sylk-chat --browse shows what is there",
            f"  SIP on      {_show(places)}",
            f"  MSRP on     {_show(msrp)}",
            f"  state in    {spool.absolute()}",
            "  settings    all at their defaults; sylk.ini here, or in /etc/sylk, changes them",
            "  look        sylk-server check, sylk-server status, sylk-server rooms",
            "  end         Ctrl-C says goodbye to everybody",
            "",
        ]
    )


def room_uri(room: str, places: Listening) -> str:
    """Return the shortest SIP URI of a room, given where SIP is spoken."""
    bound = dict(places)
    transport = next(name for name in ("udp", "tcp", "tls") if name in bound)
    host, port = bound[transport]
    if host in WILDCARDS:
        try:
            host = local_address_towards(_OUTSIDE)
        except TransportError:
            host = "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == _STANDARD_PORT else f"{shown}:{port}"
    return f"sip:{room}@{where}{'' if transport == 'udp' else f';transport={transport}'}"


def _show(places: Listening) -> str:
    return ", ".join(f"{transport} {show_address(address)}" for transport, address in places)
