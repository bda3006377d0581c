"""What is told of rooms: with people in one, and after it has closed."""

from tests.apps.conference.visits import assert_all_is_gone, conference_of, enter
from tests.peers import DOMAIN, Caller, running_server


async def test_a_room_is_told_while_it_is_open_and_its_messages_count_for_ever() -> None:
    async with (
        running_server({"Conference": {"subject": "Tea"}}) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        conference = conference_of(server)
        assert conference.status() == {
            "rooms": 0,
            "people": 0,
            "participants": 0,
            "messages_total": 0,
        }
        await enter(alice)
        await enter(bob)
        await alice.hear_notice()
        await alice.say("hello")
        await bob.hear()
        (room,) = conference.rooms()
        assert room.address == f"sip:lobby@{DOMAIN}"
        assert (room.people, room.participants, room.messages) == (2, 2, 1)
        assert (room.subject, room.locked) == ("Tea", False)
        assert conference.status()["participants"] == 2
        assert (await alice.bye()).status == 200
        assert (await bob.bye()).status == 200
        await assert_all_is_gone(server)
        assert list(conference.rooms()) == []
        assert conference.status()["messages_total"] == 1
