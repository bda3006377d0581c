"""Following a REFER to its end."""

import pytest
import trio

from sylk.cli.focus import Focus
from sylk.cli.invitations import ask_focus
from sylk.cli.orders import OrderRefused
from sylk.payload.cpim import Address
from sylk.session import UserAgent
from tests.peers import DOMAIN, HOST, running_endpoint
from tests.session.notifiers import Notifier
from tests.session.wire_servers import WireServer

ALICE = Address(f"sip:alice@{DOMAIN}", "Alice")
FRAGMENT = "Content-Type: message/sipfrag"


async def follow(
    *notifications: tuple[str, bytes], method: str = "INVITE"
) -> tuple[str, list[str]]:
    """Return how it went and what was told on the way, by a focus that says this."""
    told: list[str] = []
    outcomes: list[str] = []
    async with WireServer() as server, running_endpoint() as endpoint:
        focus = Focus(UserAgent(endpoint), f"sip:room@{HOST}:{server.port}")

        async def ask() -> None:
            watching = focus.refer(ALICE, f"sip:bob@{DOMAIN}", method)
            try:
                outcomes.append(await ask_focus(watching, told.append))
            except OrderRefused as refusal:
                outcomes.append(f"refused: {refusal}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            notifier = Notifier(server, await server.request("REFER"))
            suffix = "" if method == "INVITE" else f";method={method}"
            assert notifier.subscribe["Refer-To"] == f"<sip:bob@{DOMAIN}{suffix}>{suffix}"
            await notifier.accept()
            for state, body in notifications:
                await notifier.notify(state, body, FRAGMENT)
    (outcome,) = outcomes
    return outcome, told


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
async def test_each_step_is_told_once(method: str) -> None:
    outcome, told = await follow(
        ("active", b"SIP/2.0 100 Trying\r\n"),
        ("active", b"SIP/2.0 100 Trying\r\n"),
        ("active", b"no status line"),
        ("active", b"SIP/2.0 180 Ringing\r\n"),
        ("active", b"SIP/2.0 183 Session Progress\r\n"),
        ("terminated;reason=noresource", b"SIP/2.0 200 OK\r\n"),
        method=method,
    )
    assert (outcome, told) == ("is in", ["trying …", "ringing …"])


async def test_a_refusal_has_its_reason() -> None:
    outcome, _ = await follow(("terminated;reason=noresource", b"SIP/2.0 603 Decline\r\n"))
    assert outcome == "refused: 603 Decline"


async def test_a_focus_may_stop_telling() -> None:
    outcome, told = await follow(("terminated;reason=timeout", b"SIP/2.0 100 Trying\r\n"))
    assert outcome == "was asked for; the room tells no more (timeout)"
    assert told == ["trying …"]
