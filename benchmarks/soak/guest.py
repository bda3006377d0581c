"""Somebody whom a room calls because a participant has asked for it, and one whom it puts out."""

import trio

from benchmarks.soak.msrp import Chat
from benchmarks.soak.person import Person, sdp
from benchmarks.soak.sip import PATIENCE, Message
from benchmarks.wire import CONTACT, HOST, SDP_PATH, LoadError


class Guest(Person):
    """One who waits to be called, over UDP."""

    def __init__(self, host: Person, user: str) -> None:
        super().__init__(host.world, user, host.room, "udp", "msrp")
        self.is_called = trio.Event()

    async def on_call(self, request: Message) -> None:
        """Take the call of the room; whatever else comes belongs to it."""
        if request.method != "INVITE" or self.chat is not None:
            await self.on_request(request)
            return
        contact = CONTACT.search(f"Contact: {request.get('contact')}")
        path = SDP_PATH.search(request.body.decode())
        if contact is None or path is None:
            raise LoadError(f"the INVITE lacks something: {request}")
        self.call_id = request.get("call-id")
        self.local = f"{request.get('to')};tag={self.tag}"
        self.remote, self.target = request.get("from"), contact[1]
        self.chat = Chat(self.local_path, path[1], self._on_send)
        body = sdp(self.local_path, 1, "sendrecv")
        await self.line.send(
            request.answer("200 OK", self.line.contact(self.user), tag=self.tag, body=body)
        )
        self.is_called.set()


async def invite_guest(host: Person, user: str, seconds: float) -> None:
    """Have the room call a guest, who says something and stays for so long."""
    guest = Guest(host, user)
    ledger = host.world.ledger
    try:
        async with trio.open_nursery() as nursery:
            await guest.line.open(host.world.ports)
            guest.line.handlers[""] = guest.on_call
            nursery.start_soon(guest.line.run)
            target = f"sip:{user}@{HOST}:{guest.line.port};transport=udp"
            final = await host.ask("REFER", f"Refer-To: <{target}>")
            if final.status != 202:
                raise LoadError(f"REFER was answered with {final.start}")
            with trio.move_on_after(PATIENCE):
                await guest.is_called.wait()
            if not guest.is_called.is_set():
                raise LoadError("the guest was not called")
            await guest.connect(nursery)
            guest.settle()
            ledger.counts["guests"] += 1
            await guest.say("Thank you for the invitation")
            await trio.sleep(seconds)
            await guest.leave()
            nursery.cancel_scope.cancel()
    finally:
        guest.close()


async def put_out(person: Person) -> None:
    """Have the room put our own client out, as everybody may, and wait until it has."""
    person.is_leaving = True
    target = f"sip:{person.user}@{HOST};method=BYE"
    final = await person.ask("REFER", f"Refer-To: <{target}>")
    if final.status != 202:
        raise LoadError(f"REFER with BYE was answered with {final.start}")
    with trio.move_on_after(PATIENCE):
        await person.is_over.wait()
    if not person.is_over.is_set():
        raise LoadError("nobody was put out")
    person.world.ledger.counts["put out"] += 1
