"""REFER: who is in a room has others called into it, or put out (RFC 4579 sections 5.5 and 5.11).

It may come out of a dialog, to the URI of the room, as deployed clients send it, or inside the call
of the referrer with the room. What is wrong with the REFER itself is its answer; what becomes of
whom it names is told in the NOTIFYs, with status and reason, truthfully:

- Who is here already is not called: 200, and the reason says so. Only his own clients may anybody
  have called while he is here with another one.
- Nobody is called into a room that is not open: 480. He would find nobody there, and whoever is in
  no room could have the server call whom he likes.
- Who is put out and is not here: 404. Deployed servers say 200; clients show either.
- A room, ours or the factory, is not called: it would hear itself (482). What finds its way back to
  us otherwise is refused by the core in the same way.
"""

from contextlib import nullcontext

import trio

from sylk.errors import RemoteProtocolError
from sylk.log import ApplicationLogger
from sylk.payload.cpim import Address
from sylk.session import Refer, Referral, ReferralRequest
from sylk_conference.content import check
from sylk_conference.dial_out import DialOut, Invitee, uri_to_call
from sylk_conference.factory import Factory
from sylk_conference.notices import name_of
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import comparable
from sylk_conference.policy import Asker
from sylk_conference.rooms import Rooms

_NOT_FOUND = 404
_NOT_ALLOWED = 405
_BAD_SCHEME = 416
_NOT_OPEN = 480
_LOOP = 482
_OTHER_METHOD = 488
_BUSY = 503


class Referrals:
    """Answers each REFER to a room."""

    def __init__(
        self,
        rooms: Rooms,
        dial_out: DialOut,
        factory: Factory,
        logger: ApplicationLogger,
    ) -> None:
        self._rooms = rooms
        self._dial_out = dial_out
        self._factory = factory
        self._logger = logger

    async def handle(self, request: ReferralRequest, place: Address) -> None:
        """Answer a REFER to the room of `place` and do what it asks for."""
        open_room = self._rooms.get(place)
        asker = self._rooms.asker(request.sender, request.source[0], place)
        is_called = False
        try:
            refer = request.read()
            self._check(request, refer, asker, place)
            uri = uri_to_call(str(refer.target))
            invitee = Invitee(uri, request.sender, refer.replaces)
            if refer.method == "INVITE" and self._has_to_call(open_room, invitee):
                self._check_bounds(open_room, invitee)
                is_called = True
        except RemoteProtocolError as error:
            self._logger.info("refused a REFER of %s: %s", request.sender.uri, error)
            retry_after = next((int(v) for name, v in error.headers if name == "Retry-After"), None)
            await request.reject(error.status, retry_after=retry_after)
            return
        # Who asks meanwhile is not to find that nobody is called yet.
        with self._dial_out.about_to_call(open_room, invitee.key) if is_called else nullcontext():
            referral = await request.accept()
            # Meanwhile the room may have closed.
            open_room = self._rooms.get(place)
            if refer.method == "BYE":
                self._remove(referral, open_room, request.sender, invitee.key)
            else:
                self._invite(referral, open_room, invitee)

    # Whether

    def _check(self, request: ReferralRequest, refer: Refer, asker: Asker, place: Address) -> None:
        """Raise RemoteProtocolError for what is not done, whatever becomes of the target."""
        if request.call is None and self._factory.is_named(request.request_uri.user):
            raise RemoteProtocolError("the factory has nobody in it", _NOT_ALLOWED)
        if refer.method not in ("INVITE", "BYE"):
            raise RemoteProtocolError(f"no {refer.method} to others", _OTHER_METHOD)
        target = str(refer.target)
        if target.partition(":")[0] not in ("sip", "sips"):
            raise RemoteProtocolError("the target is no SIP URI", _BAD_SCHEME)
        policy, now = self._rooms.policy_of(place), trio.current_time()
        key = comparable(target.encode("utf-8", "replace"))
        if refer.method == "BYE":
            open_room = self._rooms.get(place)
            out = Asker(key) if open_room is None else open_room.room.known(key)
            check(policy.may_remove(asker, out, now))
            return
        check(policy.may_invite(asker, key, now))
        user = key.rpartition(b"@")[0].decode("utf-8", "replace")
        if self._rooms.get(Address(target)) is not None or self._factory.is_named(user):
            raise RemoteProtocolError("the target is a room", _LOOP)

    def _has_to_call(self, open_room: OpenRoom | None, invitee: Invitee) -> bool:
        """Tell whether there is somebody to be called who is not here and is not called yet."""
        return (
            open_room is not None
            and not _is_here(open_room, invitee)
            and not self._dial_out.is_ringing(open_room, invitee.key)
            and self._rooms.refusal(open_room.room.address) is None
        )

    def _check_bounds(self, open_room: OpenRoom | None, invitee: Invitee) -> None:
        """Count a call; raises RemoteProtocolError (503) if it is one too many."""
        assert open_room is not None
        wait = self._dial_out.wait_for_call(open_room, invitee)
        if wait is not None:
            raise RemoteProtocolError("too many calls", _BUSY, [("Retry-After", str(wait))])

    # What

    def _invite(self, referral: Referral, open_room: OpenRoom | None, invitee: Invitee) -> None:
        if open_room is None:
            referral.finish(_NOT_OPEN, "The Room Is Not Open")
        elif _is_here(open_room, invitee):
            referral.finish(200, "Is Here Already")
        elif (status := self._rooms.refusal(open_room.room.address)) is not None:
            referral.finish(status, "The Room Is Full")
        elif self._dial_out.is_ringing(open_room, invitee.key) or self._dial_out.has_line(
            open_room
        ):
            self._dial_out.call(open_room, invitee, referral.progress)
        else:
            # Others have come first while this one was answered.
            referral.finish(_BUSY, "Too Many Calls")

    def _remove(
        self, referral: Referral, open_room: OpenRoom | None, referrer: Address, key: bytes
    ) -> None:
        reason = f"Removed by {name_of(referrer)}"
        if open_room is None or not open_room.put_out(key, reason, referrer.uri):
            referral.finish(_NOT_FOUND, "Not In The Room")
        else:
            self._logger.info(
                "%s has put %s out of %s",
                *(referrer.uri, key.decode("utf-8", "replace")),
                open_room.room.address.uri,
            )
            referral.finish(200)


def _is_here(open_room: OpenRoom, invitee: Invitee) -> bool:
    """Tell whether somebody is here, or on his way in, so that there is no need to call him."""
    is_himself = comparable(invitee.referrer.uri.encode("utf-8", "replace")) == invitee.key
    return not is_himself and invitee.key in open_room.calls
