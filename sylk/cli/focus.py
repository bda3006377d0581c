"""The room as a focus, outside of the call: who is in it, and who is to come in or to go."""

from dataclasses import dataclass

from sylk.payload.conference_info import CONTENT_TYPE
from sylk.payload.cpim import Address
from sylk.session.challenges import Credentials
from sylk.session.user_agent import UserAgent, Watching

INTERVAL = 600
"""Seconds for which we ask to be told who is here, before we ask again."""


@dataclass(slots=True)
class Focus:
    """How to ask the focus of a room for something; `uri` is that of the room."""

    user_agent: UserAgent
    uri: str
    credentials: Credentials | None = None

    def subscribe(self, local: Address) -> Watching:
        """Ask to be told who is in the room (RFC 4575)."""
        return self.user_agent.subscribe(
            self.uri,
            local=local,
            event="conference",
            accept=(CONTENT_TYPE,),
            expires=INTERVAL,
            credentials=self.credentials,
        )

    def refer(self, local: Address, uri: str, method: str = "INVITE") -> Watching:
        """Ask that somebody is brought in, or with BYE put out (RFC 4579 sections 5.5 and 5.11)."""
        return self.user_agent.refer(
            self.uri, local=local, refer_to=uri, method=method, credentials=self.credentials
        )
