"""What is wrong, refused, or makes no sense: each must be answered, dropped, or closed."""

import os
import random
from collections.abc import Callable
from contextlib import suppress

import trio

from benchmarks.soak.person import Person, Refused, World, present, sdp
from benchmarks.soak.sip import Line, render
from benchmarks.wire import HOST, LoadError

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)
_READ = 5.0
"""Seconds until a request behind one that is wrong must have its answer, if it gets one."""
_CLOSING = 12.0
"""Seconds that the server may take to close what makes no sense."""


def _spoiled(person: Person, old: bytes, new: bytes) -> bytes:
    request = person.request("INVITE", body=sdp(person.local_path, 1, "sendrecv"))[1]
    assert old in request
    return request.replace(old, new, 1)


_REQUESTS: dict[str, Callable[[Person], bytes]] = {
    "a CSeq that is no number": lambda one: _spoiled(one, b"CSeq: 1 ", b"CSeq: one "),
    "a CSeq of another method": lambda one: _spoiled(one, b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
    "no From": lambda one: _spoiled(one, b"From: ", b"Form: "),
    "a body that is shorter": lambda one: _spoiled(one, b"Content-Length: ", b"Content-Length: 9"),
    "no path": lambda one: _spoiled(one, b"a=path:", b"a=parh:"),
    "no chat": lambda one: _spoiled(one, b"m=message", b"m=audio"),
    "an extension": lambda one: _spoiled(one, b"User-Agent: soak", b"Require: x-soak"),
    "a URI of another kind": lambda one: _spoiled(one, b"INVITE sip:", b"INVITE http:"),
    "an unknown method": lambda one: one.request("SOAK")[1],
    "a BYE of no call": lambda one: one.request("BYE")[1],
    "a subscription to nothing": lambda one: one.request("SUBSCRIBE")[1],
    "a subscription to something else": lambda one: one.request("SUBSCRIBE", "Event: soak")[1],
    "a REFER to nobody": lambda one: one.request("REFER")[1],
    "a REFER to a telephone": lambda one: one.request("REFER", "Refer-To: <tel:+15551234>")[1],
    "a registration": lambda one: one.request("REGISTER")[1],
    "a response to nothing": lambda one: one.request("INFO")[1].replace(
        b"INFO sip:", b"SIP/2.0 200 OK sip:", 1
    ),
    "octets": lambda _: os.urandom(400),
    "half of a request": lambda one: one.request("INVITE")[1][:150],
    "HTTP": lambda _: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


async def ask_nonsense(world: World, rng: random.Random) -> None:
    """Send one request that is wrong, over any transport; what comes back does not matter."""
    name = rng.choice(list(_REQUESTS))
    person = Person(world, "mallory", "talk1", rng.choice(["udp", "tcp", "tls"]), "msrp")
    line = person.line
    await line.open(world.ports)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.run)
            await line.send(_REQUESTS[name](person))
            # A request that is right shows that what came before has been read.
            branch, data = person.request("OPTIONS")
            with trio.move_on_after(_READ):
                try:
                    await line.transact(data, branch)
                except LoadError:
                    # A stream in which nothing makes sense any more is closed.
                    if line.transport == "udp":
                        world.ledger.fault(f"nothing was answered after {name}")
            nursery.cancel_scope.cancel()
    finally:
        person.close()
    world.ledger.counts["malformed requests"] += 1


async def be_refused(world: World, rng: random.Random) -> None:
    """Ask for what is forbidden; the status must be the right one."""
    room = rng.choice(["members", "nobody"])
    person = Person(
        world, f"stranger{rng.randrange(1000)}", room, rng.choice(["udp", "tcp"]), "msrp"
    )
    got = 200
    try:
        async with present(person):
            await person.leave()
    except* Refused as refused:
        got = next(one.status for one in refused.exceptions if isinstance(one, Refused))
    if got != 403:
        world.ledger.fault(f"{room} was refused with {got}, not 403")
    world.ledger.counts["refused calls"] += 1


_FRAMES: dict[str, bytes] = {
    "octets": os.urandom(300),
    "no session": (
        b"MSRP a1b2c3 SEND\r\nTo-Path: msrp://127.0.0.1:2855/nobody;tcp\r\n"
        b"From-Path: msrp://127.0.0.1:2855/me;tcp\r\nMessage-ID: m\r\n"
        b"Byte-Range: 1-0/0\r\n-------a1b2c3$\r\n"
    ),
    "no path": b"MSRP a1b2c3 SEND\r\nMessage-ID: m\r\n-------a1b2c3$\r\n",
    "half": b"MSRP a1b2c3 SEND\r\nTo-Path: msrp://",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


async def connect_in_vain(world: World, rng: random.Random, port: int) -> None:
    """Open a connection to the MSRP port and say nonsense, or nothing, and go."""
    data = rng.choice([b"", *_FRAMES.values()])
    stream = await trio.open_tcp_stream(HOST, port)
    with suppress(*_BROKEN):
        async with stream:
            if data:
                await stream.send_all(data)
            with trio.move_on_after(rng.uniform(0.1, _CLOSING)):
                while await stream.receive_some():
                    pass
    world.ledger.counts["malformed frames"] += 1


async def call_and_vanish(world: World, rng: random.Random) -> None:
    """Call, and be gone before the answer, or behind it without an ACK."""
    person = Person(
        world, f"gone{rng.randrange(1000)}", "talk1", rng.choice(["udp", "tcp"]), "msrp"
    )
    await person.line.open(world.ports)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(person.line.run)
            branch, data = person.request("INVITE", body=sdp(person.local_path, 1, "sendrecv"))
            if rng.random() < 0.5:
                await person.line.transact(data, branch)
            else:
                await person.line.send(data)
                await _cancel(person.line, person, branch)
            nursery.cancel_scope.cancel()
    finally:
        person.close()
    world.ledger.counts["calls without an end"] += 1


async def _cancel(line: Line, person: Person, branch: str) -> None:
    lines = [
        *(line.via(branch), "Max-Forwards: 70", f"From: {person.local}", f"To: {person.remote}"),
        *(f"Call-ID: {person.call_id}", "CSeq: 1 CANCEL"),
    ]
    await line.send(render(f"CANCEL {person.target} SIP/2.0", lines))
