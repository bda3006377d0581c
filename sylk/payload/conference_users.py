"""The people in a conference, as RFC 4575 5.6 to 5.8 tells of them: users, endpoints, media.

All are values that do not change: somebody whose state changes becomes another `User`. That is
what makes `User.rendered` safe to keep: a document of a thousand users of whom one changed is
a join of 999 kept pieces and a new one.

Reading is tolerant, as the schema's extension points want it: elements that are not known are
skipped, words that are not in the RFC's lists count as not said.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Self, TypeVar

from sylk.payload.date_time import read_date_time, render_date_time
from sylk.payload.xml import (
    Element,
    children,
    escape_attribute,
    escape_text,
    escape_uri,
    read_uri,
    text_of,
)

NAMESPACE = "urn:ietf:params:xml:ns:conference-info"
XCON_NAMESPACE = "urn:ietf:params:xml:ns:xcon-conference-info"  # of the nickname, RFC 7701 9.6

_NICKNAME = f"{{{XCON_NAMESPACE}}}nickname"


class State(StrEnum):
    """How much a document, its users, a user or an endpoint tells. RFC 4575 4.4."""

    FULL = "full"
    PARTIAL = "partial"
    DELETED = "deleted"


class EndpointStatus(StrEnum):
    """Where an endpoint stands. RFC 4575 5.7.3."""

    PENDING = "pending"
    DIALING_OUT = "dialing-out"
    DIALING_IN = "dialing-in"
    ALERTING = "alerting"
    ON_HOLD = "on-hold"
    CONNECTED = "connected"
    MUTED_VIA_FOCUS = "muted-via-focus"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"


class JoiningMethod(StrEnum):
    """How an endpoint came in. RFC 4575 5.7.4."""

    DIALED_IN = "dialed-in"
    DIALED_OUT = "dialed-out"
    FOCUS_OWNER = "focus-owner"


class DisconnectionMethod(StrEnum):
    """How an endpoint went. RFC 4575 5.7.6."""

    DEPARTED = "departed"
    BOOTED = "booted"
    FAILED = "failed"
    BUSY = "busy"


class MediaStatus(StrEnum):
    """Which way a medium flows, seen from the endpoint. RFC 4575 5.8.6."""

    RECVONLY = "recvonly"
    SENDONLY = "sendonly"
    SENDRECV = "sendrecv"
    INACTIVE = "inactive"


_Word = TypeVar("_Word", bound=StrEnum)


def word_of(words: type[_Word], text: str) -> _Word | None:
    """Return the member of `words` that is written `text`, None if there is none."""
    text = text.strip(" \t\r\n")
    # Most words of a user are not said, and an exception is slow.
    if not text:
        return None
    try:
        return words(text)
    except ValueError:
        return None


def state_of(element: Element) -> State:
    """Return the state of an element; one that does not tell is full. RFC 4575 4.4."""
    return word_of(State, element.get("state", "")) or State.FULL


def text_element(name: str, text: str | None) -> str:
    """Write an element with a text, nothing for None."""
    return "" if text is None else f"<{name}>{escape_text(text)}</{name}>"


def state_attribute(state: State) -> str:
    """Write the attribute that tells how much an element tells."""
    return f' state="{state}"'


@dataclass(frozen=True)
class UriEntry:
    """A URI with what it is for, as in `conf-uris` and `associated-aors`. RFC 4575 5.3.1."""

    uri: str
    display_text: str | None = None
    purpose: str | None = None

    def render(self) -> str:
        """Write the entry."""
        return (
            f"<entry><uri>{escape_uri(self.uri)}</uri>"
            f"{text_element('display-text', self.display_text)}"
            f"{text_element('purpose', self.purpose)}</entry>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read an entry; one without URI has an empty one."""
        found = {name: text_of(child) for name, child in children(element, NAMESPACE)}
        return cls(read_uri(found.get("uri", "")), found.get("display-text"), found.get("purpose"))


def uris_element(name: str, entries: tuple[UriEntry, ...]) -> str:
    """Write a list of URIs, nothing for an empty one: the schema wants an entry."""
    return f"<{name}>{''.join(each.render() for each in entries)}</{name}>" if entries else ""


def read_uris(element: Element) -> tuple[UriEntry, ...]:
    """Read a list of URIs."""
    found = (UriEntry.read(each) for name, each in children(element, NAMESPACE) if name == "entry")
    return tuple(entry for entry in found if entry.uri)


@dataclass(frozen=True)
class Execution:
    """Who did something, when and why. RFC 4575 5.7.2, 5.7.5, 5.7.7."""

    when: datetime | None = None
    reason: str | None = None
    by: str | None = None

    def render(self, name: str) -> str:
        """Write it as the element `name`."""
        when = "" if self.when is None else f"<when>{render_date_time(self.when)}</when>"
        by = "" if self.by is None else f"<by>{escape_uri(self.by)}</by>"
        return f"<{name}>{when}{text_element('reason', self.reason)}{by}</{name}>"

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found = {name: text_of(child) for name, child in children(element, NAMESPACE)}
        when, by = found.get("when"), found.get("by")
        return cls(
            None if when is None else read_date_time(when),
            found.get("reason"),
            None if by is None else read_uri(by),
        )


@dataclass(frozen=True)
class Media:
    """A medium of an endpoint. RFC 4575 5.8.

    `type` is a media type of SDP; COMPAT: deployed clients know audio, video, text and message.
    """

    id: str
    type: str | None = None
    display_text: str | None = None
    label: str | None = None
    src_id: str | None = None
    status: MediaStatus | None = None

    def render(self) -> str:
        """Write the element."""
        return (
            f'<media id="{escape_attribute(self.id)}">'
            f"{text_element('display-text', self.display_text)}{text_element('type', self.type)}"
            f"{text_element('label', self.label)}{text_element('src-id', self.src_id)}"
            f"{text_element('status', self.status)}</media>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found = {name: text_of(child) for name, child in children(element, NAMESPACE)}
        return cls(
            element.get("id", ""),
            found.get("type"),
            found.get("display-text"),
            found.get("label"),
            found.get("src-id"),
            word_of(MediaStatus, found.get("status", "")),
        )


@dataclass(frozen=True)
class Endpoint:
    """One device of a user, with one session. RFC 4575 5.7. `entity` is mostly its Contact URI."""

    entity: str
    display_text: str | None = None
    referred: Execution | None = None
    status: EndpointStatus | None = None
    joining_method: JoiningMethod | None = None
    joining_info: Execution | None = None
    disconnection_method: DisconnectionMethod | None = None
    disconnection_info: Execution | None = None
    media: tuple[Media, ...] = ()
    state: State = State.FULL

    def render(self) -> str:
        """Write the element, its children in the order of the schema."""
        referred, joined, gone = self.referred, self.joining_info, self.disconnection_info
        return (
            f'<endpoint entity="{escape_attribute(self.entity)}"{state_attribute(self.state)}>'
            f"{text_element('display-text', self.display_text)}"
            f"{referred.render('referred') if referred else ''}"
            f"{text_element('status', self.status)}"
            f"{text_element('joining-method', self.joining_method)}"
            f"{joined.render('joining-info') if joined else ''}"
            f"{text_element('disconnection-method', self.disconnection_method)}"
            f"{gone.render('disconnection-info') if gone else ''}"
            f"{''.join([each.render() for each in self.media])}</endpoint>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found: dict[str, Element] = {}
        media: list[Media] = []
        for name, child in children(element, NAMESPACE):
            if name == "media":
                media.append(Media.read(child))
            else:
                found.setdefault(name, child)
        texts = {name: text_of(child) for name, child in found.items()}
        executions = {
            name: Execution.read(found[name])
            for name in ("referred", "joining-info", "disconnection-info")
            if name in found
        }
        return cls(
            entity=element.get("entity", ""),
            display_text=texts.get("display-text"),
            referred=executions.get("referred"),
            status=word_of(EndpointStatus, texts.get("status", "")),
            joining_method=word_of(JoiningMethod, texts.get("joining-method", "")),
            joining_info=executions.get("joining-info"),
            disconnection_method=word_of(
                DisconnectionMethod, texts.get("disconnection-method", "")
            ),
            disconnection_info=executions.get("disconnection-info"),
            media=tuple(media),
            state=state_of(element),
        )


@dataclass(frozen=True)
class User:
    """A person in a conference, on as many endpoints as there are sessions. RFC 4575 5.6.

    `nickname` is the attribute of RFC 6501 that RFC 7701 9.6 shows. COMPAT: deployed clients do
    not know it, and show `display_text`.
    """

    entity: str
    display_text: str | None = None
    nickname: str | None = None
    associated_aors: tuple[UriEntry, ...] = ()
    roles: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    state: State = State.FULL

    @cached_property
    def rendered(self) -> bytes:
        """The element as octets; `xcon` must be declared round it. Made once for each value."""
        nickname = ""
        if self.nickname is not None:
            nickname = f' xcon:nickname="{escape_attribute(self.nickname)}"'
        roles = "".join([text_element("entry", role) for role in self.roles])
        return (
            f'<user entity="{escape_uri(self.entity)}"{state_attribute(self.state)}{nickname}>'
            f"{text_element('display-text', self.display_text)}"
            f"{uris_element('associated-aors', self.associated_aors)}"
            f"{f'<roles>{roles}</roles>' if roles else ''}"
            f"{''.join([each.render() for each in self.endpoints])}</user>"
        ).encode()

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        display_text: str | None = None
        associated_aors: tuple[UriEntry, ...] = ()
        roles: tuple[str, ...] = ()
        endpoints: list[Endpoint] = []
        for name, child in children(element, NAMESPACE):
            if name == "endpoint":
                endpoints.append(Endpoint.read(child))
            elif name == "display-text":
                display_text = text_of(child)
            elif name == "associated-aors":
                associated_aors = read_uris(child)
            elif name == "roles":
                found = children(child, NAMESPACE)
                roles = tuple(text_of(each) for name, each in found if name == "entry")
        return cls(
            read_uri(element.get("entity", "")),
            display_text,
            element.get(_NICKNAME),
            associated_aors,
            roles,
            tuple(endpoints),
            state_of(element),
        )
