"""Who a peer says that he is; from what anybody may have put into a From header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk.session.identity import MAX_NAME, harmless, identity_of
from sylk.sip.address import NameAddr


def identity(text: str) -> Address:
    return identity_of(NameAddr.parse(text))


def test_an_identity_is_the_name_and_the_bare_uri() -> None:
    found = identity('"Alice A." <sip:alice@Example.com:5070;transport=tcp?subject=x>;tag=1')
    assert found == Address("sip:alice@Example.com", "Alice A.")


def test_an_identity_without_a_name_is_the_uri() -> None:
    assert identity("<sips:alice@example.com>") == Address("sips:alice@example.com")


def test_a_uri_of_another_scheme_stands_as_it_is() -> None:
    assert identity("<tel:+31-20-1234567>") == Address("tel:+31-20-1234567")


@pytest.mark.parametrize("bad", ["\x1b", "\x00", "\u202e", "\u2028", "\u009b", "\udcff"])
def test_a_name_cannot_drive_a_terminal_or_break_a_line(bad: str) -> None:
    assert identity(f'"A{bad}B" <sip:a@b>').display_name == "A\ufffdB"


def test_a_name_that_is_joined_by_marks_stays_whole() -> None:
    # A woman at a computer: two signs and a zero-width joiner.
    assert identity('"\U0001f469\u200d\U0001f4bb" <sip:a@b>').display_name == (
        "\U0001f469\u200d\U0001f4bb"
    )


def test_a_name_of_ten_thousand_characters_is_cut() -> None:
    assert identity(f'"{"x" * 10_000}" <sip:a@b>').display_name == "x" * MAX_NAME


_TEXT = st.binary(max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(
    name=_TEXT,
    scheme=st.sampled_from(["sip", "sips", "tel", "http", "x"]),
    user=_TEXT,
    host=_TEXT,
)
def test_whatever_can_be_read_can_be_shown(name: str, scheme: str, user: str, host: str) -> None:
    try:
        found = identity(f'"{name}" <{scheme}:{user}@h{host}>;tag=1')
    except RemoteProtocolError:
        return
    shown = found.render().encode()
    assert Address.parse(shown.decode()) == found
    assert found.uri.isascii()


@given(st.text())
def test_what_is_harmless_stays_and_nothing_else(text: str) -> None:
    shown = harmless(text)
    assert len(shown) == len(text)
    assert harmless(shown) == shown
    assert shown.encode().decode() == shown
    assert not any(unfit in shown for unfit in "\n\r\t\0\x1b\x7f\x85\u2028\u202e\udcff")
    if text.isprintable():
        assert shown == text
