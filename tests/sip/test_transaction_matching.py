import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.message import Request, Response
from sylk.sip.transaction_matching import (
    acknowledges,
    cancelled_keys,
    client_key,
    reply_tag,
    response_key,
    server_key,
)
from sylk.sip.via import Via
from tests.sip.user_agents import make


def with_via(request: Request, host: str, port: int | None, branch: str | None) -> Request:
    params: dict[str, str | None] = {"branch": branch} if branch else {}
    request.replace_top_via(Via("UDP", host, port, params))
    return request


def test_branch_sent_by_and_method_make_a_transaction() -> None:
    # RFC 3261 17.2.3
    key = server_key(with_via(make("INVITE"), "a.example", 5060, "z9hG4bKx"))
    same = with_via(make("INVITE", call_id="other"), "A.EXAMPLE", 5060, "z9hG4bKx")
    assert server_key(same) == key
    assert server_key(with_via(make("ACK"), "a.example", 5060, "z9hG4bKx")) == key
    for other in (
        with_via(make("INVITE"), "b.example", 5060, "z9hG4bKx"),
        with_via(make("INVITE"), "a.example", 5061, "z9hG4bKx"),
        with_via(make("INVITE"), "a.example", None, "z9hG4bKx"),
        with_via(make("INVITE"), "a.example", 5060, "z9hG4bKy"),
        with_via(make("CANCEL"), "a.example", 5060, "z9hG4bKx"),
        with_via(make("BYE"), "a.example", 5060, "z9hG4bKx"),
    ):
        assert server_key(other) != key


@pytest.mark.parametrize("branch", [None, "1", "Z9hG4bKx", "z9hG4bK"])
def test_without_the_magic_cookie_everything_counts(branch: str | None) -> None:
    key = server_key(make("BYE", branch=branch, to_tag="b"))
    assert server_key(make("BYE", branch=branch, to_tag="b")) == key
    for other in (
        make("BYE", branch=branch, to_tag="c"),
        make("BYE", branch=branch, to_tag="b", from_tag="x"),
        make("BYE", branch=branch, to_tag="b", from_tag=None),
        make("BYE", branch=branch, to_tag="b", call_id="x"),
        make("BYE", branch=branch, to_tag="b", cseq=2),
        make("BYE", branch=branch, to_tag="b", uri="sip:other@192.0.2.1"),
        make("INFO", branch=branch, to_tag="b"),
        make("BYE", branch="other", to_tag="b"),
    ):
        assert server_key(other) != key


def test_the_ack_of_rfc_2543_belongs_to_the_response_whose_tag_it_has() -> None:
    invite = make("INVITE", branch=None)
    response = Response.to_request(invite, 486, to_tag="mine")
    ack = make("ACK", branch=None, to_tag="mine")
    assert server_key(ack) == server_key(invite)
    assert acknowledges(ack, response)
    assert not acknowledges(make("ACK", branch=None, to_tag="theirs"), response)
    assert not acknowledges(ack, None)


def test_a_unique_branch_is_enough_for_an_ack() -> None:
    response = Response.to_request(make("INVITE"), 486, to_tag="mine")
    assert acknowledges(make("ACK", to_tag=None), response)


def test_a_response_belongs_to_its_branch_and_method() -> None:
    invite = make("INVITE", branch="z9hG4bKx")
    assert response_key(Response.to_request(invite, 200)) == client_key("z9hG4bKx", "INVITE")
    cancel = make("CANCEL", branch="z9hG4bKx")
    assert response_key(Response.to_request(cancel, 200)) == client_key("z9hG4bKx", "CANCEL")


def test_a_response_without_branch_or_with_two_vias_is_nobodys() -> None:
    # RFC 3261 8.1.3.3; RFC 4475 3.3.10
    assert response_key(Response.to_request(make("BYE", branch=None), 200)) is None
    two = make("BYE", ("Via", "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKy"))
    assert response_key(Response.to_request(two, 200)) is None


def test_a_cancel_means_any_method_but_ack_and_cancel() -> None:
    cancel = make("CANCEL", branch="z9hG4bKx")
    keys = list(cancelled_keys(cancel, ["INVITE", "ACK", "CANCEL", "BYE"]))
    assert keys == [
        server_key(make("INVITE", branch="z9hG4bKx")),
        server_key(make("BYE", branch="z9hG4bKx")),
    ]


_TAGS = st.text("abcXYZ019-.", min_size=1, max_size=8)


@given(asked=st.none() | _TAGS, added=st.none() | _TAGS, extra=st.sampled_from(["", ";x", ";x=y"]))
def test_the_tag_of_a_reply_is_what_the_parser_would_find(
    asked: str | None, added: str | None, extra: str
) -> None:
    request = make("BYE", to_tag=asked)
    response = Response.to_request(request, 200, to_tag=added)
    response.headers.set("To", f"{response.headers.get('To')}{extra}")
    assert reply_tag(request, response) == response.to.tag == (asked or added)


def test_the_tag_of_a_reply_with_another_to() -> None:
    request = make("BYE")
    response = Response.to_request(request, 200)
    response.headers.set("To", "<sip:somebody@else>;tag=x")
    assert reply_tag(request, response) == "x"
