import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim_address import Address

uris = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda uri: not set(uri) & set('<>"\x7f')
)
names = st.text() | st.text("Al \t\"\\<>\r\n\0'", max_size=12)


@given(st.builds(Address, uris, names))
def test_what_is_rendered_parses_to_the_same(address: Address) -> None:
    text = address.render()
    assert all(character >= " " and character != "\x7f" for character in text)
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Alice <sip:a@b>", Address("sip:a@b", "Alice")),
        ('"Alice" <sip:a@b>', Address("sip:a@b", "Alice")),
        ('"Juliet"<sip:a@b>', Address("sip:a@b", "Juliet")),
        ("  <sip:a@b;transport=tcp>  ", Address("sip:a@b;transport=tcp")),
        ("sip:a@b", Address("sip:a@b")),
        ("<sip:example.com>", Address("sip:example.com")),
        ("<2000000001@example.com>", Address("2000000001@example.com")),
        ('"" <sip:a@b>', Address("sip:a@b")),
        ('"Romeo" <sip:r@e>;gr=dr4', Address("sip:r@e", "Romeo")),
        ('"a \\"b\\" <c>" <sip:a@b>', Address("sip:a@b", 'a "b" <c>')),
        ('"Al <sip:a@b>', Address("sip:a@b", '"Al')),
        ("MR SANDERS <im:piglet@100akerwood.com>",
         Address("im:piglet@100akerwood.com", "MR SANDERS")),
        (r"Tab\there <sip:a@b>", Address("sip:a@b", "Tab\there")),
        ("<tel:+10000000004>", Address("tel:+10000000004")),
        ("\udcff <sip:a@b>", Address("sip:a@b", "\udcff")),
    ],
)  # fmt: skip
def test_deployed_forms(text: str, expected: Address) -> None:
    assert Address.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "<>", "Alice sip:a@b", "Alice <sip:a@b", "<sip:a b>", "<sip:a\0b>",
     "<sip:alice@x> <sip:mallory@x>", "<sip:a@b>>", '"x" sip:a@b', "<<sip:a@b>>", '<sip:"a"@b>'],
)  # fmt: skip
def test_refused_forms(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Address.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "<sip:a@b>"), ("Alice", "Alice <sip:a@b>"), ("Ali Çelik", "Ali Çelik <sip:a@b>"),
        ("J. Doe's", "J. Doe's <sip:a@b>"), ("a@b", '"a@b" <sip:a@b>'), (" x", '" x" <sip:a@b>'),
        ("x  y", '"x  y" <sip:a@b>'), ('q"<', '"q\\"<" <sip:a@b>'),
        ("x\r\nTo: y", '"x\\r\\nTo: y" <sip:a@b>'), ("\x1b[1m", '"\\u001b[1m" <sip:a@b>'),
    ],
)  # fmt: skip
def test_names_are_quoted_only_where_they_must(name: str, text: str) -> None:
    assert Address("sip:a@b", name).render() == text


@pytest.mark.parametrize("uri", ["", "sip:a>b", "sip:a b", "sip:a\r\nb", 'sip:"a"@b', "sip:\x7f"])
def test_a_uri_cannot_break_out(uri: str) -> None:
    with pytest.raises(LocalProtocolError):
        Address(uri).render()


def test_a_very_long_name_is_handled() -> None:
    address = Address("sip:a@b", "x " * 5000 + "(")
    assert Address.parse(address.render()) == address
