"""Who can be reached, and how: application/pidf+xml (RFC 3863).

A tuple is a way to reach somebody, open or closed. RFC 4479 adds persons and devices, RFC 4480
tells what a person is doing; of the latter only activities are read and written, because nothing
else can be told of a room.

What is read may come from anybody: unknown elements are skipped, words that are not in the RFC's
lists count as not said.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from sylk.errors import LocalProtocolError
from sylk.payload.date_time import read_date_time, render_date_time
from sylk.payload.xml import (
    Element,
    children,
    escape_text,
    escape_uri,
    read_document,
    read_uri,
    text_of,
)

CONTENT_TYPE = "application/pidf+xml"
NAMESPACE = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL_NAMESPACE = "urn:ietf:params:xml:ns:pidf:data-model"  # RFC 4479
RPID_NAMESPACE = "urn:ietf:params:xml:ns:pidf:rpid"  # RFC 4480
MAX_SIZE = 65536  # octets of a document; a larger one is refused

_ID = re.compile("[A-Za-z_][A-Za-z0-9._-]*")
_LANGUAGE = re.compile("[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_PRIORITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Basic(StrEnum):
    """Whether a message would be taken. RFC 3863 4.1.4."""

    OPEN = "open"
    CLOSED = "closed"


class Activity(StrEnum):
    """What a person is doing. RFC 4480 3.2."""

    APPOINTMENT = "appointment"
    AWAY = "away"
    BREAKFAST = "breakfast"
    BUSY = "busy"
    DINNER = "dinner"
    HOLIDAY = "holiday"
    IN_TRANSIT = "in-transit"
    LOOKING_FOR_WORK = "looking-for-work"
    MEAL = "meal"
    MEETING = "meeting"
    ON_THE_PHONE = "on-the-phone"
    PERFORMANCE = "performance"
    PERMANENT_ABSENCE = "permanent-absence"
    PLAYING = "playing"
    PRESENTATION = "presentation"
    SHOPPING = "shopping"
    SLEEPING = "sleeping"
    SPECTATOR = "spectator"
    STEERING = "steering"
    TRAVEL = "travel"
    TV = "tv"
    VACATION = "vacation"
    WORKING = "working"
    WORSHIP = "worship"


_BASICS = {str(each): each for each in Basic}
_ACTIVITIES = {str(each): each for each in Activity}


@dataclass(frozen=True, slots=True)
class Note:
    """A text for people, with a language tag where it is known. RFC 3863 4.1.6."""

    text: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class PresenceTuple:
    """One way to reach somebody. RFC 3863 4.1.2.

    `timestamp` should always be given (4.1.7). `priority` is from 0 to 1, by thousandths, and is
    of the contact, so that without one it is not written. `device_id` is a URN (RFC 4479 3.4).
    """

    id: str
    basic: Basic | None = None
    contact: str | None = None
    priority: float | None = None
    notes: tuple[Note, ...] = ()
    timestamp: datetime | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of the human being. RFC 4479 3.2."""

    id: str
    activities: tuple[Activity, ...] = ()
    notes: tuple[Note, ...] = ()
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What is known of a device; `device_id` is a URN. RFC 4479 3.3."""

    id: str
    device_id: str
    notes: tuple[Note, ...] = ()
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """A presence document; `entity` is the URI of whom it tells. RFC 3863 4.1.1."""

    entity: str
    tuples: tuple[PresenceTuple, ...] = ()
    notes: tuple[Note, ...] = ()
    persons: tuple[Person, ...] = ()
    devices: tuple[Device, ...] = ()

    def render(self) -> bytes:
        """Write the document, in the order of the schema.

        Raises LocalProtocolError for an id that is no XML name (of ASCII) or is there twice, a
        language tag or a priority that is none, and a point in time without zone.
        """
        ids = [each.id for each in (*self.tuples, *self.persons, *self.devices)]
        if len(set(ids)) != len(ids) or not all(_ID.fullmatch(each) for each in ids):
            raise LocalProtocolError("an id of a presence document is no name, or there twice")
        parts = [
            f'<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="{NAMESPACE}" '
            f'xmlns:dm="{DATA_MODEL_NAMESPACE}" xmlns:rpid="{RPID_NAMESPACE}" '
            f'entity="{escape_uri(self.entity)}">',
            *map(_render_tuple, self.tuples),
            _render_notes(self.notes),
            *map(_render_person, self.persons),
            *map(_render_device, self.devices),
            "</presence>",
        ]
        return "".join(parts).encode()

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_SIZE) -> Self:
        """Read a document of at most `max_size` octets; what is not known is skipped.

        Raises RemoteProtocolError (400) for what is no presence document, and past a bound of
        `sylk.payload.xml`.
        """
        root = read_document(data, NAMESPACE, "presence", max_size=max_size)
        own = list(children(root, NAMESPACE))
        model = list(children(root, DATA_MODEL_NAMESPACE))
        return cls(
            read_uri(root.get("entity", "")),
            tuple([_read_tuple(each) for name, each in own if name == "tuple"]),
            _read_notes(root, NAMESPACE),
            tuple([_read_person(each) for name, each in model if name == "person"]),
            tuple([_read_device(each) for name, each in model if name == "device"]),
        )


def _render_notes(notes: tuple[Note, ...], prefix: str = "") -> str:
    parts: list[str] = []
    for note in notes:
        language = ""
        if note.language is not None:
            if not _LANGUAGE.fullmatch(note.language):
                raise LocalProtocolError("a note in a language that has no tag")
            language = f' xml:lang="{note.language}"'
        parts.append(f"<{prefix}note{language}>{escape_text(note.text)}</{prefix}note>")
    return "".join(parts)


def _render_timestamp(moment: datetime | None, prefix: str = "") -> str:
    if moment is None:
        return ""
    return f"<{prefix}timestamp>{render_date_time(moment)}</{prefix}timestamp>"


def _render_contact(contact: str, priority: float | None) -> str:
    if priority is None:
        return f"<contact>{escape_uri(contact)}</contact>"
    if not 0 <= priority <= 1:
        raise LocalProtocolError("a priority of a contact is from 0 to 1")
    written = f"{priority:.3f}".rstrip("0").rstrip(".")
    return f'<contact priority="{written}">{escape_uri(contact)}</contact>'


def _render_tuple(each: PresenceTuple) -> str:
    basic = "" if each.basic is None else f"<basic>{each.basic}</basic>"
    device = ""
    if each.device_id is not None:
        device = f"<dm:deviceID>{escape_uri(each.device_id)}</dm:deviceID>"
    contact = "" if each.contact is None else _render_contact(each.contact, each.priority)
    return (
        f'<tuple id="{each.id}"><status>{basic}</status>{device}{contact}'
        f"{_render_notes(each.notes)}{_render_timestamp(each.timestamp)}</tuple>"
    )


def _render_person(person: Person) -> str:
    activities = "".join(f"<rpid:{each}/>" for each in person.activities)
    if activities:
        activities = f"<rpid:activities>{activities}</rpid:activities>"
    return (
        f'<dm:person id="{person.id}">{activities}{_render_notes(person.notes, "dm:")}'
        f"{_render_timestamp(person.timestamp, 'dm:')}</dm:person>"
    )


def _render_device(device: Device) -> str:
    return (
        f'<dm:device id="{device.id}">'
        f"<dm:deviceID>{escape_uri(device.device_id)}</dm:deviceID>"
        f"{_render_notes(device.notes, 'dm:')}{_render_timestamp(device.timestamp, 'dm:')}"
        "</dm:device>"
    )


def _read_notes(element: Element, namespace: str) -> tuple[Note, ...]:
    return tuple(
        [
            Note(text_of(child), child.get(_XML_LANGUAGE))
            for name, child in children(element, namespace)
            if name == "note"
        ]
    )


def _read_tuple(element: Element) -> PresenceTuple:
    found = dict(children(element, NAMESPACE))
    model = dict(children(element, DATA_MODEL_NAMESPACE))
    basic = None
    if "status" in found:
        told = dict(children(found["status"], NAMESPACE)).get("basic")
        basic = None if told is None else _BASICS.get(text_of(told).lower())
    contact = found.get("contact")
    priority = "" if contact is None else contact.get("priority", "").strip()
    return PresenceTuple(
        element.get("id", ""),
        basic,
        None if contact is None else read_uri(text_of(contact)),
        float(priority) if _PRIORITY.fullmatch(priority) else None,
        _read_notes(element, NAMESPACE),
        read_date_time(text_of(found["timestamp"])) if "timestamp" in found else None,
        read_uri(text_of(model["deviceID"])) if "deviceID" in model else None,
    )


def _read_person(element: Element) -> Person:
    found = dict(children(element, DATA_MODEL_NAMESPACE))
    told = dict(children(element, RPID_NAMESPACE)).get("activities")
    names = [] if told is None else [name for name, _ in children(told, RPID_NAMESPACE)]
    return Person(
        element.get("id", ""),
        tuple([_ACTIVITIES[name] for name in names if name in _ACTIVITIES]),
        _read_notes(element, DATA_MODEL_NAMESPACE),
        read_date_time(text_of(found["timestamp"])) if "timestamp" in found else None,
    )


def _read_device(element: Element) -> Device:
    found = dict(children(element, DATA_MODEL_NAMESPACE))
    return Device(
        element.get("id", ""),
        read_uri(text_of(found["deviceID"])) if "deviceID" in found else "",
        _read_notes(element, DATA_MODEL_NAMESPACE),
        read_date_time(text_of(found["timestamp"])) if "timestamp" in found else None,
    )
