"""What the operator is told of the rooms. No I/O, no clock, no tasks."""

from collections.abc import Mapping

from sylk.room_status import RoomStatus
from sylk_conference.open_room import OpenRoom
from sylk_conference.rooms import Rooms


def figures(rooms: Rooms) -> Mapping[str, float]:
    """Return how much goes on in all rooms."""
    return {
        "rooms": len(rooms),
        "people": sum(len(one.room.people) for one in rooms),
        "participants": sum(len(one.chats) for one in rooms),
        "messages_total": rooms.closed_messages + sum(one.messages for one in rooms),
    }


def room_status(open_room: OpenRoom) -> RoomStatus:
    """Return what is to be told of one room."""
    room = open_room.room
    return RoomStatus(
        address=room.address.uri,
        people=len(room.people),
        participants=len(open_room.chats),
        messages=open_room.messages,
        waiting=sum(chat.backlog for chat in open_room.chats.values()),
        subject=room.policy.subject,
        locked=room.policy.is_locked,
        history=open_room.history.is_kept,
    )
