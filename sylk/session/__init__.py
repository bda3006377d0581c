"""What an application holds: invitations, chats, and the requests that are no calls."""

from sylk.msrp.incoming_stream import IncomingStream
from sylk.msrp.receipt import Receipt
from sylk.session.broadcast import Broadcast
from sylk.session.call import Call
from sylk.session.challenges import Credentials
from sylk.session.chat import Chat
from sylk.session.invitation import Invitation
from sylk.session.message import ChatMessage, Incoming, MessagePiece
from sylk.session.nickname import NicknameRequest
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.session.stream_broadcast import StreamBroadcast
from sylk.session.subscription import Referral, Subscription
from sylk.session.user_agent import UserAgent
from sylk.session.watch import Notification, Watch
from sylk.sip.refer import Refer

__all__ = [
    "Broadcast",
    "Call",
    "Chat",
    "ChatMessage",
    "Credentials",
    "Incoming",
    "IncomingStream",
    "Invitation",
    "MessagePiece",
    "NicknameRequest",
    "Notification",
    "PageMessage",
    "Receipt",
    "Refer",
    "Referral",
    "ReferralRequest",
    "StreamBroadcast",
    "Subscription",
    "SubscriptionRequest",
    "UserAgent",
    "Watch",
]
