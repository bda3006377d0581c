"""Tests of sylk.payload.imdn: notifications, and the headers that ask for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim import Address, CpimMessage, split_envelope
from sylk.payload.imdn import (
    CONTENT_TYPE,
    STATUSES,
    Disposition,
    DispositionRequest,
    Imdn,
    ImdnStatus,
    Notification,
    read_request,
    request_headers,
)
from tests.corpora import corpus
from tests.payload.documents import (
    ANY_TEXT,
    PLAIN_TEXT,
    PLAIN_URI,
    assert_valid,
    examples,
    read_or_refused,
)

DOCUMENT = '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>1</message-id>{}</imdn>'
PAIRS = [(kind, status) for kind, statuses in STATUSES.items() for status in sorted(statuses)]


def documents(text: st.SearchStrategy[str], uri: st.SearchStrategy[str]) -> st.SearchStrategy[Imdn]:
    def build(pair: tuple[Notification, ImdnStatus], *texts: str) -> Imdn:
        return Imdn(texts[0], texts[1], *pair, *texts[2:])

    pairs = st.sampled_from(PAIRS)
    return st.builds(build, pairs, text.filter(bool), text) | st.builds(
        build, pairs, text.filter(bool), text, uri.filter(bool), uri.filter(bool), text
    )


def test_the_examples_of_the_rfc() -> None:
    found = [Imdn.parse(data) for data in examples("imdn")]
    assert [(each.notification, each.status) for each in found] == [
        (Notification.DELIVERY, ImdnStatus.DELIVERED),
        (Notification.DISPLAY, ImdnStatus.DISPLAYED),
        (Notification.PROCESSING, ImdnStatus.PROCESSED),
        (Notification.DELIVERY, ImdnStatus.DELIVERED),
    ]
    for each in found:
        assert each.message_id == "34jk324j"
        assert each.date_time == "2008-04-04T12:16:49-05:00"
        assert each.recipient_uri == each.original_recipient_uri == "im:bob@example.com"


def test_the_messages_of_the_rfc() -> None:
    folder = corpus("flows") / "cpim"
    asked = (folder / "rfc5438-01.cpim").read_bytes()
    wanted = frozenset((Disposition.POSITIVE_DELIVERY, Disposition.NEGATIVE_DELIVERY))
    assert read_request(CpimMessage.parse(asked)) == DispositionRequest("34jk324j", wanted)
    assert read_request(split_envelope(asked)) == DispositionRequest("34jk324j", wanted)
    answered = 0
    for path in sorted(folder.glob("rfc5438-*.cpim")):
        message = CpimMessage.parse(path.read_bytes())
        if message.content_type == CONTENT_TYPE:
            answered += 1
            assert Imdn.parse(message.content).message_id == "34jk324j"
    assert answered == 3


@pytest.mark.parametrize("pair", PAIRS)
def test_each_status(pair: tuple[Notification, ImdnStatus]) -> None:
    document = Imdn("a<b", "2026-11-21T07:35:47Z", *pair)
    data = document.render()
    assert_valid(data, "imdn.rng")
    assert Imdn.parse(data) == document


def test_one_recipient_is_both() -> None:
    document = Imdn("1", "", *PAIRS[0], recipient_uri="sip:bob@example.com", subject="")
    data = document.render()
    assert_valid(data, "imdn.rng")
    assert Imdn.parse(data).original_recipient_uri == "sip:bob@example.com"
    document = Imdn("1", "", *PAIRS[0], original_recipient_uri="sip:bob@example.com")
    assert Imdn.parse(document.render()).recipient_uri == "sip:bob@example.com"


@pytest.mark.parametrize(
    "document",
    [
        Imdn("1", "", Notification.DISPLAY, ImdnStatus.DELIVERED),
        Imdn("1", "", Notification.DELIVERY, ImdnStatus.STORED),
        Imdn("1", "", *PAIRS[0], subject="hello"),
    ],
)
def test_what_cannot_be_written(document: Imdn) -> None:
    with pytest.raises(LocalProtocolError):
        document.render()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<delivery-notification/>",
        "<delivery-notification><status/></delivery-notification>",
        "<delivery-notification><status><displayed/></status></delivery-notification>",
        '<delivery-notification><status><x xmlns="urn:x"/></status></delivery-notification>',
        "<other-notification><status><error/></status></other-notification>",
    ],
)
def test_a_notification_without_status(content: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Imdn.parse(DOCUMENT.format(content).encode())
    assert caught.value.status == 400


def test_a_notification_without_message() -> None:
    data = DOCUMENT.format(
        "<delivery-notification><status><error/></status></delivery-notification>"
    )
    assert Imdn.parse(data.encode()).status is ImdnStatus.ERROR
    for id_ in ("", "<message-id> </message-id>"):
        with pytest.raises(RemoteProtocolError):
            Imdn.parse(data.replace("<message-id>1</message-id>", id_).encode())


def test_extensions_are_skipped() -> None:
    data = DOCUMENT.format(
        '<x xmlns="urn:x"><status/></x><display-notification><status><x xmlns="urn:x"/><displayed/>'
        "</status></display-notification>"
    )
    assert Imdn.parse(data.encode()).status is ImdnStatus.DISPLAYED


@given(documents(ANY_TEXT, ANY_TEXT))
def test_what_we_write_is_valid(document: Imdn) -> None:
    assert_valid(document.render(), "imdn.rng")


@given(documents(PLAIN_TEXT, PLAIN_URI))
def test_there_and_back(document: Imdn) -> None:
    assert Imdn.parse(document.render()) == document


@given(st.binary() | st.text().map(lambda text: DOCUMENT.format(text).encode("utf-8", "replace")))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(Imdn.parse, data)


@pytest.mark.parametrize(
    ("lines", "request_"),
    [
        ([], DispositionRequest(None, frozenset())),
        (["Message-ID: 1"], DispositionRequest(None, frozenset())),
        (["imdn.Message-ID: 1"], DispositionRequest("1", frozenset())),
        (["NS: x <urn:ietf:params:imdn>", "x.message-id:1"], DispositionRequest("1", frozenset())),
        (["NS: <urn:ietf:params:imdn>", "Message-ID: 1"], DispositionRequest("1", frozenset())),
        (["NS: imdn <urn:other>", "imdn.Message-ID: 1"], DispositionRequest(None, frozenset())),
        (["imdn.Message-ID: 1", "imdn.Message-ID: 2"], DispositionRequest("1", frozenset())),
        (
            [r"imdn.Message-ID: a\u00e9\\", "imdn.Disposition-Notification: display;x=y ,Other,,"],
            DispositionRequest("aé\\", frozenset([Disposition.DISPLAY])),
        ),
        (
            ["imdn.Disposition-Notification: Processing, positive-delivery"],
            DispositionRequest(
                None, frozenset([Disposition.PROCESSING, Disposition.POSITIVE_DELIVERY])
            ),
        ),
    ],
)
def test_requests_as_they_are_written(lines: list[str], request_: DispositionRequest) -> None:
    block = "".join(f"{line}\r\n" for line in ["From: <sip:a@b>", *lines])
    data = f"{block}\r\nContent-Type: text/plain\r\n\r\nhello".encode()
    assert read_request(CpimMessage.parse(data)) == request_
    assert read_request(split_envelope(data)) == request_


@given(st.text("abc019-", min_size=1), st.frozensets(st.sampled_from(Disposition)))
def test_requests_there_and_back(message_id: str, wanted: frozenset[Disposition]) -> None:
    alice = Address("Alice", "sip:alice@example.com")
    message = CpimMessage.compose(
        alice, alice, b"", "text/plain", "", request_headers(message_id, wanted)
    )
    data = message.render()
    assert read_request(CpimMessage.parse(data)) == DispositionRequest(message_id, wanted)
    assert read_request(split_envelope(data)) == DispositionRequest(message_id, wanted)
