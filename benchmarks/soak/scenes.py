"""What people do all the time: each scene goes on until it is cancelled."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from benchmarks.soak import mischief
from benchmarks.soak.guest import invite_guest, put_out
from benchmarks.soak.person import Person, World, present
from benchmarks.wire import LoadError

ROOMS = ("talk1", "talk2", "talk3", "talk4")
SEATS = 9
"""People in each room at one time, who come and go."""

_COMPOSING = (
    '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
    "<state>active</state><contenttype>text/plain</contenttype></isComposing>"
)
_WORDS = "Nobody reads this, but somebody might, and it has a length that is not always the same. "
_SLOW = 600.0
"""Bytes a second that a slow reader takes."""

Act = Callable[[Person], Awaitable[None]]


class Stage:
    """The scenes of one soak; `pace` is how much happens, 1 the usual."""

    def __init__(self, world: World, rng: random.Random, pace: float, msrp_port: int) -> None:
        self.world = world
        self.rng = rng
        self.pace = pace
        self._msrp_port = msrp_port
        self._guests = 0
        self._acts: list[tuple[int, Act]] = [
            (120, self._talk),
            (12, self._whisper),
            (12, self._compose),
            (4, self._call_oneself),
            (4, self._refresh),
            (3, self._hold),
            (3, self._lose_connection),
            (2, self._send_large),
            (2, self._invite),
            (2, self._be_put_out),
            (2, self._look_around),
        ]

    async def run(self) -> None:
        """Play all scenes until cancelled."""
        async with trio.open_nursery() as nursery:
            for room in ROOMS:
                for _ in range(SEATS):
                    nursery.start_soon(self._again, 3.0, self._sit, room)
            nursery.start_soon(self._again, 1.0, self._drop_in)
            nursery.start_soon(self._again, 1.0, self._drop_in)
            nursery.start_soon(self._again, 2.0, self._watch)
            nursery.start_soon(self._again, 2.0, self._watch)
            nursery.start_soon(self._again, 5.0, self._read_slowly)
            nursery.start_soon(self._again, 1.0, self._nonsense)
            nursery.start_soon(self._again, 2.0, self._be_refused)
            nursery.start_soon(self._again, 2.0, self._connect_in_vain)
            nursery.start_soon(self._again, 10.0, self._call_and_vanish)

    async def _pause(self, seconds: float) -> None:
        await trio.sleep(self.rng.expovariate(self.pace / seconds))

    async def _again(self, pause: float, scene: Callable[..., Awaitable[None]], *args: str) -> None:
        while True:
            await self._pause(pause)
            try:
                await scene(*args)
            except* Exception as errors:  # noqa: BLE001 - told at the end, not in the middle
                for error in errors.exceptions:
                    self.world.ledger.fault(f"{scene.__name__}: {error!r}")

    def _somebody(self, room: str, prefix: str = "user", names: int = 300) -> Person:
        transport = self.rng.choice(["udp", "tcp", "tls"])
        scheme = "msrps" if self.rng.random() < 0.3 else "msrp"
        user = f"{prefix}{self.rng.randrange(names)}"
        while user in self.world.names:
            user = f"{prefix}{self.rng.randrange(names)}"
        return Person(self.world, user, room, transport, scheme)

    # Those who stay for a while

    async def _sit(self, room: str) -> None:
        person = self._somebody(room)
        async with present(person):
            self.world.ledger.counts["joins"] += 1
            weights = [weight for weight, _ in self._acts]
            end = trio.current_time() + self.rng.uniform(5, 60)
            while trio.current_time() < end and not person.is_over.is_set():
                await self._pause(1.2)
                (_, act), *_ = self.rng.choices(self._acts, weights)
                await act(person)
            await self._go(person)

    async def _go(self, person: Person) -> None:
        if person.is_over.is_set():
            return
        if self.rng.random() < 0.15:
            await person.hear_out()
            self.world.ledger.counts["gone without a word"] += 1
            return
        await person.leave()
        self.world.ledger.counts["leaves"] += 1

    async def _talk(self, person: Person) -> None:
        await person.say(_WORDS * self.rng.randrange(1, 6))

    async def _whisper(self, person: Person) -> None:
        others = [one for one in self.world.audience(person.room).values() if one.id != person.id]
        if others:
            await person.say(_WORDS, self.rng.choice(others))
            self.world.ledger.counts["whispers"] += 1

    async def _compose(self, person: Person) -> None:
        await person.send(_COMPOSING, person.room, "application/im-iscomposing+xml")
        self.world.ledger.counts["composing"] += 1

    async def _call_oneself(self, person: Person) -> None:
        assert person.chat is not None
        name = f"Nick {self.rng.randrange(40)}"
        status = await person.chat.ask("NICKNAME", [f'Use-Nickname: "{name}"'])
        if status not in (200, 425):
            self.world.ledger.fault(f"NICKNAME was answered with {status}")
        self.world.ledger.counts["nicknames"] += 1

    async def _refresh(self, person: Person) -> None:
        await person.invite("sendrecv")
        self.world.ledger.counts["re-INVITEs"] += 1

    async def _hold(self, person: Person) -> None:
        await person.hear_out()
        await person.invite("inactive")
        await self._pause(1.0)
        await person.invite("sendrecv")
        person.settle()
        self.world.ledger.counts["holds"] += 1

    async def _lose_connection(self, person: Person) -> None:
        await person.hear_out()
        await person.come_back()
        person.settle()
        self.world.ledger.counts["connections lost"] += 1

    async def _send_large(self, person: Person) -> None:
        size = self.rng.choice([50_000, 200_000, 500_000])
        await person.say("x" * size)
        self.world.ledger.counts["large messages"] += 1

    async def _invite(self, person: Person) -> None:
        self._guests += 1
        await invite_guest(person, f"guest{self._guests}", self.rng.uniform(0.5, 5))

    async def _be_put_out(self, person: Person) -> None:
        await person.hear_out()
        await put_out(person)

    async def _look_around(self, person: Person) -> None:
        if (await person.ask("OPTIONS")).status != 200:
            self.world.ledger.fault("OPTIONS in a call was refused")

    # Those who come for a moment

    async def _drop_in(self) -> None:
        """Make a room of one's own, or look into one, say one thing and go."""
        self._guests += 1
        room = f"pop{self._guests}" if self.rng.random() < 0.3 else self.rng.choice(ROOMS)
        person = self._somebody(room, "visitor", 10_000)
        async with present(person):
            self.world.ledger.counts["joins"] += 1
            await person.say(_WORDS)
            await self._go(person)

    async def _watch(self) -> None:
        """Subscribe, refresh, and take it back, or vanish."""
        person = self._somebody(self.rng.choice(ROOMS), "watcher", 10_000)
        await person.line.open(self.world.ports)
        person.line.handlers[person.call_id] = person.on_request
        event = self.rng.choice(["conference", "conference", "presence"])
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(person.line.run)
                final = await person.ask("SUBSCRIBE", f"Event: {event}", "Expires: 120")
                if final.status == 480:
                    # Nobody is in that room now.
                    nursery.cancel_scope.cancel()
                    return
                if final.status != 200:
                    raise LoadError(f"SUBSCRIBE was answered with {final.start}")
                person.remote = final.get("to")
                self.world.ledger.counts["subscriptions"] += 1
                await self._pause(10.0)
                await person.ask("SUBSCRIBE", f"Event: {event}", "Expires: 120")
                await self._pause(5.0)
                if self.rng.random() < 0.8:
                    await person.ask("SUBSCRIBE", f"Event: {event}", "Expires: 0")
                nursery.cancel_scope.cancel()
        finally:
            person.close()

    async def _read_slowly(self) -> None:
        person = self._somebody(self.rng.choice(ROOMS), "slow", 10_000)
        person.is_leaving = True
        async with present(person, 4096, _SLOW):
            self.world.ledger.counts["slow readers"] += 1
            with trio.move_on_after(60):
                await person.is_over.wait()
            await person.leave()

    async def _nonsense(self) -> None:
        await mischief.ask_nonsense(self.world, self.rng)

    async def _be_refused(self) -> None:
        await mischief.be_refused(self.world, self.rng)

    async def _connect_in_vain(self) -> None:
        with suppress(OSError):
            await mischief.connect_in_vain(self.world, self.rng, self._msrp_port)

    async def _call_and_vanish(self) -> None:
        await mischief.call_and_vanish(self.world, self.rng)
