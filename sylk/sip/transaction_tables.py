"""The four transaction machines of RFC 3261 section 17, as tables.

A transaction is one request and all responses to it, made reliable over a transport that may lose,
repeat and reorder messages. There are four machines: INVITE and anything else, at the client and at
the server. INVITE is apart because a person may take minutes to answer it; its three-way handshake
ends with an ACK.

Each table maps (state, input) to (actions, next state). The pictures are RFC 3261 figures 5 to 8,
with figures 5 and 7 as RFC 6026 redrew them: a 2xx to INVITE no longer ends the transaction but
moves it to ACCEPTED, where it only keeps retransmissions from looking like new requests. The 2xx
is repeated, and its ACK is handled, by the layer above.

Beyond the RFC's pictures there are:
- CANCEL as an input of the INVITE client: before a provisional response it must wait (9.1), and
  after it the transaction is given up when no final response comes in time;
- RFC 4320 at the non-INVITE server: the user sends no provisional response at all, the machine
  sends one 100 itself when the user is late, and a request that is never answered is given up;
- an INVITE server stays in PROCEEDING until its user answers: the user has to, in the end;
- a transport failure once the outcome was told to the user is not told a second time.

What is not in a table is an error of the user: `LocalProtocolError`. Every input that the network
or a timer can bring has its line.
"""

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a transaction is; the names are the RFC's."""

    INITIAL = "initial"
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"

    # The tables are looked up for each message; identity is equality here, and much faster to hash.
    __hash__ = object.__hash__


class Input(Enum):
    """What can happen to a transaction."""

    # From the user of the transaction.
    START = "start"
    CANCEL = "cancel"
    SEND_PROVISIONAL = "send 1xx"
    SEND_SUCCESS = "send 2xx"
    SEND_FAILURE = "send 3xx to 6xx"
    # From the network.
    REQUEST = "request"
    ACK = "ACK"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx to 6xx"
    TRANSPORT_ERROR = "transport error"
    # From the clock; the letters are those of RFC 3261 table 4 and RFC 6026.
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    # RFC 3261 9.1: no final response in 64*T1 after the CANCEL.
    TIMER_CANCEL = "timer after CANCEL"
    # RFC 4320 4.1: Timer E of the client has reached T2 and there is no response yet.
    TIMER_TRYING = "timer for 100"
    # RFC 4320 4.2: Timer F of the client is over, an answer would come too late.
    TIMER_UNANSWERED = "timer of an unanswered request"

    __hash__ = object.__hash__


class Action(Enum):
    """What a transaction does on its way to the next state; carried out in the given order."""

    SEND_REQUEST = "send the request"
    SEND_ACK = "send the ACK for the final response"
    SEND_CANCEL = "send the CANCEL in a transaction of its own"
    DEFER_CANCEL = "remember that a CANCEL is wanted"
    SEND_RESPONSE = "send the last response again, or for the first time"
    SEND_TRYING = "make a 100 response and send it"
    DELIVER = "hand the message to the user"
    REPORT_TIMEOUT = "tell the user that time is over"
    REPORT_TRANSPORT_ERROR = "tell the user that the transport failed"
    STOP_TIMERS = "stop all timers"
    START_A = "start timer A"
    DOUBLE_A = "start timer A with twice the interval"
    START_B = "start timer B"
    START_D = "start timer D"
    START_E = "start timer E"
    DOUBLE_E = "start timer E with twice the interval, T2 at most"
    RESTART_E = "start timer E with T2"
    START_F = "start timer F"
    START_G = "start timer G"
    DOUBLE_G = "start timer G with twice the interval, T2 at most"
    START_H = "start timer H"
    START_I = "start timer I"
    START_J = "start timer J"
    START_K = "start timer K"
    START_L = "start timer L"
    START_M = "start timer M"
    START_CANCEL = "start the timer after CANCEL"
    START_TRYING = "start the timer for 100"
    START_UNANSWERED = "start the timer of an unanswered request"

    __hash__ = object.__hash__


Table = Mapping[tuple[State, Input], tuple[tuple[Action, ...], State]]
_S, _I, _A = State, Input, Action

INVITE_CLIENT: Table = {
    (_S.INITIAL, _I.START): ((_A.SEND_REQUEST, _A.START_A, _A.START_B), _S.CALLING),
    (_S.CALLING, _I.TIMER_A): ((_A.SEND_REQUEST, _A.DOUBLE_A), _S.CALLING),
    (_S.CALLING, _I.TIMER_B): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.CALLING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.CALLING, _I.CANCEL): ((_A.DEFER_CANCEL,), _S.CALLING),
    (_S.CALLING, _I.PROVISIONAL): ((_A.STOP_TIMERS, _A.DELIVER), _S.PROCEEDING),
    (_S.CALLING, _I.SUCCESS): ((_A.STOP_TIMERS, _A.DELIVER, _A.START_M), _S.ACCEPTED),
    (_S.CALLING, _I.FAILURE): (
        (_A.STOP_TIMERS, _A.SEND_ACK, _A.DELIVER, _A.START_D),
        _S.COMPLETED,
    ),
    (_S.PROCEEDING, _I.PROVISIONAL): ((_A.DELIVER,), _S.PROCEEDING),
    (_S.PROCEEDING, _I.SUCCESS): ((_A.STOP_TIMERS, _A.DELIVER, _A.START_M), _S.ACCEPTED),
    (_S.PROCEEDING, _I.FAILURE): (
        (_A.STOP_TIMERS, _A.SEND_ACK, _A.DELIVER, _A.START_D),
        _S.COMPLETED,
    ),
    (_S.PROCEEDING, _I.CANCEL): ((_A.SEND_CANCEL, _A.START_CANCEL), _S.PROCEEDING),
    (_S.PROCEEDING, _I.TIMER_CANCEL): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    # The answer could come over a new connection, but behind a NAT it never does.
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.COMPLETED, _I.FAILURE): ((_A.SEND_ACK,), _S.COMPLETED),
    (_S.COMPLETED, _I.PROVISIONAL): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.SUCCESS): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.CANCEL): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): ((), _S.TERMINATED),
    (_S.COMPLETED, _I.TIMER_D): ((), _S.TERMINATED),
    (_S.ACCEPTED, _I.SUCCESS): ((_A.DELIVER,), _S.ACCEPTED),
    (_S.ACCEPTED, _I.PROVISIONAL): ((), _S.ACCEPTED),
    (_S.ACCEPTED, _I.FAILURE): ((), _S.ACCEPTED),
    (_S.ACCEPTED, _I.CANCEL): ((), _S.ACCEPTED),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): ((), _S.ACCEPTED),
    (_S.ACCEPTED, _I.TIMER_M): ((), _S.TERMINATED),
}

_FINAL_TO_USER = (_A.STOP_TIMERS, _A.DELIVER, _A.START_K)

NON_INVITE_CLIENT: Table = {
    (_S.INITIAL, _I.START): ((_A.SEND_REQUEST, _A.START_E, _A.START_F), _S.TRYING),
    (_S.TRYING, _I.TIMER_E): ((_A.SEND_REQUEST, _A.DOUBLE_E), _S.TRYING),
    (_S.TRYING, _I.TIMER_F): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.TRYING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.TRYING, _I.PROVISIONAL): ((_A.DELIVER,), _S.PROCEEDING),
    (_S.TRYING, _I.SUCCESS): (_FINAL_TO_USER, _S.COMPLETED),
    (_S.TRYING, _I.FAILURE): (_FINAL_TO_USER, _S.COMPLETED),
    (_S.PROCEEDING, _I.TIMER_E): ((_A.SEND_REQUEST, _A.RESTART_E), _S.PROCEEDING),
    (_S.PROCEEDING, _I.TIMER_F): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.PROCEEDING, _I.PROVISIONAL): ((_A.DELIVER,), _S.PROCEEDING),
    (_S.PROCEEDING, _I.SUCCESS): (_FINAL_TO_USER, _S.COMPLETED),
    (_S.PROCEEDING, _I.FAILURE): (_FINAL_TO_USER, _S.COMPLETED),
    (_S.COMPLETED, _I.PROVISIONAL): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.SUCCESS): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.FAILURE): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): ((), _S.TERMINATED),
    (_S.COMPLETED, _I.TIMER_K): ((), _S.TERMINATED),
}

INVITE_SERVER: Table = {
    (_S.INITIAL, _I.REQUEST): ((), _S.PROCEEDING),
    (_S.PROCEEDING, _I.REQUEST): ((_A.SEND_RESPONSE,), _S.PROCEEDING),
    (_S.PROCEEDING, _I.ACK): ((), _S.PROCEEDING),
    (_S.PROCEEDING, _I.SEND_PROVISIONAL): ((_A.SEND_RESPONSE,), _S.PROCEEDING),
    (_S.PROCEEDING, _I.SEND_SUCCESS): ((_A.SEND_RESPONSE, _A.START_L), _S.ACCEPTED),
    (_S.PROCEEDING, _I.SEND_FAILURE): (
        (_A.SEND_RESPONSE, _A.START_G, _A.START_H),
        _S.COMPLETED,
    ),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.PROCEEDING),
    (_S.COMPLETED, _I.REQUEST): ((_A.SEND_RESPONSE,), _S.COMPLETED),
    (_S.COMPLETED, _I.ACK): ((_A.STOP_TIMERS, _A.START_I), _S.CONFIRMED),
    (_S.COMPLETED, _I.TIMER_G): ((_A.SEND_RESPONSE, _A.DOUBLE_G), _S.COMPLETED),
    (_S.COMPLETED, _I.TIMER_H): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): ((), _S.COMPLETED),
    (_S.CONFIRMED, _I.REQUEST): ((), _S.CONFIRMED),
    (_S.CONFIRMED, _I.ACK): ((), _S.CONFIRMED),
    (_S.CONFIRMED, _I.TRANSPORT_ERROR): ((), _S.CONFIRMED),
    (_S.CONFIRMED, _I.TIMER_I): ((), _S.TERMINATED),
    (_S.ACCEPTED, _I.REQUEST): ((), _S.ACCEPTED),
    # Only a client that gives the ACK of a 2xx the branch of its INVITE comes here.
    (_S.ACCEPTED, _I.ACK): ((_A.DELIVER,), _S.ACCEPTED),
    (_S.ACCEPTED, _I.SEND_SUCCESS): ((_A.SEND_RESPONSE,), _S.ACCEPTED),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): ((), _S.ACCEPTED),
    (_S.ACCEPTED, _I.TIMER_L): ((), _S.TERMINATED),
}

_FINAL_TO_NETWORK = (_A.STOP_TIMERS, _A.SEND_RESPONSE, _A.START_J)

NON_INVITE_SERVER: Table = {
    (_S.INITIAL, _I.REQUEST): ((_A.START_TRYING, _A.START_UNANSWERED), _S.TRYING),
    (_S.TRYING, _I.REQUEST): ((), _S.TRYING),
    (_S.TRYING, _I.SEND_SUCCESS): (_FINAL_TO_NETWORK, _S.COMPLETED),
    (_S.TRYING, _I.SEND_FAILURE): (_FINAL_TO_NETWORK, _S.COMPLETED),
    (_S.TRYING, _I.TIMER_TRYING): ((_A.SEND_TRYING,), _S.PROCEEDING),
    (_S.TRYING, _I.TIMER_UNANSWERED): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.TRYING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.PROCEEDING, _I.REQUEST): ((_A.SEND_RESPONSE,), _S.PROCEEDING),
    (_S.PROCEEDING, _I.SEND_SUCCESS): (_FINAL_TO_NETWORK, _S.COMPLETED),
    (_S.PROCEEDING, _I.SEND_FAILURE): (_FINAL_TO_NETWORK, _S.COMPLETED),
    (_S.PROCEEDING, _I.TIMER_UNANSWERED): ((_A.REPORT_TIMEOUT,), _S.TERMINATED),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): ((_A.REPORT_TRANSPORT_ERROR,), _S.TERMINATED),
    (_S.COMPLETED, _I.REQUEST): ((_A.SEND_RESPONSE,), _S.COMPLETED),
    # RFC 3261 17.2.2: further final responses of the user are discarded.
    (_S.COMPLETED, _I.SEND_SUCCESS): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.SEND_FAILURE): ((), _S.COMPLETED),
    # RFC 6026 keeps the INVITE server here so that a late retransmission is not taken for a new
    # request; the reason holds for this machine as well.
    (_S.COMPLETED, _I.TRANSPORT_ERROR): ((), _S.COMPLETED),
    (_S.COMPLETED, _I.TIMER_J): ((), _S.TERMINATED),
}
