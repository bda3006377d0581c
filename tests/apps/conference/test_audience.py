"""Who takes what."""

from sylk_conference.audience import MAX_TYPES, Audience, takes
from sylk_conference.people import People

from sylk.payload.cpim import Address


def test_what_a_client_says_counts_and_silence_is_everything() -> None:
    people = People()
    audience = Audience(people)
    people.join(Address("sip:alice@example.com"))
    bob = people.join(Address("sip:bob@example.com"))
    bob.accepts = ("text/*", "Image/PNG")
    audience.changed()
    assert audience.deaf_to(b"text/plain; charset=utf-8") == []
    assert audience.deaf_to(b"image/png") == []
    assert audience.deaf_to(b"image/jpeg") == [bob]
    assert audience.deaf_to(b"nonsense") == [bob]
    people.leave(bob)
    audience.changed()
    assert audience.deaf_to(b"image/jpeg") == []


def test_types_without_number_are_not_remembered() -> None:
    people = People()
    audience = Audience(people)
    bob = people.join(Address("sip:bob@example.com"))
    bob.accepts = ("text/*",)
    for number in range(3 * MAX_TYPES):
        assert audience.deaf_to(b"image/%d" % number) == [bob]
        assert audience.deaf_to(b"text/%d" % number) == []
    assert takes(bob, "text/0")
