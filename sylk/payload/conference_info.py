"""Who is in a conference and what it is: application/conference-info+xml (RFC 4575).

`ConferenceInfo` is a document; its users are in `conference_users`, and what makes a document of
changes, or takes one in, is in `conference_changes`. Children are written in the order of the
schema. COMPAT: deployed clients drop a document that is not valid without a word, fail on a
full one without `users`, and do not merge partial ones.

What is read may come from anybody: children in any order, without version, with extensions,
which are skipped.
"""

from dataclasses import dataclass
from typing import Self

from sylk.errors import LocalProtocolError
from sylk.payload.conference_users import (
    NAMESPACE,
    XCON_NAMESPACE,
    DisconnectionMethod,
    Endpoint,
    EndpointStatus,
    Execution,
    JoiningMethod,
    Media,
    MediaStatus,
    State,
    UriEntry,
    User,
    read_uris,
    state_attribute,
    state_of,
    text_element,
    uris_element,
)
from sylk.payload.xml import (
    MAX_SIZE,
    Element,
    children,
    escape_uri,
    number_of,
    read_document,
    read_number,
    read_uri,
    text_of,
    truth_of,
)

__all__ = [
    "CONTENT_TYPE",
    "ConferenceDescription",
    "ConferenceInfo",
    "ConferenceState",
    "DisconnectionMethod",
    "Endpoint",
    "EndpointStatus",
    "Execution",
    "HostInfo",
    "JoiningMethod",
    "Media",
    "MediaStatus",
    "State",
    "UriEntry",
    "User",
]

CONTENT_TYPE = "application/conference-info+xml"
MAX_NUMBER = 0xFFFFFFFF  # of a version and of a count: xs:unsignedInt


@dataclass(frozen=True)
class ConferenceDescription:
    """What the conference is. RFC 4575 5.3."""

    display_text: str | None = None
    subject: str | None = None
    free_text: str | None = None
    conf_uris: tuple[UriEntry, ...] = ()
    service_uris: tuple[UriEntry, ...] = ()
    maximum_user_count: int | None = None

    def render(self) -> str:
        """Write the element; raises LocalProtocolError for a count that has no form."""
        return (
            "<conference-description>"
            f"{text_element('display-text', self.display_text)}"
            f"{text_element('subject', self.subject)}"
            f"{text_element('free-text', self.free_text)}"
            f"{uris_element('conf-uris', self.conf_uris)}"
            f"{uris_element('service-uris', self.service_uris)}"
            f"{_count_element('maximum-user-count', self.maximum_user_count)}"
            "</conference-description>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found = dict(children(element, NAMESPACE))
        texts = {name: text_of(child) for name, child in found.items()}
        return cls(
            texts.get("display-text"),
            texts.get("subject"),
            texts.get("free-text"),
            read_uris(found["conf-uris"]) if "conf-uris" in found else (),
            read_uris(found["service-uris"]) if "service-uris" in found else (),
            read_number(texts.get("maximum-user-count", "")),
        )


@dataclass(frozen=True)
class HostInfo:
    """Who hosts the conference. RFC 4575 5.4."""

    display_text: str | None = None
    web_page: str | None = None
    uris: tuple[UriEntry, ...] = ()

    def render(self) -> str:
        """Write the element."""
        page = self.web_page
        return (
            f"<host-info>{text_element('display-text', self.display_text)}"
            f"{'' if page is None else f'<web-page>{escape_uri(page)}</web-page>'}"
            f"{uris_element('uris', self.uris)}</host-info>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found = dict(children(element, NAMESPACE))
        return cls(
            text_of(found["display-text"]) if "display-text" in found else None,
            read_uri(text_of(found["web-page"])) if "web-page" in found else None,
            read_uris(found["uris"]) if "uris" in found else (),
        )


@dataclass(frozen=True)
class ConferenceState:
    """How many are here, and whether others may come. RFC 4575 5.5."""

    user_count: int | None = None
    active: bool | None = None
    locked: bool | None = None

    def render(self) -> str:
        """Write the element; raises LocalProtocolError for a count that has no form."""
        return (
            f"<conference-state>{_count_element('user-count', self.user_count)}"
            f"{_truth_element('active', self.active)}"
            f"{_truth_element('locked', self.locked)}</conference-state>"
        )

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read what there is."""
        found = dict(children(element, NAMESPACE))
        return cls(
            number_of(found["user-count"]) if "user-count" in found else None,
            truth_of(text_of(found["active"])) if "active" in found else None,
            truth_of(text_of(found["locked"])) if "locked" in found else None,
        )


@dataclass(frozen=True)
class ConferenceInfo:
    """A conference-info document. RFC 4575 5.

    `entity` is the URI of the conference. A full document tells everything, a partial one what
    changed, a deleted one that the conference is over. In a partial one `users_state` says what
    `users` is: all users there are (full), those who changed (partial), or none (deleted).
    """

    entity: str
    version: int | None = None
    description: ConferenceDescription | None = None
    host_info: HostInfo | None = None
    conference_state: ConferenceState | None = None
    users: tuple[User, ...] = ()
    state: State = State.FULL
    users_state: State = State.FULL

    def render(self) -> bytes:
        """Write the document. Users who were written before cost no more than a join.

        Raises LocalProtocolError for a number below 0 or above MAX_NUMBER, and for a point in time
        without zone.
        """
        version = ""
        if self.version is not None:
            version = f' version="{_checked(self.version)}"'
        head = [
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<conference-info xmlns="{NAMESPACE}" xmlns:xcon="{XCON_NAMESPACE}" '
            f'entity="{escape_uri(self.entity)}"{state_attribute(self.state)}{version}>'
        ]
        parts = (self.description, self.host_info, self.conference_state)
        head += [part.render() for part in parts if part is not None]
        users = self._render_users()
        return b"".join(["".join(head).encode(), *users, b"</conference-info>"])

    def _render_users(self) -> list[bytes]:
        state = State.FULL if self.state is State.FULL else self.users_state
        if self.state is State.DELETED or (state is State.PARTIAL and not self.users):
            return []
        users = [user.rendered for user in self.users]
        return [f"<users{state_attribute(state)}>".encode(), *users, b"</users>"]

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_SIZE) -> Self:
        """Read a document of at most `max_size` octets; what is not known is skipped.

        Raises RemoteProtocolError (400) for what is no conference-info document, and past a bound
        of `sylk.payload.xml`.
        """
        root = read_document(data, NAMESPACE, "conference-info", max_size=max_size)
        found = dict(children(root, NAMESPACE))
        state = state_of(root)
        users: tuple[User, ...] = ()
        users_state = State.PARTIAL
        if "users" in found:
            users_state = state_of(found["users"])
            named = children(found["users"], NAMESPACE)
            users = tuple([User.read(child) for name, child in named if name == "user"])
        description = found.get("conference-description")
        host_info = found.get("host-info")
        conference_state = found.get("conference-state")
        return cls(
            read_uri(root.get("entity", "")),
            read_number(root.get("version", "")),
            None if description is None else ConferenceDescription.read(description),
            None if host_info is None else HostInfo.read(host_info),
            None if conference_state is None else ConferenceState.read(conference_state),
            users,
            state,
            State.FULL if state is State.FULL else users_state,
        )


def _checked(number: int) -> int:
    if not 0 <= number <= MAX_NUMBER:
        raise LocalProtocolError(f"{number} is no version or count of a conference")
    return number


def _count_element(name: str, count: int | None) -> str:
    return "" if count is None else f"<{name}>{_checked(count)}</{name}>"


def _truth_element(name: str, truth: bool | None) -> str:
    return "" if truth is None else f"<{name}>{'true' if truth else 'false'}</{name}>"
