import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.address import NameAddr, parse_name_addrs
from sylk.sip.uri import OtherURI, SipURI

ALICE = SipURI("sip", "alice", None, "example.com")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<sip:alice@example.com>", ""),
        ('"Alice" <sip:alice@example.com>', "Alice"),
        ('"Alice, \\"A\\" <x>"<sip:alice@example.com>', 'Alice, "A" <x>'),
        ("Alice Liddell <sip:alice@example.com>", "Alice Liddell"),
        ("caller<sip:alice@example.com>", "caller"),
        ("Élise (home) <sip:alice@example.com>", "Élise (home)"),
        ("alice@example.com <sip:alice@example.com>", "alice@example.com"),
        ('"" <sip:alice@example.com>', ""),
        ("sip:alice@example.com", ""),
    ],
)
def test_display_names(text: str, name: str) -> None:
    assert NameAddr.parse(text) == NameAddr(ALICE, name)


def test_without_brackets_parameters_belong_to_the_header() -> None:
    address = NameAddr.parse("sip:alice@example.com ;tag=1;x")
    assert address == NameAddr(ALICE, "", {"tag": "1", "x": None})
    assert str(address) == "<sip:alice@example.com>;tag=1;x"


def test_with_brackets_parameters_inside_belong_to_the_uri() -> None:
    address = NameAddr.parse("<sip:alice@example.com;x>;tag=1")
    assert isinstance(address.uri, SipURI)
    assert address.uri.params == {"x": None}
    assert address.tag == "1"


def test_other_schemes() -> None:
    assert NameAddr.parse("<tel:+123>").uri == OtherURI("tel", "+123")


def test_tag() -> None:
    address = NameAddr(ALICE, "A", {"x": "1"})
    assert address.tag is None
    assert address.with_tag("t").params == {"x": "1", "tag": "t"}
    assert address.params == {"x": "1"}
    assert NameAddr.parse("<sip:alice@example.com>;tag=").tag is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"Mr. J. User <sip:j.user@example.com>',
        "Bell, Alexander <sip:a.g.bell@example.com>",
        "a: <sip:a@example.com>",
        "< sip:a@example.com >",
        "<sip:a@example.com> x",
        "<sip:a@example.com>;;;;",
        "<sip:a@example.com>, <sip:b@example.com>",
        "<sip:a@example.com",
        "sip:a@example.com>",
        "sip:a@example.com?Route=%3Csip:b%3E",
        "sip:a,b@example.com",
        '"a" "b" <sip:a@example.com>',
        "a\0b <sip:a@example.com>",
        "<<sip:a@example.com>>",
        "<>",
        '"',
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        NameAddr.parse(text)
    assert caught.value.status == 400


def test_list() -> None:
    addresses = parse_name_addrs('"a, b" <sip:a@example.com>;lr, <sip:x,y@example.com>')
    assert [address.display_name for address in addresses] == ["a, b", ""]
    assert isinstance(addresses[1].uri, SipURI)
    assert addresses[1].uri.user == "x,y"


def test_empty_list_element_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        parse_name_addrs("<sip:a@example.com>,,<sip:b@example.com>")


def test_a_display_name_cannot_forge_a_line() -> None:
    assert str(NameAddr(ALICE, "x\r\nVia: y")) == '"x  Via: y" <sip:alice@example.com>'


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n")),
    st.none()
    | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
)
def test_round_trip(name: str, tag: str | None) -> None:
    address = NameAddr(ALICE, name, {} if tag is None else {"tag": tag})
    assert NameAddr.parse(str(address)) == address


@given(st.text() | st.text(alphabet='sip:@;=?,<>"\\a1 \t'))
def test_any_text_gives_a_value_or_a_remote_error(text: str) -> None:
    try:
        addresses = parse_name_addrs(text)
    except RemoteProtocolError:
        pass
    else:
        assert parse_name_addrs(", ".join(map(str, addresses))) == addresses
