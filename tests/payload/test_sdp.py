import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.sdp import (
    MAX_ATTRIBUTES,
    MAX_FORMATS,
    MAX_MEDIA,
    MAX_SIZE,
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
)
from tests.corpora import corpus

HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
OFFER = HEAD + (
    b"m=message 2855 TCP/TLS/MSRP *\r\n"
    b"c=IN IP4 192.0.2.1\r\n"
    b"a=path:msrps://192.0.2.1:2855/4d0a;tcp\r\n"
    b"a=accept-types:message/cpim text/*\r\n"
    b"a=sendonly\r\n"
)

# Bytes of the upper half stand for text that is not UTF-8.
_visible = st.characters(min_codepoint=33, exclude_categories=["Cc", "Cs", "Zs"])
words = st.text(_visible, min_size=1, max_size=12)
texts = words | st.builds("{} {}".format, words, words) | st.just("\udcff\udc80")
numbers = st.integers(0, 2**64 - 1)
connections = st.builds(Connection, words, words, words)
origins = st.builds(Origin, words, numbers, numbers, words, words, words)
names = st.text(_visible.filter(lambda c: c != ":"), min_size=1, max_size=12)
attributes = st.lists(st.builds(Attribute, names, st.none() | st.just("") | texts), max_size=5)


def other_lines(letters: str, rank: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    pairs = st.lists(st.tuples(st.sampled_from(letters), texts), max_size=5)
    return pairs.map(lambda lines: sorted(lines, key=lambda line: rank.index(line[0])))


media_parts = st.builds(
    MediaDescription,
    words,
    st.integers(0, 65535),
    words,
    st.lists(words, max_size=3),
    st.none() | st.integers(0, 99),
    st.none() | connections,
    attributes,
    other_lines("ibk", "ibk"),
)
sessions = st.builds(
    SessionDescription,
    origins,
    texts,
    st.none() | connections,
    attributes,
    st.lists(media_parts, max_size=3),
    st.tuples(other_lines("iuepb", "iuepb"), texts, other_lines("k", "k")).map(
        lambda parts: [*parts[0], ("t", parts[1]), ("r", "7d 1h 0 25h"), ("t", "0 0"), *parts[2]]
    ),
)


@given(sessions)
def test_what_is_rendered_parses_to_the_same(session: SessionDescription) -> None:
    assert SessionDescription.parse(session.render()) == session


hostile_lines = st.sampled_from(
    b"v=0|o=- 1 1 IN IP4 a|s=|t=0 0|c=IN IP4 x|a=|a=x|m=message 1 TCP/MSRP *|m=a 70000 x|b=AS:1|"
    b"k=p|z=1|a=\xff:\xfe|\r|i=\x85\xe2\x80\xa8|o=- \xd9\xa1 1 IN IP4 a|a= x : y".split(b"|")
)
hostile_descriptions = st.lists(hostile_lines, max_size=12).map(
    lambda lines: b"v=0\no=- 1 1 IN IP4 a\n" + b"\n".join(lines)
)


def damage(place: tuple[int, bytes]) -> bytes:
    position, junk = place
    return OFFER[:position] + junk + OFFER[position:]


damaged_offers = st.tuples(st.integers(0, len(OFFER)), st.binary(min_size=1, max_size=4)).map(
    damage
)


def parse_or_none(data: bytes) -> SessionDescription | None:
    try:
        return SessionDescription.parse(data)
    except RemoteProtocolError:
        return None


@given(st.binary(max_size=200) | hostile_descriptions | damaged_offers)
def test_any_bytes_parse_stably_or_are_refused(data: bytes) -> None:
    session = parse_or_none(data)
    if session is not None:
        assert SessionDescription.parse(session.render()) == session


def test_an_offer_is_rendered_as_it_came() -> None:
    session = SessionDescription.parse(OFFER)
    media = session.media[0]
    assert session.render() == OFFER
    assert (media.media, media.port, media.protocol, media.formats) == (
        "message", 2855, "TCP/TLS/MSRP", ["*"],
    )  # fmt: skip
    assert media.attribute("accept-types") == "message/cpim text/*"
    assert media.attribute("sendonly") == ""
    assert media.attribute("setup") is None
    assert media.direction == "sendonly"
    assert session.connection_of(media) == Connection("192.0.2.1")


def test_the_session_part_gives_defaults() -> None:
    session = SessionDescription.parse(
        HEAD + b"c=IN IP6 2001:db8::1\r\na=inactive\r\na=group:A\r\na=group:B\r\n"
        b"m=message 0 TCP/MSRP *\r\nm=message 1/2 TCP/MSRP *\r\na=recvonly\r\n"
    )
    first, second = session.media
    assert session.connection_of(first) == Connection("2001:db8::1", "IP6")
    assert [session.direction_of(each) for each in (first, second)] == ["inactive", "recvonly"]
    assert first.direction == "sendrecv"
    assert second.port_count == 2
    assert session.attribute("group") == "A"
    assert session.attributes_named("group") == ["A", "B"]
    assert second.attributes_named("group") == []


def test_lines_are_written_in_the_order_of_the_rfc() -> None:
    data = (
        b"v=0\r\ns=x\r\no=- 1 1 IN IP4 a\r\na=x\r\nk=prompt\r\nt=1 2\r\nr=7\r\nt=3 4\r\nz=5\r\n"
        b"b=AS:1\r\nc=IN IP4 a\r\np=1\r\ne=2\r\nu=3\r\ni=4\r\n"
        b"m=a 1 b\r\na=y\r\nk=q\r\nb=CT:1\r\nc=IN IP4 224.2.1.1/127\r\nc=IN IP4 c\r\ni=z\r\n"
    )
    assert SessionDescription.parse(data).render() == (
        b"v=0\r\no=- 1 1 IN IP4 a\r\ns=x\r\ni=4\r\nu=3\r\ne=2\r\np=1\r\nc=IN IP4 a\r\nb=AS:1\r\n"
        b"t=1 2\r\nr=7\r\nt=3 4\r\nz=5\r\nk=prompt\r\na=x\r\n"
        b"m=a 1 b\r\ni=z\r\nc=IN IP4 224.2.1.1/127\r\nc=IN IP4 c\r\nb=CT:1\r\nk=q\r\na=y\r\n"
    )


def test_what_clients_leave_out_is_filled_in() -> None:
    session = SessionDescription.parse(b"v=0 \no=- 1 1 IN IP4 a \nm=MESSAGE 9 TCP/MSRP\na=path: m ")
    assert session.render() == (
        b"v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=MESSAGE 9 TCP/MSRP\r\na=path:m\r\n"
    )


def test_an_origin_that_is_left_out_is_one_of_zeros() -> None:
    session = SessionDescription.parse(b"v=0\r\nc=IN IP4 a\r\ns=-\r\n")
    assert session.origin == Origin("-", 0, 0, "0.0.0.0")


def test_bytes_in_another_charset_survive() -> None:
    data = HEAD.replace(b"s=-", b"s=caf\xe9 \xff") + b"a=x:\x85\xa0\xe2\x80\xa8z\r\n"
    assert SessionDescription.parse(data).render() == data


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n", b"v=1\r\n", b"o=- 1 1 IN IP4 a\r\nv=0\r\n", b"hello",
        HEAD + b"a=\r\n", HEAD + b"a=:x\r\n", HEAD + b"x=1\r\n", HEAD + b"noequals\r\n",
        HEAD + b"v=0\r\n", HEAD + b"s=again\r\n", HEAD + b"o=- 1 1 IN IP4 a\r\n",
        HEAD + b"a=x\0y\r\n", HEAD + b"a=x\ry\r\n", HEAD + b"c=IN IP4\r\n",
        HEAD + b"m=message 65536 TCP/MSRP *\r\n", HEAD + b"m=message -1 TCP/MSRP *\r\n",
        HEAD + b"m=message 1/x TCP/MSRP *\r\n", HEAD + b"m=message 1\r\n",
        HEAD + "m=message \u0661 TCP/MSRP *\r\n".encode(),
        HEAD + b"m=message 1 TCP/MSRP *\r\nt=0 0\r\n",
        HEAD.replace(b"- 1 1", b"- 1 " + b"9" * 21), HEAD.replace(b"- 1 1", b"- 1 1_0"),
        HEAD.replace(b"- 1 1", b"- " + b"9" * 5000 + b" 1"), HEAD.replace(b"- 1 1", b"- 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        SessionDescription.parse(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("line", "bound"),
    [
        (b"m=message 1 TCP/MSRP *\r\n", MAX_MEDIA),
        (b"a=x\r\n", MAX_ATTRIBUTES),
        (b"b=AS:1\r\n", MAX_ATTRIBUTES - 1),
    ],
)
def test_counts_are_bounded(line: bytes, bound: int) -> None:
    assert SessionDescription.parse(HEAD + line * bound).media is not None
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(HEAD + line * (bound + 1))


def test_formats_and_size_are_bounded() -> None:
    line = b"m=message 1 TCP/MSRP" + b" *" * MAX_FORMATS
    assert len(SessionDescription.parse(HEAD + line).media[0].formats) == MAX_FORMATS
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(HEAD + line + b" *")
    room = MAX_SIZE - len(HEAD)
    assert SessionDescription.parse(HEAD + b"a=" + b"x" * (room - 2)).attributes
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(HEAD + b"a=" + b"x" * (room - 1))
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(OFFER, max_attributes=2)


@pytest.mark.parametrize("text", ["x\r\nm=message 1 TCP/MSRP *", "x\ny", "x\ry", "x\0", "\ud800"])
def test_a_value_cannot_break_its_line(text: str) -> None:
    session = SessionDescription.parse(OFFER)
    session.media[0].attributes.append(Attribute("x", text))
    with pytest.raises(LocalProtocolError):
        session.render()


def test_an_unknown_letter_is_not_rendered() -> None:
    session = SessionDescription(Origin("-", 1, 1, "192.0.2.1"), other_lines=[("x", "y")])
    with pytest.raises(LocalProtocolError):
        session.render()


def test_every_description_of_the_rfcs_parses() -> None:
    paths = sorted((corpus("flows") / "sdp").glob("*.sdp"))
    assert paths
    for path in paths:
        session = SessionDescription.parse(path.read_bytes())
        assert [media.formats for media in session.media] == [["*"]], path.name
        assert SessionDescription.parse(session.render()) == session


def test_every_observed_description_parses() -> None:
    paths = sorted((corpus("traces") / "observed").glob("*.sdp"))
    assert paths
    for path in paths:
        session = SessionDescription.parse(path.read_bytes())
        assert session.media[0].media.lower() == "message", path.name
        assert SessionDescription.parse(session.render()) == session


def test_observed_details() -> None:
    observed = corpus("traces") / "observed"

    def read(name: str) -> SessionDescription:
        return SessionDescription.parse((observed / name).read_bytes())

    assert read("joyn-file-push-offer-broken.sdp").media[0].formats == []
    assert read("viproy-chat-offer.sdp").media[0].attribute("accept-types") == (
        "text/plain message/CPIM"
    )
    relay_path = read("jssip-msrp-ws-answer.sdp").media[0].attribute("path")
    assert relay_path is not None
    assert relay_path.startswith("msrps://alice@relay.example.com:2855/s1;tcp ")
    assert read("rcs-file-push-path-zero.sdp").name == "-"
    assert read("rcs-closed-groupchat-offer.sdp").connection == Connection("2001:db8::2", "IP6")


def trace_descriptions(path: Path) -> list[bytes]:
    return re.findall(rb"\n\n(v=0\n(?:[a-z]=.*\n)+)", path.read_bytes())


def test_the_peers_own_descriptions_come_out_as_they_went_in() -> None:
    found = 0
    for path in sorted((corpus("traces") / "sylkserver").glob("*.txt")):
        for text in trace_descriptions(path):
            session = SessionDescription.parse(text)
            assert session.render().replace(b"\r\n", b"\n") == text, path.name
            found += 1
    assert found > 20
