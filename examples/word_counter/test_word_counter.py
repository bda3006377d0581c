"""The word counter, called by two people at a time."""

from word_counter import WordCounter

from sylk.testing import running


async def test_each_caller_has_a_count_of_his_own() -> None:
    async with (
        running(WordCounter) as server,
        server.calling("word_counter", "alice") as alice,
        server.calling("word_counter", "bob") as bob,
    ):
        await alice.say("one two three")
        assert await alice.hear() == "3 words, 3 so far"
        await bob.say("hello")
        assert await bob.hear() == "1 words, 1 so far"
        await alice.say("four five")
        assert await alice.hear() == "2 words, 5 so far"
        (counter,) = [
            one for one in server.server.config.applications.values() if one.name == "word_counter"
        ]
        assert counter.status() == {"words_total": 6}
