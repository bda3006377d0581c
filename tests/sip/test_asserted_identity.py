"""Who a trusted proxy says that it is: RFC 3325, and RFC 3323 where he does not want to be said."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.asserted_identity import (
    asserted_address,
    identify_behind_proxy,
    pseudonym_of,
    wants_privacy,
)
from sylk.sip.headers import Headers
from sylk.sip.message import Request
from tests.sip.user_agents import make

KEY = b"key"
CARA = '"Cara" <sip:cara@example.com>'


def request(*headers: tuple[str, str]) -> Request:
    return make("INVITE", *headers)


def asserted(*values: str) -> str:
    headers = Headers([("P-Asserted-Identity", value) for value in values])
    return str(asserted_address(headers))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "None"),
        ([CARA], CARA),
        (["sip:cara@example.com"], "<sip:cara@example.com>"),
        (["sips:cara@example.com"], "<sips:cara@example.com>"),
        (["tel:+12125551212"], "<tel:+12125551212>"),
        (["TEL:+12125551212"], "<tel:+12125551212>"),
        ([CARA, "tel:+12125551212"], CARA),
        (["tel:+12125551212", CARA], CARA),
        ([f"<tel:+12125551212>, {CARA}"], CARA),
        (["http://example.com/"], "None"),
        (["<tel:1>"] * 8 + [CARA], "<tel:1>"),
    ],
)
def test_a_sip_address_names_the_person_or_else_a_telephone_number(
    values: list[str], expected: str
) -> None:
    assert asserted(*values) == expected


@pytest.mark.parametrize("value", ["<sip:", '"Cara <sip:cara@example.com>', "sip:a@b@c", "nobody"])
def test_a_proxy_that_writes_nonsense_is_told_so(value: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        asserted(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], False),
        (["id"], True),
        (["ID"], True),
        (["header;id;critical"], True),
        (["session", "id"], True),
        (["user"], True),
        (["none"], False),
        (["session"], False),
        (["none; id"], False),
        ([""], False),
    ],
)
def test_privacy_is_asked_for(values: list[str], expected: bool) -> None:
    assert wants_privacy(Headers([("Privacy", value) for value in values])) is expected


def test_an_assertion_counts_more_than_from_and_a_wish_counts_nothing() -> None:
    wish = ("P-Preferred-Identity", "<sip:root@example.com>")
    assert identify_behind_proxy(request(wish), KEY) == request().from_
    named = identify_behind_proxy(request(wish, ("P-Asserted-Identity", CARA)), KEY)
    assert str(named) == CARA


def test_who_wants_to_be_nobody_is_always_the_same_nobody() -> None:
    def shown(user: str, key: bytes = KEY, **params: str | None) -> NameAddr:
        value = f"<sip:{user}@example.com>"
        return identify_behind_proxy(
            request(("P-Asserted-Identity", value), ("Privacy", "id")), key
        )

    cara = shown("cara")
    assert cara.display_name == "Anonymous"
    text = str(cara)
    assert text.endswith("@anonymous.invalid>")
    assert "cara" not in text
    assert "alice" not in text
    assert shown("cara") == cara
    assert shown("dave") != cara
    assert shown("cara", b"other") != cara
    again = NameAddr.parse('"C" <sip:cara@example.com;transport=tcp>')
    assert pseudonym_of(again, KEY) == cara
    assert pseudonym_of(NameAddr.parse("tel:+1"), KEY) != cara


def test_without_an_assertion_from_is_all_there_is() -> None:
    assert identify_behind_proxy(request(("Privacy", "id")), KEY) == request().from_
