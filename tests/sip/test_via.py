import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.via import Via


def test_plain() -> None:
    via = Via.parse("SIP/2.0/tls 192.0.2.1:49152;rport;branch=z9hG4bKabc")
    assert via == Via("TLS", "192.0.2.1", 49152, {"rport": None, "branch": "z9hG4bKabc"})
    assert via.branch == "z9hG4bKabc"
    assert via.rport is None
    assert via.wants_rport
    assert via.received is None
    assert str(via) == "SIP/2.0/TLS 192.0.2.1:49152;rport;branch=z9hG4bKabc"


def test_white_space_of_the_torture_tests() -> None:
    via = Via.parse("SIP  / 2.0  / TCP     spindle.example.com  :  5  ;  branch  =   z9 ")
    assert via == Via("TCP", "spindle.example.com", 5, {"branch": "z9"})


def test_ipv6_and_received() -> None:
    via = Via.parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];rport=5")
    assert via.host == "2001:db8::9:1"
    assert via.received == "2001:db8::9:255"
    assert via.rport == 5
    assert Via.parse("SIP/2.0/UDP a;received=2001:db8::1").received == "2001:db8::1"


def test_received_is_written_without_brackets() -> None:
    via = Via.parse("SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=x")
    stamped = via.with_received("2001:db8::2", 1234)
    assert str(stamped) == (
        "SIP/2.0/UDP [2001:db8::1]:5060;rport=1234;branch=x;received=2001:db8::2"
    )
    assert via.params == {"rport": None, "branch": "x"}
    assert via.with_received("192.0.2.1").rport is None


def test_an_empty_branch_is_none() -> None:
    assert Via.parse("SIP/2.0/UDP a;branch=").branch is None
    assert not Via.parse("SIP/2.0/UDP a").wants_rport


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/7.0/UDP a",
        "HTTP/2.0/UDP a",
        "SIP/2.0 a",
        "SIP/2.0/UDP a:65536",
        "SIP/2.0/UDP a:b",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP 192.0.2.15;;",
        "SIP/2.0/UDP a;rport=65536",
        "SIP/2.0/UDP a;rport=-1",
        "SIP/2.0/UDP [1.2.3.4]",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP a;branch=x;branch=y",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Via.parse(text)
    assert caught.value.status == 400


@given(st.text().map("SIP/2.0/UDP a".__add__) | st.text(alphabet="SIP/2.0 UDP;[]:=a1"))
def test_any_text_gives_a_value_or_a_remote_error(text: str) -> None:
    try:
        via = Via.parse(text)
    except RemoteProtocolError:
        pass
    else:
        assert Via.parse(str(via)) == via
