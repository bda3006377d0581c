import pytest

from sylk.sip.dialog import Dialog, DialogState
from sylk.sip.dialog_registry import DialogRegistry
from sylk.sip.message import Response
from tests.sip.user_agents import CONTACT, make


def registered() -> tuple[DialogRegistry, Dialog]:
    registry = DialogRegistry()
    dialog = Dialog.as_uas(make("INVITE"), "mine", CONTACT)
    registry.add(dialog)
    return registry, dialog


def test_a_dialog_is_found_by_call_id_and_both_tags() -> None:
    registry, dialog = registered()
    assert registry.find_by_request(make("BYE", to_tag="mine")) is dialog
    for other in (
        make("BYE", to_tag="other"),
        make("BYE", to_tag=None),
        make("BYE", to_tag="mine", from_tag="other"),
        make("BYE", to_tag="mine", call_id="other"),
    ):
        assert registry.find_by_request(other) is None


def test_a_dialog_is_found_by_the_response_to_our_request() -> None:
    registry, dialog = registered()
    request = dialog.make_request("BYE")
    assert registry.find_by_response(Response.to_request(request, 200)) is dialog


def test_a_removed_dialog_is_gone_and_another_with_its_key_stays() -> None:
    registry, dialog = registered()
    twin = Dialog.as_uas(make("INVITE"), "mine", CONTACT)
    registry.remove(twin)
    assert len(registry) == 1
    registry.remove(dialog)
    registry.remove(dialog)
    assert len(registry) == 0


def test_our_2xx_confirms_and_our_failure_ends_the_dialog_it_is_for() -> None:
    registry, dialog = registered()
    invite = make("INVITE")
    registry.handle_reply(invite, Response.to_request(invite, 180, to_tag="mine"), "mine")
    assert dialog.state is DialogState.EARLY
    registry.handle_reply(invite, Response.to_request(invite, 200, to_tag="mine"), "mine")
    assert dialog.state is DialogState.CONFIRMED

    registry, dialog = registered()
    registry.handle_reply(invite, Response.to_request(invite, 486, to_tag="mine"), "mine")
    assert dialog.state is DialogState.TERMINATED
    assert len(registry) == 0


@pytest.mark.parametrize(
    ("method", "status", "host"),
    [
        ("INVITE", 200, "new"),
        ("UPDATE", 200, "new"),
        ("SUBSCRIBE", 202, "new"),
        ("INVITE", 488, "192.0.2.9"),  # what is refused changes nothing
        ("INVITE", 180, "192.0.2.9"),
        ("INFO", 200, "192.0.2.9"),
    ],
)
def test_an_accepted_target_refresh_moves_the_peer(method: str, status: int, host: str) -> None:
    registry, dialog = registered()
    request = make(method, to_tag="mine", contact="<sip:alice@new>")
    registry.handle_reply(request, Response.to_request(request, status), "mine")
    assert dialog.remote_target.host == host


def test_the_answer_to_our_target_refresh_moves_the_peer() -> None:
    registry, dialog = registered()
    request = dialog.make_request("INVITE")
    headers = [("Contact", "<sip:alice@new>")]
    registry.handle_response(request, Response.to_request(request, 200, headers=headers))
    assert dialog.remote_target.host == "new"


def test_what_belongs_to_no_dialog_changes_nothing() -> None:
    registry, dialog = registered()
    other = make("INVITE", call_id="other")
    registry.handle_reply(other, Response.to_request(other, 486, to_tag="mine"), "mine")
    registry.handle_response(other, Response.to_request(other, 486, to_tag="mine"))
    assert dialog.state is DialogState.EARLY
