"""The states of a subscription: every transition of both its sides, as two tables (RFC 6665).

Theory. A SUBSCRIBE, or a REFER which implies one, asks for the state of a resource. Whoever accepts
is the notifier and tells that state in NOTIFY requests inside the dialog: one at once, one after
each change, one after each further SUBSCRIBE, and a last one that says `terminated`. Four rules
make it more than "on, off":

- The subscription ends with the NOTIFY that says so, not with the SUBSCRIBE that asked for the end
  (4.4.1). The notifier therefore stays in ENDING until that NOTIFY is answered, and the subscriber
  until it has come. Polling (4.4.3) is a subscription that is in ENDING from its first moment.
- Nobody lives for ever. The notifier ends what is not refreshed in time (EXPIRE). The subscriber
  gives up when no NOTIFY follows its SUBSCRIBE within 64·T1, called Timer N there (OVERDUE).
- A failed request has three meanings (4.1.2.2, 4.2.2, RFC 5057): the other side knows nothing of
  the subscription any more (GONE), or this request failed and the subscription goes on (REFUSED),
  or the time asked for is too short and a longer one will do (TOO_BRIEF).
- A NOTIFY may overtake the 2xx that it belongs to (4.1.2.4). Either of them opens the dialog of the
  subscriber. Who wants to leave before that has nothing to say it in, and waits in LEAVING.

PENDING is a subscription that nobody has approved yet: its NOTIFYs tell nothing of the resource, so
a change there is kept until the approval.

What a table does not hold is either a mistake of ours (LocalProtocolError) or, for input from the
network, something without a meaning in that state, which is answered without a change of state by
the code that looked it up.
"""

from collections.abc import Mapping
from enum import Enum, auto


class NotifierState(Enum):
    """Where the side that tells the state stands."""

    ASKED = auto()
    PENDING = auto()
    ACTIVE = auto()
    ENDING = auto()
    ENDED = auto()


class NotifierInput(Enum):
    """What can happen to the side that tells the state."""

    ACCEPT = auto()
    ACCEPT_PENDING = auto()
    ACCEPT_FETCH = auto()
    ACCEPT_SILENTLY = auto()
    REJECT = auto()
    APPROVE = auto()
    CHANGE = auto()
    END = auto()
    REFRESH = auto()
    UNSUBSCRIBE = auto()
    EXPIRE = auto()
    CLOSED = auto()
    GONE = auto()


class NotifierAction(Enum):
    """What that side then does."""

    NOTHING = auto()
    OPEN = auto()
    OPEN_AND_CLOSE = auto()
    ANSWER = auto()
    REFUSE = auto()
    TELL = auto()
    KEEP = auto()
    RENEW = auto()
    RENEW_AND_CLOSE = auto()
    CLOSE = auto()
    FINISH = auto()


class SubscriberState(Enum):
    """Where the side that asked for the state stands."""

    ASKING = auto()
    ACCEPTED = auto()
    PENDING = auto()
    ACTIVE = auto()
    LEAVING = auto()
    ENDING = auto()
    ENDED = auto()


class SubscriberInput(Enum):
    """What can happen to the side that asked for the state."""

    SUCCESS = auto()
    TOO_BRIEF = auto()
    REFUSED = auto()
    GONE = auto()
    NOTIFY_PENDING = auto()
    NOTIFY_ACTIVE = auto()
    NOTIFY_TERMINATED = auto()
    REFRESH_DUE = auto()
    OVERDUE = auto()
    EXPIRE = auto()
    UNSUBSCRIBE = auto()


class SubscriberAction(Enum):
    """What that side then does."""

    NOTHING = auto()
    OPEN = auto()
    RENEW = auto()
    ASK_AGAIN = auto()
    REFRESH = auto()
    REFRESH_LATER = auto()
    HAND_OUT = auto()
    HAND_OUT_AND_FINISH = auto()
    SEND_UNSUBSCRIBE = auto()
    FINISH = auto()


_NS, _NI, _NA = NotifierState, NotifierInput, NotifierAction

NOTIFIER: Mapping[tuple[NotifierState, NotifierInput], tuple[NotifierAction, NotifierState]] = {
    (_NS.ASKED, _NI.ACCEPT): (_NA.OPEN, _NS.ACTIVE),
    (_NS.ASKED, _NI.ACCEPT_PENDING): (_NA.OPEN, _NS.PENDING),
    (_NS.ASKED, _NI.ACCEPT_FETCH): (_NA.OPEN_AND_CLOSE, _NS.ENDING),
    # A REFER that does not want to hear of it (RFC 4488, RFC 7614).
    (_NS.ASKED, _NI.ACCEPT_SILENTLY): (_NA.ANSWER, _NS.ENDED),
    (_NS.ASKED, _NI.REJECT): (_NA.REFUSE, _NS.ENDED),
    (_NS.ASKED, _NI.GONE): (_NA.FINISH, _NS.ENDED),
    (_NS.PENDING, _NI.APPROVE): (_NA.TELL, _NS.ACTIVE),
    (_NS.PENDING, _NI.CHANGE): (_NA.KEEP, _NS.PENDING),
    (_NS.PENDING, _NI.END): (_NA.CLOSE, _NS.ENDING),
    (_NS.PENDING, _NI.REFRESH): (_NA.RENEW, _NS.PENDING),
    (_NS.PENDING, _NI.UNSUBSCRIBE): (_NA.RENEW_AND_CLOSE, _NS.ENDING),
    (_NS.PENDING, _NI.EXPIRE): (_NA.CLOSE, _NS.ENDING),
    (_NS.PENDING, _NI.GONE): (_NA.FINISH, _NS.ENDED),
    (_NS.ACTIVE, _NI.APPROVE): (_NA.NOTHING, _NS.ACTIVE),
    (_NS.ACTIVE, _NI.CHANGE): (_NA.TELL, _NS.ACTIVE),
    (_NS.ACTIVE, _NI.END): (_NA.CLOSE, _NS.ENDING),
    (_NS.ACTIVE, _NI.REFRESH): (_NA.RENEW, _NS.ACTIVE),
    (_NS.ACTIVE, _NI.UNSUBSCRIBE): (_NA.RENEW_AND_CLOSE, _NS.ENDING),
    (_NS.ACTIVE, _NI.EXPIRE): (_NA.CLOSE, _NS.ENDING),
    (_NS.ACTIVE, _NI.GONE): (_NA.FINISH, _NS.ENDED),
    # The user may not have heard yet that the subscriber has left.
    (_NS.ENDING, _NI.APPROVE): (_NA.NOTHING, _NS.ENDING),
    (_NS.ENDING, _NI.CHANGE): (_NA.NOTHING, _NS.ENDING),
    (_NS.ENDING, _NI.END): (_NA.NOTHING, _NS.ENDING),
    (_NS.ENDING, _NI.CLOSED): (_NA.FINISH, _NS.ENDED),
    (_NS.ENDING, _NI.GONE): (_NA.FINISH, _NS.ENDED),
    (_NS.ENDED, _NI.APPROVE): (_NA.NOTHING, _NS.ENDED),
    (_NS.ENDED, _NI.CHANGE): (_NA.NOTHING, _NS.ENDED),
    (_NS.ENDED, _NI.END): (_NA.NOTHING, _NS.ENDED),
}

_SS, _SI, _SA = SubscriberState, SubscriberInput, SubscriberAction

SUBSCRIBER: Mapping[
    tuple[SubscriberState, SubscriberInput], tuple[SubscriberAction, SubscriberState]
] = {
    # Nothing has come that opens a dialog.
    (_SS.ASKING, _SI.SUCCESS): (_SA.OPEN, _SS.ACCEPTED),
    (_SS.ASKING, _SI.TOO_BRIEF): (_SA.ASK_AGAIN, _SS.ASKING),
    (_SS.ASKING, _SI.REFUSED): (_SA.FINISH, _SS.ENDED),
    (_SS.ASKING, _SI.GONE): (_SA.FINISH, _SS.ENDED),
    (_SS.ASKING, _SI.NOTIFY_PENDING): (_SA.HAND_OUT, _SS.PENDING),
    (_SS.ASKING, _SI.NOTIFY_ACTIVE): (_SA.HAND_OUT, _SS.ACTIVE),
    (_SS.ASKING, _SI.NOTIFY_TERMINATED): (_SA.HAND_OUT_AND_FINISH, _SS.ENDED),
    (_SS.ASKING, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.ASKING, _SI.UNSUBSCRIBE): (_SA.NOTHING, _SS.LEAVING),
    # The 2xx has come, the first NOTIFY has not.
    (_SS.ACCEPTED, _SI.NOTIFY_PENDING): (_SA.HAND_OUT, _SS.PENDING),
    (_SS.ACCEPTED, _SI.NOTIFY_ACTIVE): (_SA.HAND_OUT, _SS.ACTIVE),
    (_SS.ACCEPTED, _SI.NOTIFY_TERMINATED): (_SA.HAND_OUT_AND_FINISH, _SS.ENDED),
    (_SS.ACCEPTED, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.ACCEPTED, _SI.UNSUBSCRIBE): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    (_SS.PENDING, _SI.SUCCESS): (_SA.RENEW, _SS.PENDING),
    (_SS.PENDING, _SI.TOO_BRIEF): (_SA.REFRESH, _SS.PENDING),
    (_SS.PENDING, _SI.REFUSED): (_SA.REFRESH_LATER, _SS.PENDING),
    (_SS.PENDING, _SI.GONE): (_SA.FINISH, _SS.ENDED),
    (_SS.PENDING, _SI.NOTIFY_PENDING): (_SA.HAND_OUT, _SS.PENDING),
    (_SS.PENDING, _SI.NOTIFY_ACTIVE): (_SA.HAND_OUT, _SS.ACTIVE),
    (_SS.PENDING, _SI.NOTIFY_TERMINATED): (_SA.HAND_OUT_AND_FINISH, _SS.ENDED),
    (_SS.PENDING, _SI.REFRESH_DUE): (_SA.REFRESH, _SS.PENDING),
    (_SS.PENDING, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.PENDING, _SI.EXPIRE): (_SA.FINISH, _SS.ENDED),
    (_SS.PENDING, _SI.UNSUBSCRIBE): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    (_SS.ACTIVE, _SI.SUCCESS): (_SA.RENEW, _SS.ACTIVE),
    (_SS.ACTIVE, _SI.TOO_BRIEF): (_SA.REFRESH, _SS.ACTIVE),
    (_SS.ACTIVE, _SI.REFUSED): (_SA.REFRESH_LATER, _SS.ACTIVE),
    (_SS.ACTIVE, _SI.GONE): (_SA.FINISH, _SS.ENDED),
    # The RFC has no way back to pending, but what the notifier says is so.
    (_SS.ACTIVE, _SI.NOTIFY_PENDING): (_SA.HAND_OUT, _SS.PENDING),
    (_SS.ACTIVE, _SI.NOTIFY_ACTIVE): (_SA.HAND_OUT, _SS.ACTIVE),
    (_SS.ACTIVE, _SI.NOTIFY_TERMINATED): (_SA.HAND_OUT_AND_FINISH, _SS.ENDED),
    (_SS.ACTIVE, _SI.REFRESH_DUE): (_SA.REFRESH, _SS.ACTIVE),
    (_SS.ACTIVE, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.ACTIVE, _SI.EXPIRE): (_SA.FINISH, _SS.ENDED),
    (_SS.ACTIVE, _SI.UNSUBSCRIBE): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    # To be left as soon as something opens the dialog.
    (_SS.LEAVING, _SI.SUCCESS): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    (_SS.LEAVING, _SI.TOO_BRIEF): (_SA.FINISH, _SS.ENDED),
    (_SS.LEAVING, _SI.REFUSED): (_SA.FINISH, _SS.ENDED),
    (_SS.LEAVING, _SI.GONE): (_SA.FINISH, _SS.ENDED),
    (_SS.LEAVING, _SI.NOTIFY_PENDING): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    (_SS.LEAVING, _SI.NOTIFY_ACTIVE): (_SA.SEND_UNSUBSCRIBE, _SS.ENDING),
    (_SS.LEAVING, _SI.NOTIFY_TERMINATED): (_SA.FINISH, _SS.ENDED),
    (_SS.LEAVING, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.LEAVING, _SI.UNSUBSCRIBE): (_SA.NOTHING, _SS.LEAVING),
    # The SUBSCRIBE with Expires 0 is out, the last NOTIFY is awaited.
    (_SS.ENDING, _SI.SUCCESS): (_SA.NOTHING, _SS.ENDING),
    (_SS.ENDING, _SI.TOO_BRIEF): (_SA.FINISH, _SS.ENDED),
    (_SS.ENDING, _SI.REFUSED): (_SA.FINISH, _SS.ENDED),
    (_SS.ENDING, _SI.GONE): (_SA.FINISH, _SS.ENDED),
    (_SS.ENDING, _SI.NOTIFY_PENDING): (_SA.NOTHING, _SS.ENDING),
    (_SS.ENDING, _SI.NOTIFY_ACTIVE): (_SA.NOTHING, _SS.ENDING),
    (_SS.ENDING, _SI.NOTIFY_TERMINATED): (_SA.FINISH, _SS.ENDED),
    (_SS.ENDING, _SI.OVERDUE): (_SA.FINISH, _SS.ENDED),
    (_SS.ENDING, _SI.UNSUBSCRIBE): (_SA.NOTHING, _SS.ENDING),
    (_SS.ENDED, _SI.UNSUBSCRIBE): (_SA.NOTHING, _SS.ENDED),
}

GONE_STATUSES = frozenset({404, 405, 408, 410, 416, *range(480, 486), 489, 501, 604})
"""Answers by which the peer knows no such subscription (4.1.2.2, 4.2.2; 408 by RFC 5057)."""
