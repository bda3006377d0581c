import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr, parse_name_addrs
from sylk.sip.checks import check_message
from sylk.sip.dialog import DIALOG, Dialog, DialogInput, DialogState, credentials_of
from sylk.sip.message import Request, Response
from sylk.sip.uri import SipURI
from tests.sip.user_agents import CONTACT, make, over_the_wire

LOOSE = "<sip:p1;lr>, <sip:p2;lr;x=y>"
STRICT = "<sip:proxy1;method=INVITE?Subject=x>, <sip:proxy2>, <sip:proxy3;lr>, <sip:proxy4>"


def uas_dialog(*headers: tuple[str, str], cseq: int = 314159) -> Dialog:
    return Dialog.as_uas(make("INVITE", *headers, cseq=cseq), "mine", CONTACT)


def uac_request() -> Request:
    request = make("INVITE", from_tag="mine", cseq=7)
    request.pop_via()
    return request


def answer(status: int, *headers: tuple[str, str], contact: str | None = "<sip:bob@b>") -> Response:
    extra = [("Contact", contact)] if contact else []
    return Response.to_request(uac_request(), status, to_tag="b", headers=[*headers, *extra])


def render(request: Request) -> Request:
    """Put a Via on top and let the other side read and check the request."""
    request.headers.add_first("Via", "SIP/2.0/UDP h;branch=z9hG4bKx")
    read = over_the_wire(request)
    check_message(read)
    assert isinstance(read, Request)
    return read


def test_a_server_takes_the_dialog_from_the_request() -> None:
    # RFC 3261 12.1.1
    dialog = uas_dialog(("Record-Route", LOOSE))
    assert dialog.key == ("call", "mine", "alice")
    assert dialog.state is DialogState.EARLY
    assert dialog.remote_target == SipURI.parse("sip:alice@192.0.2.9")
    assert dialog.route_set == parse_name_addrs(LOOSE)
    assert dialog.remote_cseq == 314159
    assert dialog.contact is CONTACT
    assert str(dialog.next_hop) == "sip:p1;lr"


def test_a_client_takes_the_dialog_from_the_response_with_the_routes_in_reverse() -> None:
    # RFC 3261 12.1.2
    dialog = Dialog.as_uac(uac_request(), answer(200, ("Record-Route", LOOSE)))
    assert dialog.key == ("call", "mine", "b")
    assert dialog.state is DialogState.CONFIRMED
    assert str(dialog.remote_target) == "sip:bob@b"
    assert dialog.route_set == parse_name_addrs(LOOSE)[::-1]
    assert (dialog.local_cseq, dialog.remote_cseq) == (7, None)


def test_peers_of_rfc_2543_have_no_tag() -> None:
    dialog = Dialog.as_uas(make("INVITE", from_tag=None), "mine", CONTACT)
    assert dialog.key == ("call", "mine", "")
    assert render(dialog.make_request("BYE")).to.tag is None


def test_a_dialog_made_by_a_notify_keeps_our_tag() -> None:
    # RFC 6665 4.4.1: the To tag of the NOTIFY is the From tag of our SUBSCRIBE.
    dialog = Dialog.as_uas(make("NOTIFY", to_tag="ours"), "fresh", CONTACT)
    assert dialog.local_tag == "ours"


@pytest.mark.parametrize("contact", [None, "<tel:+1234>"])
def test_without_a_usable_contact_there_is_no_dialog(contact: str | None) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        Dialog.as_uas(make("INVITE", contact=contact), "mine", CONTACT)
    assert refused.value.status == 400
    with pytest.raises(RemoteProtocolError):
        Dialog.as_uac(uac_request(), answer(200, contact=contact))


@pytest.mark.parametrize("status", [100, 302, 486])
def test_other_responses_open_no_dialog(status: int) -> None:
    with pytest.raises(LocalProtocolError):
        Dialog.as_uac(uac_request(), answer(status))


def test_a_request_without_routes() -> None:
    dialog = uas_dialog()
    request = render(dialog.make_request("BYE", headers=[("Reason", "SIP;cause=500")]))
    assert str(request.uri) == "sip:alice@192.0.2.9"
    assert request.routes == []
    assert (request.from_.tag, request.to.tag, request.call_id) == ("mine", "alice", "call")
    assert request.headers.get("Reason") == "SIP;cause=500"
    assert dialog.next_hop == dialog.remote_target


def test_numbers_count_up_by_one() -> None:
    dialog = uas_dialog()
    numbers = [dialog.make_request(method).cseq.number for method in ("INFO", "INVITE", "BYE")]
    assert numbers == [1, 2, 3]


def test_a_request_through_loose_routers() -> None:
    request = render(uas_dialog(("Record-Route", LOOSE)).make_request("BYE"))
    assert str(request.uri) == "sip:alice@192.0.2.9"
    assert [str(route.uri) for route in request.routes] == ["sip:p1;lr", "sip:p2;lr;x=y"]


def test_a_request_through_a_strict_router() -> None:
    # The example of RFC 3261 12.2.1.1.
    dialog = uas_dialog(("Record-Route", STRICT), ("Subject", "x"))
    request = render(dialog.make_request("BYE"))
    assert str(request.uri) == "sip:proxy1"
    assert [str(route.uri) for route in request.routes] == [
        *("sip:proxy2", "sip:proxy3;lr", "sip:proxy4"),
        "sip:alice@192.0.2.9",
    ]
    assert dialog.next_hop.host == "proxy1"
    assert render(dialog.make_request("BYE")).routes == request.routes


def test_the_ack_of_a_2xx_has_the_number_of_its_invite() -> None:
    dialog = Dialog.as_uac(uac_request(), answer(200, ("Record-Route", LOOSE)))
    dialog.make_request("INFO")
    ack = render(dialog.make_ack(7, body=b"v=0\r\n", content_type="application/sdp"))
    assert (ack.method, ack.cseq.number, ack.cseq.method) == ("ACK", 7, "ACK")
    assert (ack.body, ack.content_type) == (b"v=0\r\n", "application/sdp")
    assert [str(route.uri) for route in ack.routes] == ["sip:p2;lr;x=y", "sip:p1;lr"]
    assert dialog.local_cseq == 8


def test_the_ack_of_a_2xx_has_the_credentials_of_its_invite() -> None:
    invite = uac_request()
    dialog = Dialog.as_uac(invite, answer(200))
    assert credentials_of(invite) == []
    said = [("Authorization", 'Digest realm="a"'), ("Proxy-Authorization", 'Digest realm="b"')]
    for name, value in reversed(said):
        invite.headers.add(name, value)
    ack = render(dialog.make_ack(7, headers=credentials_of(invite)))
    assert [(name, ack.headers.get(name)) for name, _ in said] == said


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_not_made_like_others(method: str) -> None:
    with pytest.raises(LocalProtocolError):
        uas_dialog().make_request(method)


@pytest.mark.parametrize("number", [1, 314158, 314159])
def test_a_number_from_the_past_is_out_of_order(number: int) -> None:
    dialog = uas_dialog()
    with pytest.raises(RemoteProtocolError) as refused:
        dialog.receive_request(make("INFO", to_tag="mine", cseq=number))
    assert refused.value.status == 500
    assert dict(refused.value.headers)["Retry-After"].isdigit()
    assert dialog.remote_cseq == 314159


def test_numbers_may_have_gaps_and_begin_anywhere() -> None:
    dialog = Dialog.as_uac(uac_request(), answer(200))
    for number in (5, 6, 100):
        dialog.receive_request(make("INFO", cseq=number))
    assert dialog.remote_cseq == 100


def test_a_target_refresh_moves_the_peer_and_not_the_routes() -> None:
    dialog = uas_dialog(("Record-Route", LOOSE))
    moved = make("INVITE", ("Record-Route", "<sip:other;lr>"), contact="<sip:a@new>")
    dialog.refresh_target(moved)
    assert str(dialog.remote_target) == "sip:a@new"
    assert dialog.route_set == parse_name_addrs(LOOSE)
    dialog.refresh_target(make("INVITE", contact=None))
    dialog.refresh_target(make("INVITE", contact="<tel:+1>"))
    assert str(dialog.remote_target) == "sip:a@new"


def test_the_2xx_brings_the_final_routes_to_the_client() -> None:
    # RFC 3261 13.2.2.4
    dialog = Dialog.as_uac(uac_request(), answer(183, ("Record-Route", LOOSE)))
    assert dialog.state is DialogState.EARLY
    final = answer(200, ("Record-Route", "<sip:final;lr>"), contact="<sip:bob@moved>")
    dialog.handle_response(final)
    assert dialog.state is DialogState.CONFIRMED
    assert [str(route.uri) for route in dialog.route_set] == ["sip:final;lr"]
    assert str(dialog.remote_target) == "sip:bob@moved"
    dialog.handle_response(answer(200, contact="<sip:bob@forged>"))
    assert str(dialog.remote_target) == "sip:bob@moved"


def test_our_own_2xx_brings_nothing_new_to_the_server() -> None:
    dialog = uas_dialog(("Record-Route", LOOSE))
    dialog.handle_response(Response.to_request(make("INVITE"), 200, to_tag="mine"))
    assert dialog.state is DialogState.CONFIRMED
    assert dialog.route_set == parse_name_addrs(LOOSE)
    assert str(dialog.remote_target) == "sip:alice@192.0.2.9"


def test_a_failure_ends_an_early_dialog_only() -> None:
    dialog = uas_dialog()
    dialog.handle_response(Response.to_request(make("INVITE"), 486, to_tag="mine"))
    assert dialog.state is DialogState.TERMINATED
    confirmed = Dialog.as_uac(uac_request(), answer(200))
    confirmed.handle_response(answer(486))
    assert confirmed.state is DialogState.CONFIRMED
    confirmed.terminate()
    assert confirmed.state is DialogState.TERMINATED


def test_the_table_is_complete_and_ends() -> None:
    assert set(DIALOG) == {(state, what) for state in DialogState for what in DialogInput}
    order = list(DialogState)
    for (state, _), (_, after) in DIALOG.items():
        assert order.index(after) >= order.index(state)
    assert all(
        after is DialogState.TERMINATED
        for (state, what), (_, after) in DIALOG.items()
        if what is DialogInput.END or state is DialogState.TERMINATED
    )


@st.composite
def _routes(draw: st.DrawFn) -> NameAddr:
    host = draw(st.sampled_from(["p1", "p2", "p3"]))
    params: dict[str, str | None] = {"lr": None} if draw(st.booleans()) else {}
    return NameAddr(SipURI("sip", None, None, host, None, params))


@settings(deadline=None)
@given(st.lists(_routes(), max_size=5))
def test_no_route_is_lost_whatever_the_routers_are(routes: list[NameAddr]) -> None:
    dialog = uas_dialog()
    dialog.route_set = routes
    request = render(dialog.make_request("BYE"))
    path = [str(route.uri) for route in routes] + ["sip:alice@192.0.2.9"]
    sent = [str(request.uri)] + [str(route.uri) for route in request.routes]
    if routes and ";lr" not in path[0]:
        assert sent == path
    else:
        assert sent == path[-1:] + path[:-1]
    assert str(dialog.next_hop) == path[0]
