"""What an application holds: invitations, chats, and the requests that are no calls."""

from sylk.session.chat import Broadcast, Chat
from sylk.session.invitation import Invitation
from sylk.session.message import ChatMessage
from sylk.session.requests import PageMessage, ReferralRequest, SubscriptionRequest
from sylk.session.subscription import Referral, Subscription

__all__ = [
    "Broadcast",
    "Chat",
    "ChatMessage",
    "Invitation",
    "PageMessage",
    "Referral",
    "ReferralRequest",
    "Subscription",
    "SubscriptionRequest",
]
