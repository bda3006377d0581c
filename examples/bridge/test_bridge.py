"""Two rooms of one server, joined by a bridge in another."""

from bridge import Bridge

from sylk.testing import running


async def test_what_is_said_in_one_room_is_heard_in_the_other() -> None:
    async with running(settings={"Conference": {"history": "no"}}) as hall:
        rooms = f"{hall.uri('garden')}, {hall.uri('attic')}"
        async with (
            running(Bridge, settings={"Bridge": {"rooms": rooms}}) as gate,
            gate.calling("bridge", "keeper") as keeper,
            hall.calling("garden", "alice") as alice,
            hall.calling("attic", "bob") as bob,
        ):
            await keeper.hear("joined")
            await alice.say("anybody upstairs?")
            assert await bob.hear("upstairs") == "Alice: anybody upstairs?"
            await bob.say("yes")
            assert await alice.hear("yes") == "Bob: yes"
