"""The welcome, the first time and the next."""

from welcome import Welcome

from sylk.testing import running


async def test_who_was_here_before_is_known() -> None:
    settings = {"Welcome": {"text": "Hello, stranger.", "rooms": "garden, attic"}}
    async with running(Welcome, settings=settings) as server:
        async with server.calling("welcome", "alice") as alice:
            assert await alice.hear() == "Hello, stranger. Rooms here: garden, attic"
        async with server.calling("welcome", "alice") as alice:
            assert await alice.hear() == "Welcome back! Rooms here: garden, attic"
        async with server.calling("welcome", "bob") as bob:
            assert await bob.hear("^Hello, stranger")
