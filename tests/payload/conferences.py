"""Conference documents to draw: users, endpoints, and whole documents of them."""

from hypothesis import strategies as st

from sylk.payload.conference_info import (
    ConferenceDescription,
    ConferenceInfo,
    ConferenceState,
    DisconnectionMethod,
    Endpoint,
    EndpointStatus,
    Execution,
    HostInfo,
    JoiningMethod,
    Media,
    MediaStatus,
    State,
    UriEntry,
    User,
)
from tests.payload.documents import MOMENTS, PLAIN_TEXT, PLAIN_URI

Text = st.SearchStrategy[str]
_COUNTS = st.none() | st.integers(0, 0xFFFFFFFF)


def _entity_of(value: User | Endpoint) -> str:
    return value.entity


def _few(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=2).map(tuple)


def users(
    text: Text, uri: Text, states: st.SearchStrategy[State], entity: Text | None = None
) -> st.SearchStrategy[User]:
    """Users with all that can be told of one."""
    maybe = st.none() | text
    entry = st.builds(UriEntry, uri.filter(bool), maybe, maybe)
    execution = st.builds(Execution, st.none() | MOMENTS, maybe, st.none() | uri)
    media = st.builds(
        Media, text, maybe, maybe, maybe, maybe, st.none() | st.sampled_from(MediaStatus)
    )
    endpoint = st.builds(
        Endpoint,
        text if entity is None else entity,
        maybe,
        st.none() | execution,
        st.none() | st.sampled_from(EndpointStatus),
        st.none() | st.sampled_from(JoiningMethod),
        st.none() | execution,
        st.none() | st.sampled_from(DisconnectionMethod),
        st.none() | execution,
        _few(media),
        states,
    )
    endpoints = st.lists(
        endpoint, max_size=2, unique_by=None if entity is None else _entity_of
    ).map(tuple)
    return st.builds(
        User,
        uri if entity is None else entity,
        maybe,
        maybe,
        _few(entry),
        _few(text),
        endpoints,
        states,
    )


def documents(
    text: Text = PLAIN_TEXT, uri: Text = PLAIN_URI, entity: Text | None = None
) -> st.SearchStrategy[ConferenceInfo]:
    """Full documents; `entity` is drawn for users and endpoints, once each."""
    maybe = st.none() | text
    entries = _few(st.builds(UriEntry, uri.filter(bool), maybe, maybe))
    truth = st.none() | st.booleans()
    return st.builds(
        ConferenceInfo,
        uri,
        _COUNTS,
        st.none()
        | st.builds(ConferenceDescription, maybe, maybe, maybe, entries, entries, _COUNTS),
        st.none() | st.builds(HostInfo, maybe, st.none() | uri, entries),
        st.none() | st.builds(ConferenceState, _COUNTS, truth, truth),
        st.lists(
            users(text, uri, st.just(State.FULL), entity),
            max_size=3,
            unique_by=None if entity is None else _entity_of,
        ).map(tuple),
    )


def keyed_documents() -> st.SearchStrategy[ConferenceInfo]:
    """Full documents of one conference whose users and endpoints have few names, each once."""
    names = st.sampled_from(["sip:a@x", "sip:b@x", "sip:c@x"])
    return documents(st.sampled_from(["", "x", "y"]), st.just("sip:room@x"), names)
