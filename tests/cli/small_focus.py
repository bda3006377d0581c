"""A room that knows all that `sylk-chat` asks of one, and next to nothing else.

It stands alone, so that its file may also be put among the applications of a server.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import trio

from sylk.application import Application, NoSettings
from sylk.payload.conference_info import ConferenceDescription, ConferenceInfo
from sylk.payload.conference_users import Endpoint, EndpointStatus, User
from sylk.payload.cpim import Address, CpimMessage
from sylk.session import (
    Chat,
    ChatMessage,
    Invitation,
    NicknameRequest,
    ReferralRequest,
    Subscription,
    SubscriptionRequest,
)

INFO = "application/conference-info+xml"
COMMAND = "application/vnd.sylk.command+json"
PLAIN = "text/plain; charset=utf-8"
LONG_AGO = "2001-02-03T04:05:06Z"


class SmallFocus(Application):
    """One room for everybody, whatever its name."""

    name = "small"
    event_packages = ("conference",)

    def __init__(self, settings: object = None) -> None:
        super().__init__(settings or NoSettings())
        self.chatroom: tuple[str, ...] = ("nickname", "private-messages")
        self.tells = True
        """Whether it tells who is here."""
        self.commands: list[dict[str, object]] = []
        self.composing: list[bytes] = []
        self.chats: dict[Chat, str] = {}
        """Who is here, and by which nickname."""
        self.subject = "Tea"
        self.others: tuple[User, ...] = ()
        """People whom it tells of besides."""
        self._picked_up = trio.Event()
        """Set when somebody has said "pick up": then those who are called do."""
        self._room = Address("")
        self._told: list[Subscription] = []
        self._info: ConferenceInfo | None = None

    # Who is here

    async def handle_invitation(self, invitation: Invitation) -> None:
        self._room = invitation.recipient
        async with invitation.accept(focus=True, chatroom=self.chatroom) as chat:
            self.chats[chat] = ""
            try:
                carol = Address("sip:carol@example.com", "Carol")
                chat.post(compose(carol, self._room, b"what was", date_time=LONG_AGO))
                self._tell_all()
                async for batch in chat.batches_with_pieces():
                    for each in batch:
                        if isinstance(each, NicknameRequest):
                            self._name(chat, each)
                        elif isinstance(each, ChatMessage):
                            self._take(chat, each)
            finally:
                del self.chats[chat]
                self._tell_all()

    def _name(self, chat: Chat, request: NicknameRequest) -> None:
        others = [name for other, name in self.chats.items() if other is not chat]
        if request.nickname in others and request.nickname:
            chat.answer_nickname(request, 425)
            return
        self.chats[chat] = request.nickname
        chat.answer_nickname(request, 200)
        self._tell_all()

    def _address(self, chat: Chat) -> Address:
        return replace(chat.remote, display_name=self.chats[chat] or chat.remote.display_name)

    # What is said

    def _take(self, chat: Chat, message: ChatMessage) -> None:
        if message.content_type == COMMAND:
            self._obey(chat, message)
            return
        if "iscomposing" in message.content_type:
            self.composing.append(message.content)
        if message.content == b"pick up":
            self._picked_up.set()
        chat.accept([message])
        (to,) = message.recipients
        is_private = to.uri != self._room.uri
        for other in self.chats:
            if other is not chat and (not is_private or other.remote.uri == to.uri):
                receiver = to if is_private else self._room
                sender = self._address(chat)
                other.post(compose(sender, receiver, message.content, message.content_type))

    def _obey(self, chat: Chat, message: ChatMessage) -> None:
        command: dict[str, object] = json.loads(message.content)
        self.commands.append(command)
        match command["command"]:
            case "lock":
                chat.refuse(message, 403)
                return
            case "mute":
                chat.refuse(message, 404, as_report=True)
                return
            case "subject":
                self.subject = str(command["text"])
                self._tell_all()
            case "history":
                dave = Address("sip:dave@example.com", "Dave")
                chat.post(compose(dave, self._room, b"long ago", date_time=LONG_AGO))
            case _:
                pass
        chat.accept([message])

    # What is told

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        if not self.tells:
            await subscription.reject(403)
            return
        self._info = info = self._info or self._describe(1)
        accepted = await subscription.accept(info.render(), INFO)
        self._told.append(accepted)
        if self._info is not info:
            # Somebody has come meanwhile.
            accepted.notify(self._info.render(), INFO)

    def _describe(self, version: int) -> ConferenceInfo:
        users = {
            chat.remote.uri: User(
                chat.remote.uri,
                chat.remote.display_name or None,
                self.chats[chat] or None,
                endpoints=(Endpoint(chat.call.call_id, status=EndpointStatus.CONNECTED),),
            )
            for chat in self.chats
        }
        description = ConferenceDescription(subject=self.subject)
        return ConferenceInfo(
            self._room.uri, version, description, users=(*users.values(), *self.others)
        )

    def _tell_all(self) -> None:
        if self._info is None:
            return
        self._info = self._describe((self._info.version or 0) + 1)
        # The whole: of changes that follow each other fast only the last would be told.
        for subscription in self._told:
            subscription.notify(self._info.render(), INFO)

    # Who is to come and to go

    async def handle_referral(self, referral: ReferralRequest) -> None:
        if "nobody" in (referral.refer_to or ""):
            await referral.reject(403)
            return
        accepted = await referral.accept()
        target = str(accepted.target)
        if accepted.method == "BYE":
            for chat in list(self.chats):
                if chat.remote.uri.partition(";")[0] == target.partition(";")[0]:
                    chat.call.hang_up("put out", 200)
            accepted.finish(200, "OK")
            return
        accepted.progress(180, "Ringing")
        if "busy" in target:
            accepted.finish(486, "Busy Here")
        else:
            await self._picked_up.wait()
            accepted.finish(200, "OK")


def compose(
    sender: Address, to: Address, content: bytes, content_type: str = PLAIN, date_time: str = ""
) -> bytes:
    """Return a message as the room passes it on."""
    when = date_time or datetime.now(UTC).isoformat()
    return CpimMessage.compose(sender, to, content, content_type, when).render()
