"""Tests of sylk.call.offer_answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.call.media import CLEAR_PROTOCOL, TLS_PROTOCOL
from sylk.call.offer_answer import Negotiation, NegotiationState
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.uri import parse_path, render_path
from sylk.payload.sdp import (
    MAX_MEDIA,
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
)

OUR_PATH = "msrp://192.0.2.1:2855/ours;tcp"
THEIR_PATH = "msrp://192.0.2.9:2855/theirs;tcp"
OTHER_PATH = "msrp://192.0.2.66:1/other;tcp"
OUR_SECURE_PATH = "msrps://192.0.2.1:2856/ours;tcp"
THEIR_SECURE_PATH = "msrps://192.0.2.9:2855/theirs;tcp"
OUR_FINGERPRINT = "SHA-256 " + "AB:" * 31 + "CD"
SESSION_ID = 1000


def negotiation(host: str = "192.0.2.1") -> Negotiation:
    return Negotiation(parse_path(OUR_PATH), host, "Sylk", SESSION_ID)


def secure_negotiation() -> Negotiation:
    return Negotiation(
        parse_path(OUR_SECURE_PATH), "192.0.2.1", "Sylk", SESSION_ID, [OUR_FINGERPRINT]
    )


def secure_line(setup: str = "active", fingerprint: str | None = None) -> MediaDescription:
    line = chat_line(setup, path=THEIR_SECURE_PATH)
    line.protocol = TLS_PROTOCOL
    if fingerprint is not None:
        line.attributes.append(Attribute("fingerprint", fingerprint))
    return line


def chat_line(
    setup: str | None = "active",
    *,
    port: int = 2855,
    path: str = THEIR_PATH,
    direction: str | None = None,
) -> MediaDescription:
    attributes = [Attribute("path", path), Attribute("accept-types", "message/cpim")]
    if setup is not None:
        attributes.append(Attribute("setup", setup))
    if direction is not None:
        attributes.append(Attribute(direction))
    return MediaDescription("message", port, CLEAR_PROTOCOL, ["*"], attributes=attributes)


def audio_line(port: int = 40000) -> MediaDescription:
    return MediaDescription("audio", port, "RTP/AVP", ["0"])


def description(*media: MediaDescription) -> bytes:
    return SessionDescription(
        Origin("-", 1, 1, "192.0.2.9"),
        connection=Connection("192.0.2.9"),
        media=list(media),
    ).render()


def read(data: bytes) -> SessionDescription:
    return SessionDescription.parse(data)


def answered(*media: MediaDescription) -> tuple[Negotiation, SessionDescription]:
    ours = negotiation()
    return ours, read(ours.receive_offer(description(*media)))


def offered_and_answered(*media: MediaDescription) -> Negotiation:
    ours = negotiation()
    ours.make_offer()
    ours.receive_answer(description(*media))
    return ours


# The first exchange


def test_an_offer_is_answered() -> None:
    ours, answer = answered(chat_line())
    assert answer.origin == Origin("-", SESSION_ID, SESSION_ID, "192.0.2.1")
    assert answer.name == "Sylk"
    (line,) = answer.media
    assert line.attribute("path") == OUR_PATH
    assert ours.state is NegotiationState.STABLE
    assert ours.chat is not None
    assert [str(uri) for uri in ours.chat.path] == [THEIR_PATH]


@pytest.mark.parametrize(
    ("setup", "ours_is", "active"),
    [
        ("active", "passive", False),
        ("actpass", "passive", False),
        (None, "passive", False),
        ("passive", "active", True),
    ],
)
def test_who_connects_after_an_offer(setup: str | None, ours_is: str, active: bool) -> None:
    ours, answer = answered(chat_line(setup))
    assert answer.media[0].attribute("setup") == ours_is
    assert ours.active is active


@pytest.mark.parametrize(
    ("setup", "active"),
    [("active", False), ("passive", True), (" Active", False), (None, True)],
)
def test_who_connects_after_an_answer(setup: str | None, active: bool) -> None:
    ours = negotiation()
    (line,) = read(ours.make_offer()).media
    assert line.attribute("setup") == "actpass"
    ours.receive_answer(description(chat_line(setup)))
    assert ours.active is active
    assert ours.state is NegotiationState.STABLE


def test_the_first_of_two_chats_is_taken() -> None:
    ours, answer = answered(audio_line(), chat_line(), chat_line())
    assert [line.port for line in answer.media] == [0, 2855, 0]
    assert ours.chat is not None
    assert ours.chat.index == 1


def test_the_fault_of_a_message_line_is_told_before_that_of_others() -> None:
    offer = description(audio_line(), chat_line(setup="maybe"), audio_line())
    with pytest.raises(RemoteProtocolError, match="maybe") as caught:
        negotiation().receive_offer(offer)
    assert caught.value.status == 488


def test_without_a_message_line_the_first_fault_is_told() -> None:
    video = MediaDescription("video", 1, "RTP/AVP", ["31"])
    with pytest.raises(RemoteProtocolError, match="media type audio"):
        negotiation().receive_offer(description(audio_line(), video))


def test_an_offer_without_media_is_refused() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        negotiation().receive_offer(description())
    assert caught.value.status == 488


def test_a_refused_offer_leaves_no_trace() -> None:
    ours = negotiation()
    with pytest.raises(RemoteProtocolError):
        ours.receive_offer(description(audio_line()))
    assert ours.state is NegotiationState.NONE
    assert read(ours.receive_offer(description(chat_line()))).origin.session_version == SESSION_ID


def test_an_ipv6_address_is_called_so() -> None:
    answer = read(negotiation("2001:db8::1").receive_offer(description(audio_line(), chat_line())))
    assert answer.origin.address_type == "IP6"
    assert [line.connection for line in answer.media] == [Connection("2001:db8::1", "IP6")] * 2


@pytest.mark.parametrize("data", [b"", b"\0", b"v=0\r\nm=message", b"INVITE", b"\xff" * 100])
def test_nonsense_is_refused_in_every_place(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        negotiation().receive_offer(data)
    ours = negotiation()
    ours.make_offer()
    with pytest.raises(RemoteProtocolError):
        ours.receive_answer(data)


@pytest.mark.parametrize(
    "media",
    [
        (),
        (chat_line(), chat_line()),
        (chat_line(port=0),),
        (audio_line(),),
        (chat_line(path="http://x/"),),
    ],
)
def test_an_answer_without_our_chat_is_refused(media: tuple[MediaDescription, ...]) -> None:
    ours = negotiation()
    ours.make_offer()
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_answer(description(*media))
    assert caught.value.status == 488
    assert ours.chat is None


# The order of offers and answers


def test_only_one_offer_at_a_time() -> None:
    ours = negotiation()
    ours.make_offer()
    with pytest.raises(LocalProtocolError):
        ours.make_offer()
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_offer(description(chat_line()))
    assert caught.value.status == 491


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_needs_an_offer(begun: bool) -> None:
    ours = negotiation()
    if begun:
        ours.receive_offer(description(chat_line()))
    with pytest.raises(LocalProtocolError):
        ours.receive_answer(description(chat_line()))


# Later exchanges


def test_the_same_offer_again_gets_the_same_answer() -> None:
    ours, answer = answered(chat_line(), audio_line(0))
    again = read(ours.receive_offer(description(chat_line(), audio_line(0))))
    assert again == answer


def test_a_change_of_what_we_say_counts_the_version_up() -> None:
    ours, _ = answered(chat_line())
    held = read(ours.receive_offer(description(chat_line(direction="sendonly"))))
    assert held.media[0].direction == "recvonly"
    assert held.origin.session_version == SESSION_ID + 1
    assert held.origin.session_id == SESSION_ID
    more = read(ours.receive_offer(description(chat_line(direction="sendonly"), audio_line())))
    assert more.origin.session_version == SESSION_ID + 2
    back = read(ours.receive_offer(description(chat_line(), audio_line())))
    assert back.origin.session_version == SESSION_ID + 3
    assert back.media[0].direction == "sendrecv"


def path_of(ours: Negotiation) -> str:
    assert ours.chat is not None
    return render_path(ours.chat.path)


@pytest.mark.parametrize("setup", ["passive", "active", "actpass", "holdconn", None])
def test_a_new_offer_moves_neither_the_address_nor_the_roles(setup: str | None) -> None:
    ours, _ = answered(chat_line("active"))
    ours.pin()
    other = chat_line(setup, path="msrp://192.0.2.66:1/theirs;tcp")
    answer = read(ours.receive_offer(description(other)))
    assert answer.media[0].attribute("setup") == "passive"
    assert path_of(ours) == THEIR_PATH
    assert ours.next_hop == ("192.0.2.9", 2855)
    assert not ours.active


def test_a_new_offer_of_another_session_is_refused_and_changes_nothing() -> None:
    ours, answer = answered(chat_line("active"))
    ours.pin()
    with pytest.raises(RemoteProtocolError, match="another MSRP session") as caught:
        ours.receive_offer(description(chat_line("active", path=OTHER_PATH)))
    assert caught.value.status == 488
    assert caught.value.headers[0][1].startswith("399 ")
    assert path_of(ours) == THEIR_PATH
    assert read(ours.receive_offer(description(chat_line()))) == answer


@pytest.mark.parametrize("setup", ["passive", "active", "actpass", "holdconn", None])
def test_a_new_answer_moves_neither_the_path_nor_the_roles(setup: str | None) -> None:
    ours = offered_and_answered(chat_line("passive"))
    ours.pin()
    line = read(ours.make_offer()).media[0]
    assert line.attribute("setup") == "active"
    ours.receive_answer(description(chat_line(setup, path=OTHER_PATH)))
    assert path_of(ours) == THEIR_PATH
    assert ours.active


@pytest.mark.parametrize("offers", [True, False])
def test_before_there_is_a_connection_the_peer_may_come_to_another_path(offers: bool) -> None:
    ours, _ = answered(chat_line("active"))
    told: list[str] = []
    ours.on_moved = lambda: told.append(path_of(ours))
    if offers:
        ours.receive_offer(description(chat_line("active")))
        ours.receive_offer(description(chat_line("active", path=OTHER_PATH)))
    else:
        ours.make_offer()
        ours.receive_answer(description(chat_line("active", path=OTHER_PATH)))
    assert told == [OTHER_PATH]


def test_our_next_offer_says_what_our_answer_said_but_never_passive() -> None:
    ours, answer = answered(audio_line(), chat_line())
    offer = read(ours.make_offer())
    assert offer.media[1].attribute("setup") == "actpass"
    offer.media[1].attributes = answer.media[1].attributes
    assert offer.media == answer.media
    assert ours.chat is not None


def test_a_line_cannot_go() -> None:
    ours, answer = answered(chat_line(), audio_line())
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_offer(description(chat_line()))
    assert caught.value.status == 488
    assert caught.value.headers[0][1].startswith("399 ")
    assert read(ours.receive_offer(description(chat_line(), audio_line()))) == answer


def test_the_chat_can_be_switched_off_and_stays_off() -> None:
    ours, _ = answered(chat_line())
    answer = read(ours.receive_offer(description(chat_line(port=0))))
    assert [line.port for line in answer.media] == [0]
    assert answer.origin.session_version == SESSION_ID + 1
    assert ours.chat is None
    again = read(ours.receive_offer(description(chat_line())))
    assert [line.port for line in again.media] == [0]
    assert again.origin.session_version == SESSION_ID + 1


def test_after_that_our_offer_brings_the_chat_as_a_new_line() -> None:
    ours, _ = answered(chat_line())
    ours.receive_offer(description(chat_line(port=0)))
    offer = read(ours.make_offer())
    assert [line.port for line in offer.media] == [0, 2855]
    assert offer.media[1].attribute("setup") == "actpass"


def test_a_chat_that_turns_unusable_is_refused_and_the_old_one_stands() -> None:
    ours, answer = answered(chat_line())
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_offer(description(chat_line(setup="maybe")))
    assert caught.value.status == 488
    assert read(ours.receive_offer(description(chat_line()))) == answer


# Hold


def direction_of(data: bytes) -> str:
    return read(data).media[0].direction


@pytest.mark.parametrize(
    ("offered", "free", "holding", "held"),
    [
        (None, "sendrecv", "sendonly", False),
        ("sendrecv", "sendrecv", "sendonly", False),
        ("sendonly", "recvonly", "inactive", True),
        ("recvonly", "sendonly", "sendonly", False),
        ("inactive", "inactive", "inactive", True),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_direction_is_answered(
    offered: str | None, free: str, holding: str, held: bool, first: bool
) -> None:
    for holds, expected in ((False, free), (True, holding)):
        ours = negotiation() if first else answered(chat_line())[0]
        ours.holds = holds
        assert direction_of(ours.receive_offer(description(chat_line(direction=offered)))) == (
            expected
        )
        assert ours.is_held is held


def test_our_hold_is_offered_kept_and_taken_back() -> None:
    ours, answer = answered(chat_line())
    held = read(ours.make_offer(hold=True))
    assert held.media[0].direction == "sendonly"
    assert held.origin.session_version == answer.origin.session_version + 1
    ours.receive_answer(description(chat_line("active", direction="recvonly")))
    assert ours.holds
    assert not ours.is_held
    # What the peer changes meanwhile does not end it, nor does an offer for another reason.
    assert direction_of(ours.receive_offer(description(chat_line()))) == "sendonly"
    assert direction_of(ours.make_offer()) == "sendonly"
    ours.receive_answer(description(chat_line("active", direction="recvonly")))
    back = read(ours.make_offer(hold=False))
    assert back.media[0].direction == "sendrecv"
    assert back.origin.session_version > held.origin.session_version


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_an_answer_may_hold_us_too(direction: str) -> None:
    ours, _ = answered(chat_line())
    ours.make_offer()
    ours.receive_answer(description(chat_line("active", direction=direction)))
    assert ours.is_held
    ours.make_offer()
    ours.receive_answer(description(chat_line("active")))
    assert not ours.is_held


def test_what_is_said_again_is_the_same_to_the_letter() -> None:
    ours, _ = answered(audio_line(), chat_line(direction="sendonly"))
    said = ours.receive_offer(description(audio_line(), chat_line(direction="sendonly")))
    assert ours.make_offer(repeat=True) == said
    ours.receive_answer(description(audio_line(0), chat_line("active", direction="sendonly")))
    assert ours.is_held
    assert ours.make_offer() != said


# Offers of ours that are refused


def test_an_offer_that_is_refused_leaves_everything_as_it_was() -> None:
    ours, answer = answered(chat_line(direction="sendonly"))
    refused = read(ours.make_offer(hold=True))
    ours.withdraw_offer()
    assert ours.state is NegotiationState.STABLE
    assert not ours.holds
    assert ours.is_held
    assert read(ours.receive_offer(description(chat_line(direction="sendonly")))) == answer
    # The number of the version that was refused is not used for anything else.
    other = read(ours.receive_offer(description(chat_line())))
    assert other.origin.session_version == refused.origin.session_version + 1


def test_a_first_offer_can_be_withdrawn() -> None:
    ours = negotiation()
    ours.make_offer()
    ours.withdraw_offer()
    assert ours.state is NegotiationState.NONE
    with pytest.raises(LocalProtocolError):
        ours.withdraw_offer()


# Lines that come and go


def test_our_chat_may_be_switched_off_in_an_answer() -> None:
    ours, _ = answered(audio_line(), chat_line())
    ours.make_offer()
    assert ours.receive_answer(description(audio_line(0), chat_line(port=0))) is None
    assert ours.chat is None
    assert ours.state is NegotiationState.STABLE


@pytest.mark.parametrize("added", [audio_line(), chat_line()])
def test_the_chat_is_not_exchanged_for_another_line(added: MediaDescription) -> None:
    ours, answer = answered(chat_line(), audio_line(0))
    for lines in ((chat_line(port=0), added), (chat_line(port=0), audio_line(0), added)):
        with pytest.raises(RemoteProtocolError) as caught:
            ours.receive_offer(description(*lines))
        assert caught.value.status == 488
        assert caught.value.headers[0][1].startswith("399 ")
    assert read(ours.receive_offer(description(chat_line(), audio_line(0)))) == answer


def test_the_chat_may_go_while_a_line_that_we_refused_is_still_offered() -> None:
    ours, _ = answered(chat_line(), audio_line())
    answer = read(ours.receive_offer(description(chat_line(port=0), audio_line())))
    assert [line.port for line in answer.media] == [0, 0]
    assert ours.chat is None


def test_a_slot_that_is_used_again_is_refused_in_its_place() -> None:
    ours, answer = answered(chat_line(), audio_line(0))
    again = read(ours.receive_offer(description(chat_line(), chat_line(), audio_line())))
    assert [line.port for line in again.media] == [2855, 0, 0]
    assert again.media[0] == answer.media[0]
    assert [line.media for line in again.media] == ["message", "message", "audio"]


def test_lines_are_bounded() -> None:
    ours, _ = answered(chat_line())
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_offer(description(chat_line(), *[audio_line()] * MAX_MEDIA))
    assert caught.value.status == 488
    most = read(ours.receive_offer(description(chat_line(), *[audio_line()] * (MAX_MEDIA - 1))))
    assert len(most.media) == MAX_MEDIA


# TLS


def test_an_offer_over_tls_is_answered_over_tls() -> None:
    ours = secure_negotiation()
    answer = read(ours.receive_offer(description(secure_line("active", "SHA-256 00"))))
    (line,) = answer.media
    assert (line.protocol, line.port) == (TLS_PROTOCOL, 2856)
    assert line.attribute("path") == OUR_SECURE_PATH
    assert line.attribute("setup") == "passive"
    assert line.attributes_named("fingerprint") == [OUR_FINGERPRINT]
    assert ours.chat is not None
    assert ours.chat.fingerprints == ("SHA-256 00",)


def test_the_line_over_tls_is_taken_and_the_one_in_clear_refused() -> None:
    answer = read(secure_negotiation().receive_offer(description(chat_line(), secure_line())))
    assert [(line.port, line.protocol) for line in answer.media] == [
        (0, CLEAR_PROTOCOL),
        (2856, TLS_PROTOCOL),
    ]
    assert answer.media[0].attributes == []


def test_our_offer_over_tls_is_answered() -> None:
    ours = secure_negotiation()
    (line,) = read(ours.make_offer()).media
    assert line.protocol == TLS_PROTOCOL
    assert line.attributes_named("fingerprint") == [OUR_FINGERPRINT]
    chat = ours.receive_answer(description(secure_line("passive", "SHA-1 11")))
    assert chat is not None
    assert chat.fingerprints == ("SHA-1 11",)
    assert ours.active


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_by_another_protocol_is_none(secure: bool) -> None:
    ours = secure_negotiation() if secure else negotiation()
    ours.make_offer()
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_answer(description(chat_line() if secure else secure_line()))
    assert caught.value.status == 488
    assert ours.chat is None


def test_a_chat_over_tls_cannot_be_moved_into_the_clear() -> None:
    ours = secure_negotiation()
    answer = read(ours.receive_offer(description(secure_line())))
    with pytest.raises(RemoteProtocolError) as caught:
        ours.receive_offer(description(chat_line()))
    assert caught.value.status == 488
    assert read(ours.receive_offer(description(secure_line()))) == answer


# Whatever is offered


def any_line(
    media: str,
    port: int,
    protocol: str,
    formats: list[str],
    setup: str | None,
    path: str | None,
    types: str | None,
) -> MediaDescription:
    values = (("setup", setup), ("path", path), ("accept-types", types))
    attributes = [Attribute(name, value) for name, value in values if value is not None]
    return MediaDescription(media, port, protocol, formats, attributes=attributes)


LINES = st.builds(
    any_line,
    media=st.sampled_from(["message", "message", "audio", "x"]),
    port=st.sampled_from([0, 9, 2855, 65535]),
    protocol=st.sampled_from([CLEAR_PROTOCOL, CLEAR_PROTOCOL, TLS_PROTOCOL, "RTP/AVP"]),
    formats=st.sampled_from([["*"], ["*"], ["0", "8"], []]),
    setup=st.sampled_from([None, "active", "passive", "actpass", "holdconn", "?"]),
    path=st.sampled_from(
        [None, THEIR_PATH, THEIR_SECURE_PATH, f"{OUR_PATH} {THEIR_PATH}", "", "msrp://"]
    ),
    types=st.sampled_from([None, "message/cpim", "*", ""]),
)


def answer_or_status(ours: Negotiation, offer: list[MediaDescription]) -> SessionDescription | int:
    try:
        return read(ours.receive_offer(description(*offer)))
    except RemoteProtocolError as error:
        return error.status


def check_answer(offer: list[MediaDescription], answer: SessionDescription) -> list[int]:
    """Check the answer's lines against RFC 3264 section 6; return which are switched on."""
    assert len(answer.media) == len(offer)
    on: list[int] = []
    for index, (asked, said) in enumerate(zip(offer, answer.media, strict=True)):
        assert (said.media, said.protocol.upper()) == (asked.media, asked.protocol.upper())
        assert said.formats == asked.formats
        if asked.port == 0:
            assert said.port == 0
        if said.port:
            on.append(index)
        else:
            assert said.attributes == []
    return on


@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=6), st.booleans())
def test_each_offer_is_answered_line_by_line_or_refused(
    first: list[MediaDescription], second: list[MediaDescription], secure: bool
) -> None:
    ours = secure_negotiation() if secure else negotiation()
    answer = answer_or_status(ours, first)
    if isinstance(answer, int):
        assert answer == 488
        assert ours.state is NegotiationState.NONE
        return
    assert ours.chat is not None
    assert ours.chat.is_secure is secure
    assert check_answer(first, answer) == [ours.chat.index]
    before = ours.chat.index
    changed = answer_or_status(ours, second)
    if isinstance(changed, int):
        assert changed == 488
        assert read(ours.make_offer()).origin.session_id == SESSION_ID
        assert ours.chat.index == before
        return
    assert check_answer(second, changed) == ([before] if ours.chat else [])
    grown = changed.origin.session_version - answer.origin.session_version
    assert grown == (0 if changed.media == answer.media else 1)


@given(st.binary(max_size=300))
def test_arbitrary_octets_are_answered_or_refused(data: bytes) -> None:
    ours = negotiation()
    try:
        ours.receive_offer(b"v=0\r\n" + data)
    except RemoteProtocolError:
        assert ours.chat is None
    else:
        assert ours.chat is not None
