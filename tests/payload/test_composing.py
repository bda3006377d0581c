"""Tests of sylk.payload.composing: who is writing, told and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.composing import MAX_REFRESH, MAX_SIZE, ComposingState, IsComposing
from tests.payload.documents import (
    ANY_TEXT,
    MOMENTS,
    PLAIN_TEXT,
    assert_valid,
    examples,
    moment,
    read_or_refused,
)

DOCUMENT = '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">{}</isComposing>'


def documents(text: st.SearchStrategy[str]) -> st.SearchStrategy[IsComposing]:
    return st.builds(
        IsComposing,
        st.sampled_from(ComposingState),
        st.none() | MOMENTS,
        st.none() | text,
        st.none() | st.integers(1, MAX_REFRESH),
    )


def test_the_examples_of_the_rfc() -> None:
    active, idle = (IsComposing.parse(data) for data in examples("isComposing"))
    assert active == IsComposing(ComposingState.ACTIVE, None, "text/plain", 90)
    assert idle.state is ComposingState.IDLE
    assert idle.last_active == moment("2003-01-27T10:43:00Z")
    assert idle.content_type == "audio"


def test_the_form_of_deployed_clients() -> None:
    """They write `text` for a type, and check the order of the elements."""
    data = IsComposing(ComposingState.ACTIVE, None, "text", 120).render()
    assert data.endswith(
        b"<state>active</state><contenttype>text</contenttype><refresh>120</refresh></isComposing>"
    )
    assert IsComposing.parse(data) == IsComposing(ComposingState.ACTIVE, None, "text", 120)


@pytest.mark.parametrize(
    ("content", "document"),
    [
        ("<state> active </state>", IsComposing(ComposingState.ACTIVE)),
        ("<state>gone</state>", IsComposing(ComposingState.IDLE)),
        ("<state/>", IsComposing(ComposingState.IDLE)),
        ("<refresh>60</refresh><state>idle</state>", IsComposing(ComposingState.IDLE, refresh=60)),
        ("<state>active</state><refresh>0</refresh>", IsComposing(ComposingState.ACTIVE)),
        ("<state>active</state><refresh>-1</refresh>", IsComposing(ComposingState.ACTIVE)),
        (
            "<state>active</state><refresh>999999999</refresh>",
            IsComposing(ComposingState.ACTIVE, refresh=MAX_REFRESH),
        ),
        (
            '<x xmlns="urn:x"/><state>active</state><lastactive>now</lastactive>',
            IsComposing(ComposingState.ACTIVE),
        ),
    ],
)
def test_forms_that_are_read(content: str, document: IsComposing) -> None:
    assert IsComposing.parse(DOCUMENT.format(content).encode()) == document


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DOCUMENT.format("").encode(),
        DOCUMENT.format('<state xmlns="">active</state>').encode(),
        b"<isComposing><state>active</state></isComposing>",
        DOCUMENT.format("<state>active</state>" + " " * MAX_SIZE).encode(),
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        IsComposing.parse(data)
    assert caught.value.status == 400


def test_a_refresh_is_above_0() -> None:
    with pytest.raises(LocalProtocolError):
        IsComposing(ComposingState.ACTIVE, refresh=0).render()


@given(documents(ANY_TEXT))
def test_what_we_write_is_valid(document: IsComposing) -> None:
    assert_valid(document.render(), "im-iscomposing.xsd")


@given(documents(PLAIN_TEXT))
def test_there_and_back(document: IsComposing) -> None:
    assert IsComposing.parse(document.render()) == document


@given(st.binary() | st.text().map(lambda text: DOCUMENT.format(text).encode("utf-8", "replace")))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(IsComposing.parse, data)
