"""What the room itself says."""

import pytest
from sylk_conference.notices import name_of, notice, welcome

from sylk.payload.cpim import Address, CpimMessage

ROOM = Address("sip:lobby@example.com", "Conference Room")
STAMP = "2026-11-21T07:35:47+00:00"
NAMESPACE = "urn:ag-projects:xml:ns:cpim"


def people(count: int) -> list[Address]:
    return [Address(f"sip:p{number}@example.com") for number in range(count)]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (Address("sip:alice@example.com", "Alice"), "Alice <alice@example.com>"),
        (Address("sip:alice@example.com"), "alice@example.com"),
    ],
)
def test_people_are_named_by_name_and_address(address: Address, name: str) -> None:
    assert name_of(address) == name


@pytest.mark.parametrize(
    ("others", "said", "unsaid"),
    [
        (0, "the first one", "already"),
        (1, "already: p0@example.com. ", "more"),
        (10, "p9@example.com. ", "more"),
        (12, "p9@example.com and 2 more. ", "p10"),
    ],
)
def test_a_newcomer_learns_who_is_here_and_how_others_come(
    others: int, said: str, unsaid: str
) -> None:
    message = CpimMessage.parse(welcome(ROOM, people(others), STAMP))
    text = message.content.decode()
    assert said in text
    assert unsaid not in text
    assert text.endswith("join at lobby@example.com")
    assert (message.from_, message.to, message.date_time) == (ROOM, [ROOM], STAMP)
    # A greeting is shown as a message, not as a notice.
    assert message.header("Message-Type", NAMESPACE) is None


def test_a_welcome_counts_those_whom_it_is_not_given() -> None:
    message = CpimMessage.parse(welcome(ROOM, people(11), STAMP, count=999))
    assert "p9@example.com and 989 more. " in message.content.decode()


def test_a_notice_is_marked_as_one() -> None:
    data = notice(ROOM, "Ünal has left", STAMP)
    message = CpimMessage.parse(data)
    assert (message.from_, message.to, message.date_time) == (ROOM, [ROOM], STAMP)
    assert message.content.decode() == "Ünal has left"
    assert message.content_type == "text/plain; charset=utf-8"
    assert message.header("Message-Type", NAMESPACE) == "status"
    # Deployed clients look for these very words.
    assert b"NS: agp <urn:ag-projects:xml:ns:cpim>\r\nagp.Message-Type: status\r\n" in data
