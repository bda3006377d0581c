"""The implied subscription of a REFER: tells the referrer what becomes of it (RFC 3515 2.4.4)."""

from collections.abc import Sequence

from sylk.payload.sipfrag import CONTENT_TYPE, StatusFragment
from sylk.sip.core import IncomingRequest, UserAgentCore
from sylk.sip.notifier import HeaderList, NotifierUsage
from sylk.sip.refer import parse_refer
from sylk.sip.subscription_limits import SubscriptionLimits

REFER_LIMITS = SubscriptionLimits(default_expires=180)
"""A referrer hears for 180 s what becomes of his REFER, and longer if he asks again."""


class ReferNotifier:
    """A REFER as its recipient sees it: accepted or not, then progress, then a final status.

    A referrer who wants no subscription is told nothing; the verbs do nothing then.
    """

    def __init__(
        self,
        core: UserAgentCore,
        incoming: IncomingRequest,
        contact: str,
        limits: SubscriptionLimits = REFER_LIMITS,
        *,
        allow_events: Sequence[str] = (),
    ) -> None:
        """Begin with a REFER outside of a dialog.

        Raises RemoteProtocolError (400) when it cannot be read: then there is no usage and the
        request is still to be answered.
        """
        self.refer = parse_refer(incoming.request)
        self.usage = NotifierUsage(core, incoming, contact, limits, allow_events=allow_events)
        self._told = b""

    def accept(self, now: float) -> None:
        """Accept, and tell that it is being tried (RFC 3515 section 2.4.5).

        Raises RemoteProtocolError (400) without a usable Contact; it then waits for `reject`.
        """
        if self.refer.wants_subscription:
            self._told = StatusFragment(100, "Trying").render()
            self.usage.accept(now, self._told, CONTENT_TYPE)
            return
        headers = [("Refer-Sub", "false")] if "Refer-Sub" in self.usage.request.headers else []
        self.usage.accept_silently(now, headers)

    def reject(self, status: int, now: float, headers: HeaderList = ()) -> None:
        """Send a final refusal of the REFER itself."""
        self.usage.reject(status, now, headers)

    def progress(self, status: int, reason: str, now: float) -> None:
        """Tell the status of what was referred to; a final one, from 200 on, is the last.

        The same status line is not told twice. Raises LocalProtocolError for a number that is no
        status code, and before the REFER was accepted.
        """
        fragment = StatusFragment(status, reason).render()
        if status >= 200:
            self.usage.end("noresource", now, fragment, CONTENT_TYPE)
        elif fragment != self._told:
            self.usage.change(fragment, CONTENT_TYPE, now)
            self._told = fragment
