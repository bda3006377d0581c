"""Somebody who subscribes to a room, over UDP or TCP, and answers each NOTIFY."""

from collections.abc import Sequence

from sylk.payload.conference_changes import Outcome, merge
from sylk.payload.conference_info import ConferenceInfo
from sylk.server import Server
from tests.end_to_end.wire_sip import SipMessage
from tests.payload.documents import assert_valid
from tests.peers import DOMAIN, Caller

SCHEMAS = {"conference": "conference-info.xsd", "presence": "presence-all.xsd"}


class Subscriber(Caller):
    """One who watches a room; each document is checked against its schema."""

    def __init__(
        self,
        server: Server,
        user: str = "watcher",
        event: str = "conference",
        *,
        room: str = f"lobby@{DOMAIN}",
        transport: str = "tcp",
    ) -> None:
        super().__init__(server, user, room=room, transport=transport)
        self.event = event
        self.held: ConferenceInfo | None = None
        """What a subscriber makes of all that it was told (RFC 4575 section 4.6)."""

    async def subscribe(self, *headers: str, expires: int = 600) -> SipMessage:
        """Subscribe, or refresh, and return the final response."""
        fields = [f"Event: {self.event}", f"Expires: {expires}", *headers]
        final = await self.ask("SUBSCRIBE", *fields)
        if final.status == 200:
            self._to = f"To: {final['To']}"
            self._target = final["Contact"].partition("<")[2].partition(">")[0]
        return final

    async def notify(self) -> SipMessage:
        """Return the next NOTIFY, answered, its document valid."""
        message = await self.sip.request("NOTIFY")
        await self.sip.send(message.answer("200 OK"))
        if message.body:
            assert_valid(message.body, SCHEMAS[self.event])
        return message

    async def document(self) -> ConferenceInfo:
        """Return what the next NOTIFY tells of a conference."""
        document = ConferenceInfo.parse((await self.notify()).body)
        merged = merge(self.held, document)
        assert merged.outcome is Outcome.MERGED
        self.held = merged.info
        return document

    async def until(self, *users: str) -> ConferenceInfo:
        """Return the first state, as it is held, in which these are here in this order."""
        while True:
            await self.document()
            assert self.held is not None
            if users_of(self.held) == list(users):
                return self.held


def users_of(info: ConferenceInfo) -> Sequence[str]:
    """Return the names in the addresses of those who are here."""
    return [user.entity.removeprefix("sip:").partition("@")[0] for user in info.users]
