"""What goes out for a datagram whose source nobody has proven: little, and once.

Whoever writes the address of somebody else into a datagram has us send to that one. So a refusal is
one datagram, not much longer than the shortest request that gets it and no longer than a common
one, and nothing of it is left behind that would be sent again.
"""

import pytest

from sylk.sip.core import IncomingRequest
from tests.sip.user_agents import UDP, events_of, make_core, read

MAX_FACTOR = 2.6
"""How much longer than the shortest request a refusal may be: Via, To tag and what it must say."""


def smallest(
    method: str = "OPTIONS",
    uri: str = "sip:a",
    *fields: str,
    body: str = "",
    version: str = "2.0",
    from_: str = "f:sip:a;tag=1",
    to: str = "t:sip:a",
) -> bytes:
    """Return the shortest request that can be answered."""
    lines = [
        f"{method} {uri} SIP/{version}",
        "v:SIP/2.0/UDP h;branch=z9hG4bK1234567890;rport",
        *filter(None, [from_, to]),
        "i:1234567890123456789",
        f"CSeq:1 {method}",
        *fields,
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


SMALLEST = {
    "400 no from": (400, smallest(from_="")),
    "400 no to": (400, smallest(to="")),
    "400 bad from": (400, smallest(from_="f:<")),
    "400 header twice": (400, smallest("OPTIONS", "sip:a", "t:sip:b")),
    "405": (405, smallest("REGISTER")),
    "406": (406, smallest("INVITE", "sip:a", "m:sip:a", "Accept:a/b")),
    "415": (415, smallest("INVITE", "sip:a", "m:sip:a", "c:a/b", body="x")),
    "416": (416, smallest("OPTIONS", "tel:1")),
    "420": (420, smallest("OPTIONS", "sip:a", "Require:x")),
    "420 of many": (420, smallest("INVITE", "sip:a", "m:sip:a", f"Require:{'y,' * 100}x")),
    "480 sips": (480, smallest("OPTIONS", "sips:a")),
    "481 bye": (481, smallest("BYE")),
    "481 tag": (481, smallest("INVITE", "sip:a", "m:sip:a", to="t:sip:a;tag=1")),
    "481 cancel": (481, smallest("CANCEL")),
    "501": (501, smallest("X")),
    "505": (505, smallest("X", version="3.0")),
    "200 options": (200, smallest()),
}
COMMON = [
    "Max-Forwards: 70",
    "User-Agent: A common client 1.2.3 (an operating system 10.11)",
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, MESSAGE, SUBSCRIBE, INFO, REFER, UPDATE",
    "Supported: replaces, norefersub, timer, outbound, path, gruu",
]
every_refusal = pytest.mark.parametrize(
    ("status", "request_"), SMALLEST.values(), ids=SMALLEST.keys()
)


def sent_for(datagram: bytes) -> list[tuple[int, int]]:
    """Return status and octets of each datagram that ever goes out for one that comes in."""
    core = make_core()
    core.receive_message(read(datagram), UDP, 0.0)
    assert not any(isinstance(event, IncomingRequest) for event in events_of(core))
    sent: list[tuple[int, int]] = []
    while True:
        for message, flow in core.messages_to_send():
            assert flow.remote[0] == UDP.remote[0]
            data = message.render()
            sent.append((int(data.split()[1]), len(data)))
        deadline = core.next_deadline()
        if deadline is None:
            return sent
        core.handle_deadline(deadline)


@every_refusal
def test_the_shortest_request_gets_one_short_answer(status: int, request_: bytes) -> None:
    ((answered, octets),) = sent_for(request_)
    assert answered == status
    assert octets <= MAX_FACTOR * len(request_), f"{octets} octets for {len(request_)}"


@every_refusal
def test_a_common_request_gets_no_more_octets_than_it_had(status: int, request_: bytes) -> None:
    head, _, body = request_.partition(b"\r\n\r\n")
    common = head + "".join(f"\r\n{field}" for field in COMMON).encode() + b"\r\n\r\n" + body
    ((answered, octets),) = sent_for(common)
    assert answered == status
    assert octets <= len(common), f"{octets} octets for {len(common)}"


@every_refusal
def test_the_same_again_is_answered_once_more_and_the_same(status: int, request_: bytes) -> None:
    """Ten datagrams get ten answers: nothing adds up."""
    core = make_core()
    for _ in range(10):
        core.receive_message(read(request_), UDP, 0.0)
        events_of(core)
    answers = [message.render() for message, _ in core.messages_to_send()]
    assert len(answers) == 10
    assert len(set(answers)) == 1
    assert answers[0].startswith(f"SIP/2.0 {status} ".encode())


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0",
        b"x" * 65_000,
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        smallest("ACK"),
        smallest("ACK", from_=""),
        smallest("X").replace(b"v:", b"x:"),
        b"SIP/2.0 500 x\r\n" + smallest().partition(b"\r\n")[2],
    ],
)
def test_what_cannot_be_a_request_gets_nothing(datagram: bytes) -> None:
    assert sent_for(datagram) == []
