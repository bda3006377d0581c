"""Lists of people: application/resource-lists+xml, as a request names whom it means.

The document is that of RFC 4826, the attributes that tell `to`, `cc` and `bcc` are those of
RFC 5364, and RFC 5366 sends both with an INVITE that makes a conference. Lists inside lists are
read as one. References to lists elsewhere are skipped, as RFC 5366 4 allows: nothing is fetched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sylk.errors import RemoteProtocolError
from sylk.payload.xml import (
    Element,
    children,
    escape_text,
    escape_uri,
    read_document,
    read_uri,
    text_of,
    truth_of,
)

CONTENT_TYPE = "application/resource-lists+xml"
CONTENT_DISPOSITION = "recipient-list"  # of the part of an INVITE, RFC 5363 4.1
NAMESPACE = "urn:ietf:params:xml:ns:resource-lists"
COPY_CONTROL_NAMESPACE = "urn:ietf:params:xml:ns:copycontrol"
MAX_SIZE = 262144  # octets of a document; a larger one is refused
MAX_RECIPIENTS = 500  # entries of a document; one with more is refused

# COMPAT: an example of RFC 5366 spells the namespace with a capital, and was copied.
_COPY_CONTROL_NAMESPACES = (
    COPY_CONTROL_NAMESPACE,
    "urn:ietf:params:xml:ns:copyControl",
)


class CopyControl(StrEnum):
    """How openly somebody is meant. RFC 5364 4."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"


@dataclass(slots=True)
class Recipient:
    """One entry: a URI, and whether the others may see it.

    Who is to be anonymous, or is bcc, must not be told to the others; who is not said to be any
    is bcc. RFC 5364 4.
    """

    uri: str
    copy_control: CopyControl = CopyControl.BCC
    anonymize: bool = False
    display_name: str | None = None


def parse_recipients(
    data: bytes, *, max_recipients: int = MAX_RECIPIENTS, max_size: int = MAX_SIZE
) -> list[Recipient]:
    """Read the entries of all lists, in order; those without URI are left out.

    Bounds are in entries and octets. Raises RemoteProtocolError (400) past one, and for what is no
    such document. A copyControl that is not known is read as bcc, as a missing one is.
    """
    root = read_document(data, NAMESPACE, "resource-lists", max_size=max_size)
    recipients: list[Recipient] = []
    for element in root.iter(f"{{{NAMESPACE}}}entry"):
        uri = read_uri(element.get("uri", ""))
        if not uri:
            continue
        if len(recipients) == max_recipients:
            raise RemoteProtocolError("too many recipients in a list")
        names = (text_of(child) for name, child in children(element, NAMESPACE)
                 if name == "display-name")  # fmt: skip
        recipients.append(
            Recipient(
                uri,
                _copy_control_of(element),
                bool(truth_of(_attribute(element, "anonymize") or "")),
                next(names, None),
            )
        )
    return recipients


def render_recipients(recipients: Iterable[Recipient]) -> bytes:
    """Write a document with one list."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<resource-lists xmlns="{NAMESPACE}" xmlns:cp="{COPY_CONTROL_NAMESPACE}">'
        f"<list>{''.join([_render_entry(each) for each in recipients])}</list></resource-lists>"
    ).encode()


def _render_entry(recipient: Recipient) -> str:
    attributes = f' uri="{escape_uri(recipient.uri)}" cp:copyControl="{recipient.copy_control}"'
    if recipient.anonymize:
        attributes += ' cp:anonymize="true"'
    if recipient.display_name is None:
        return f"<entry{attributes}/>"
    name = escape_text(recipient.display_name)
    return f"<entry{attributes}><display-name>{name}</display-name></entry>"


def _copy_control_of(element: Element) -> CopyControl:
    word = (_attribute(element, "copyControl") or "").strip().lower()
    return next((each for each in CopyControl if each == word), CopyControl.BCC)


def _attribute(element: Element, name: str) -> str | None:
    for namespace in _COPY_CONTROL_NAMESPACES:
        value = element.get(f"{{{namespace}}}{name}")
        if value is not None:
            return value
    return None
