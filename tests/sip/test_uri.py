import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.uri import OtherURI, SipURI, escape, parse_uri, unescape


def test_every_part() -> None:
    uri = SipURI.parse("SIPS:a%20b:pw@Example.COM:5071;Transport=TCP;lr?Subject=x%20y&Priority=1")
    assert uri == SipURI(
        "sips",
        "a b",
        "pw",
        "Example.COM",
        5071,
        {"transport": "TCP", "lr": None},
        (("Subject", "x y"), ("Priority", "1")),
    )
    assert uri.is_secure
    assert uri.transport == "tcp"
    assert uri.address == "a b@example.com"
    assert str(uri.aor) == "sips:a%20b@Example.COM"
    assert str(uri) == ("sips:a%20b:pw@Example.COM:5071;transport=TCP;lr?Subject=x%20y&Priority=1")


def test_host_alone() -> None:
    uri = SipURI.parse("sip:example.com")
    assert uri.user is None
    assert uri.address == "example.com"
    assert uri.transport is None
    assert not uri.is_secure


def test_ipv6() -> None:
    uri = SipURI.parse("sip:[2001:db8::10]:5070")
    assert (uri.host, uri.port) == ("2001:db8::10", 5070)
    assert str(uri) == "sip:[2001:db8::10]:5070"
    assert SipURI.parse("sip:[2001:db8::10:5070]").host == "2001:db8::10:5070"


def test_third_colon_of_the_grammar_bug_is_dropped() -> None:
    assert SipURI.parse("sip:user@[2001:db8:::192.0.2.1]").host == "2001:db8::192.0.2.1"


def test_semicolon_and_escaped_at_sign_belong_to_the_user() -> None:
    uri = SipURI.parse("sip:user;par=u%40example.net@example.com")
    assert uri.user == "user;par=u@example.net"
    assert uri.params == {}
    assert str(uri) == "sip:user;par=u%40example.net@example.com"


def test_escapes_are_decoded_once_and_nul_is_kept() -> None:
    uri = SipURI.parse("sip:null-%00-null@example.com;n%61me=v%61lue%25%34%31")
    assert uri.user == "null-\0-null"
    assert uri.params == {"name": "value%41"}
    assert SipURI.parse(str(uri)) == uri


def test_octets_that_are_no_utf8_survive() -> None:
    uri = SipURI.parse("sip:%ff%C3%A9@example.com")
    assert str(uri) == "sip:%FF%C3%A9@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@example.com",
        "sip:user@",
        "sip:a@b@c",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[:::::]",
        "sip:[]",
        "sip:user@example.com:",
        "sip:user@example.com:65536",
        "sip:user@example.com:123456",
        "sip:user@example.com;",
        "sip:user@example.com;;lr",
        "sip:user@example.com;=x",
        "sip:user@example.com;a=1;A=2",
        "sip:user@example.com?",
        "sip:user@example.com?=x",
        "sip:user@exa mple.com",
        "sip:us er@example.com",
        "sip:us%2er%zz@example.com",
        "sip:user@exämple.com",
        "sip:user@example.com\n",
        "sip:us\0er@example.com",
        "<sip:user@example.com>",
        " sip:user@example.com",
        "sips%3Auser@example.com",
        "example.com",
        "1http://example.com",
        "tel:",
        "tel:+1 2",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


def test_other_schemes_stay_opaque() -> None:
    uri = parse_uri("TEL:+1-212;phone-context=example.com")
    assert uri == OtherURI("tel", "+1-212;phone-context=example.com")
    assert str(uri) == "tel:+1-212;phone-context=example.com"
    assert parse_uri("soap.beep://192.0.2.103:3002") == OtherURI("soap.beep", "//192.0.2.103:3002")


# The examples of RFC 3261 section 19.1.4.
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_same_uri(left: str, right: str) -> None:
    assert SipURI.parse(left).matches(SipURI.parse(right))
    assert SipURI.parse(right).matches(SipURI.parse(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "tel:+123"),
    ],
)
def test_different_uri(left: str, right: str) -> None:
    assert not SipURI.parse(left).matches(parse_uri(right))


_text = st.text(min_size=1)
_lower = _text.map(str.lower).filter(lambda text: text == text.lower())


@given(
    st.builds(
        SipURI,
        st.sampled_from(["sip", "sips"]),
        _text,
        st.none() | st.text(),
        st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1"]),
        st.none() | st.integers(0, 65535),
        st.dictionaries(_lower, st.none() | st.text(), max_size=3),
        st.lists(st.tuples(_text, st.text()), max_size=3).map(tuple),
    )
)
def test_round_trip(uri: SipURI) -> None:
    text = str(uri)
    assert text.isascii()
    assert text.isprintable()
    assert SipURI.parse(text) == uri


@given(st.text() | st.text(alphabet='sip:@;=?&%[]:.<>"a1 ').map("sip:".__add__))
def test_any_text_gives_a_value_or_a_remote_error(text: str) -> None:
    try:
        uri = parse_uri(text)
    except RemoteProtocolError:
        pass
    else:
        assert parse_uri(str(uri)) == uri


@given(st.binary())
def test_any_octets_survive_escaping(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert unescape(escape(text, "")) == text
