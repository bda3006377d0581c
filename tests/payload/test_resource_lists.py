"""Tests of sylk.payload.resource_lists: whom a request means, and what must not be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.payload.resource_lists import (
    MAX_RECIPIENTS,
    CopyControl,
    Recipient,
    parse_recipients,
    render_recipients,
)
from tests.payload.documents import (
    ANY_TEXT,
    PLAIN_TEXT,
    PLAIN_URI,
    assert_valid,
    examples,
    read_or_refused,
)

DOCUMENT = (
    '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" '
    'xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>{}</list></resource-lists>'
)


def lists(
    text: st.SearchStrategy[str], uri: st.SearchStrategy[str]
) -> st.SearchStrategy[list[Recipient]]:
    name = st.none() | text
    one = st.builds(Recipient, uri, st.sampled_from(CopyControl), st.booleans(), name)
    return st.lists(one, max_size=5)


def test_the_examples_of_the_rfcs() -> None:
    found = [parse_recipients(data) for data in examples("resource-lists")]
    assert [
        Recipient("sip:bill@example.com", CopyControl.TO),
        Recipient("sip:randy@example.net", CopyControl.TO, anonymize=True),
        Recipient("sip:eddy@example.com", CopyControl.TO, anonymize=True),
        Recipient("sip:joe@example.org", CopyControl.CC),
        Recipient("sip:carol@example.net", CopyControl.CC, anonymize=True),
        Recipient("sip:ted@example.net", CopyControl.BCC),
        Recipient("sip:andy@example.com", CopyControl.BCC),
    ] in found
    assert sum(map(bool, found)) > 15
    for recipients in found:
        data = render_recipients(recipients)
        assert_valid(data, "resource-lists.xsd")
        assert parse_recipients(data) == recipients


@pytest.mark.parametrize(
    ("content", "recipients"),
    [
        ("", []),
        ("<entry uri='sip:a@b'/>", [Recipient("sip:a@b")]),
        ("<entry/><entry uri=' '/>", []),
        ("<entry uri='sip:a@b' cp:copyControl=' TO '/>", [Recipient("sip:a@b", CopyControl.TO)]),
        ("<entry uri='sip:a@b' cp:copyControl='x'/>", [Recipient("sip:a@b", CopyControl.BCC)]),
        ("<entry uri='sip:a@b' cp:anonymize='1'/>", [Recipient("sip:a@b", anonymize=True)]),
        ("<entry uri='sip:a@b' cp:anonymize='x'/>", [Recipient("sip:a@b")]),
        (
            "<display-name>x</display-name><entry uri='sip:a@b'><display-name>A</display-name>"
            "</entry><list><entry uri='sip:c@d'/></list><entry-ref ref='x'/>"
            "<external anchor='http://x/'/><x xmlns='urn:x'/>",
            [Recipient("sip:a@b", display_name="A"), Recipient("sip:c@d")],
        ),
    ],
)
def test_lists_as_they_are_written(content: str, recipients: list[Recipient]) -> None:
    assert parse_recipients(DOCUMENT.format(content).encode()) == recipients


def test_who_is_not_said_to_be_open_is_not_shown() -> None:
    """RFC 5364 4: without copyControl an entry is bcc."""
    (recipient,) = parse_recipients(DOCUMENT.format("<entry uri='sip:a@b'/>").encode())
    assert recipient.copy_control is CopyControl.BCC


def test_bounds() -> None:
    entries = "<entry uri='sip:a@b'/>"
    data = DOCUMENT.format(entries * MAX_RECIPIENTS).encode()
    assert len(parse_recipients(data)) == MAX_RECIPIENTS
    for refused, count, size in (
        (DOCUMENT.format(entries * (MAX_RECIPIENTS + 1)).encode(), MAX_RECIPIENTS, 10**6),
        (data, MAX_RECIPIENTS, len(data) - 1),
        (data, MAX_RECIPIENTS - 1, len(data)),
        (DOCUMENT.format("<list>" * 40 + "</list>" * 40).encode(), 10, 10**6),
        (b"", 10, 10),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            parse_recipients(refused, max_recipients=count, max_size=size)
        assert caught.value.status == 400


@given(lists(ANY_TEXT, ANY_TEXT))
def test_what_we_write_is_valid(recipients: list[Recipient]) -> None:
    assert_valid(render_recipients(recipients), "resource-lists.xsd")


@given(lists(PLAIN_TEXT, PLAIN_URI))
def test_there_and_back(recipients: list[Recipient]) -> None:
    assert parse_recipients(render_recipients(recipients)) == recipients


@given(st.binary() | st.text().map(lambda text: DOCUMENT.format(text).encode("utf-8", "replace")))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(parse_recipients, data)
