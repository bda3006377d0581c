"""From the call to the goodbye: the endpoint, the INVITE, the conversation, the BYE."""

import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import trio

from sylk import __version__
from sylk.cli.conversation import Conversation
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless
from sylk.cli.parties import make_caller
from sylk.errors import RemoteProtocolError, SessionEnded, TransportError
from sylk.net.addresses import family_of, local_address_towards, look_up
from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.session.dial import Dialled, Destination
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.session.way import address_of, transport_of
from sylk.sip.core import IncomingRequest
from sylk.sip.flow import Address
from sylk.sip.message import Response
from sylk.sip.uri import SipURI

logger = logging.getLogger("sylk.cli")

RING_TIMEOUT = 120.0
"""Seconds that a call may ring before it is given up."""

BYE_GRACE = 3.0
"""Seconds in which, at the end, the peer may answer our BYE."""

_PROBE_INTERVAL = 0.5
_BUSY_HERE = 486
_METHOD_NOT_ALLOWED = 405
_ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"
_KEEP_ALIVE = b"\r\n\r\n"

# What a call says that failed on our side; anything else is the phrase of a response.
_OWN_REASONS = ("no answer", "cannot be reached", "media", "the ACK", "the answer", "given up")


class CallFailed(Exception):
    """The call did not come to stand; the text is for the user."""


@dataclass(slots=True)
class CallOptions:
    """Whom to call, as whom, and how; times in seconds."""

    target: SipURI
    name: str | None = None
    caller: SipURI | None = None
    transport: str | None = None
    proxy: SipURI | None = None
    timeout: float = 10.0
    linger: float = 1.0


async def hold_chat(
    options: CallOptions, open_front_end: Callable[[], FrontEnd], tell: Callable[[str], None]
) -> str | None:
    """Call, converse, hang up; returns what went wrong in the middle, or None.

    `tell` gets the progress of the call before it stands. Raises CallFailed. When cancelled, it
    still says goodbye.
    """
    hop = options.proxy or options.target
    transport = options.transport or transport_of(hop)
    try:
        if transport == "tls":
            raise TransportError("TLS is not in this version yet: use a sip: address")
        remote = await _first_address(hop)
        local_host = local_address_towards(remote)
        endpoint = Endpoint(_settings(remote), _Refusals().receive)
    except TransportError as error:
        raise CallFailed(str(error)) from error
    destination = Destination(
        uri=options.target,
        caller=make_caller(options.name, options.caller, local_host),
        proxy=SipURI("sip", None, None, remote[0], remote[1], {"transport": transport}),
    )
    call = _OutgoingCall(endpoint, destination, remote, transport, options.timeout, tell)
    outcome: str | CallFailed | None = None
    async with trio.open_nursery() as nursery:
        call.refusals.endpoint = endpoint
        await nursery.start(endpoint.run)
    return None
