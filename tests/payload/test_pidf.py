"""Tests of sylk.payload.pidf: presence documents of ours and of RFCs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.pidf import (
    MAX_SIZE,
    Activity,
    Basic,
    Device,
    Note,
    Person,
    Presence,
    PresenceTuple,
)
from tests.corpora import corpus
from tests.payload.documents import (
    ANY_TEXT,
    MOMENTS,
    PLAIN_TEXT,
    PLAIN_URI,
    assert_valid,
    examples,
    moment,
    read_or_refused,
)

WHEN = datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)
DOCUMENT = '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b">{}</presence>'


def presences(
    text: st.SearchStrategy[str], uri: st.SearchStrategy[str]
) -> st.SearchStrategy[Presence]:
    def few(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
        return st.lists(values, max_size=2).map(tuple)

    when = st.none() | MOMENTS
    notes = few(st.builds(Note, text, st.sampled_from([None, "en", "de-AT", "x-klingon"])))
    thousandths = st.none() | st.integers(0, 1000).map(lambda number: number / 1000)
    contact = st.tuples(uri, thousandths) | st.just((None, None))

    def tuple_with(id_: str, contact: tuple[str | None, float | None], basic: Basic | None,
                   notes: tuple[Note, ...], when: datetime | None, device: str | None
                   ) -> PresenceTuple:  # fmt: skip
        return PresenceTuple(id_, basic, *contact, notes, when, device)

    def tuple_of(id_: str) -> st.SearchStrategy[PresenceTuple]:
        basic = st.none() | st.sampled_from(Basic)
        device = st.none() | uri
        return st.builds(tuple_with, st.just(id_), contact, basic, notes, when, device)

    def person_of(id_: str) -> st.SearchStrategy[Person]:
        return st.builds(Person, st.just(id_), few(st.sampled_from(Activity)), notes, when)

    def device_of(id_: str) -> st.SearchStrategy[Device]:
        return st.builds(Device, st.just(id_), uri, notes, when)

    return st.builds(
        Presence,
        uri,
        st.just(()) | st.tuples(tuple_of("t1")) | st.tuples(tuple_of("t1"), tuple_of("_2.-")),
        notes,
        st.just(()) | st.tuples(person_of("p1")),
        st.just(()) | st.tuples(device_of("d1"), device_of("d2")),
    )


def test_a_whole_document() -> None:
    presence = Presence(
        "sip:room@example.com",
        (
            PresenceTuple(
                "chat", Basic.OPEN, "sip:room@example.com", 0.5, (Note("Bonjour", "fr"),), WHEN,
                "urn:uuid:1",
            ),
            PresenceTuple("gone", Basic.CLOSED, timestamp=WHEN),
        ),
        (Note("A room & more"),),
        (Person("p", (Activity.MEETING, Activity.ON_THE_PHONE), (Note("x"),), WHEN),),
        (Device("d", "urn:uuid:1", (), WHEN),),
    )  # fmt: skip
    data = presence.render()
    assert data.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" '
        'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
        'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:room@example.com">'
        '<tuple id="chat"><status><basic>open</basic></status>'
        "<dm:deviceID>urn:uuid:1</dm:deviceID>"
        '<contact priority="0.5">sip:room@example.com</contact><note xml:lang="fr">Bonjour</note>'
        "<timestamp>2026-11-21T07:35:47Z</timestamp></tuple>"
        '<tuple id="gone"><status><basic>closed</basic></status>'
        "<timestamp>2026-11-21T07:35:47Z</timestamp></tuple><note>A room &amp; more</note>"
        '<dm:person id="p"><rpid:activities><rpid:meeting/><rpid:on-the-phone/></rpid:activities>'
        "<dm:note>x</dm:note><dm:timestamp>2026-11-21T07:35:47Z</dm:timestamp></dm:person>"
        '<dm:device id="d"><dm:deviceID>urn:uuid:1</dm:deviceID>'
        "<dm:timestamp>2026-11-21T07:35:47Z</dm:timestamp></dm:device></presence>"
    )
    assert_valid(data, "presence-all.xsd")
    assert Presence.parse(data) == presence


def test_the_documents_of_the_rfcs() -> None:
    found = [Presence.parse(data) for data in examples("presence")]
    tuples = [each for presence in found for each in presence.tuples]
    expected = PresenceTuple(
        "bs35r9",
        Basic.OPEN,
        "im:someone@mobilecarrier.net",
        0.8,
        (Note("Don't Disturb Please!", "en"), Note("Ne derangez pas, s'il vous plait", "fr")),
        moment("2001-10-27T16:49:29Z"),
    )
    assert expected in tuples
    activities = {each for presence in found for one in presence.persons for each in one.activities}
    assert {Activity.AWAY, Activity.ON_THE_PHONE} <= activities
    assert any(presence.devices for presence in found)
    assert any(each.device_id for each in tuples)


def test_the_documents_of_another_library() -> None:
    read = [
        read_or_refused(Presence.parse, path.read_bytes())
        for path in sorted((corpus("traces") / "xml").glob("*.xml"))
    ]
    assert sum(read) > 10


@pytest.mark.parametrize(
    ("content", "each"),
    [
        ("<tuple/>", PresenceTuple("")),
        ("<tuple id='1'><status/></tuple>", PresenceTuple("1")),
        ("<tuple id='1'><status><basic> OPEN </basic></status></tuple>",
         PresenceTuple("1", Basic.OPEN)),
        ("<tuple><status><basic>x</basic></status></tuple>", PresenceTuple("")),
        ("<tuple><timestamp>x</timestamp><contact priority='2'>sip:a@b</contact></tuple>",
         PresenceTuple("", contact="sip:a@b")),
        ("<tuple><contact priority='1.00'>sip:a@b</contact><x xmlns='urn:x'/><status/></tuple>",
         PresenceTuple("", contact="sip:a@b", priority=1.0)),
        ("<tuple><contact priority='nan'/><note/></tuple>",
         PresenceTuple("", contact="", notes=(Note(""),))),
    ],
)  # fmt: skip
def test_tuples_as_others_write_them(content: str, each: PresenceTuple) -> None:
    assert Presence.parse(DOCUMENT.format(content).encode()) == Presence("sip:a@b", (each,))


def test_what_is_refused() -> None:
    large = DOCUMENT.format(" " * MAX_SIZE).encode()
    for data in (b"", b"<presence/>", DOCUMENT.format("<tuple>").encode(), large):
        with pytest.raises(RemoteProtocolError) as caught:
            Presence.parse(data)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "presence",
    [
        Presence("", (PresenceTuple("1"),)),
        Presence("", (PresenceTuple(""),)),
        Presence("", (PresenceTuple('a" x="'),)),
        Presence("", (PresenceTuple("a"), PresenceTuple("a"))),
        Presence("", (PresenceTuple("a"),), persons=(Person("a"),)),
        Presence("", notes=(Note("", 'en"'),)),
        Presence("", notes=(Note("", ""),)),
        Presence("", (PresenceTuple("a", contact="x", priority=1.1),)),
        Presence("", (PresenceTuple("a", contact="x", priority=float("nan")),)),
        Presence("", (PresenceTuple("a", timestamp=WHEN.replace(tzinfo=None)),)),
    ],
)
def test_what_cannot_be_written(presence: Presence) -> None:
    with pytest.raises(LocalProtocolError):
        presence.render()


@given(presences(ANY_TEXT, ANY_TEXT))
def test_what_we_write_is_valid(presence: Presence) -> None:
    assert_valid(presence.render(), "presence-all.xsd")


@given(presences(PLAIN_TEXT, PLAIN_URI))
def test_there_and_back(presence: Presence) -> None:
    assert Presence.parse(presence.render()) == presence


@given(st.binary() | st.text().map(lambda text: DOCUMENT.format(text).encode("utf-8", "replace")))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(Presence.parse, data)
