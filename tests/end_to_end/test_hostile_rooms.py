"""Messages, names and room addresses that ended rooms elsewhere, and spoilt logs and documents.

All tests run in a room in which two others chat: every message of theirs must arrive in order, see
`undisturbed`, and at the end the log must have nothing but lines of the server.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest

from sylk.payload.conference_info import ConferenceInfo
from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import ROOM, Heard, WireClient
from tests.end_to_end.wire_msrp import render_frame
from tests.payload.documents import assert_valid

MALLORY = f"sip:mallory@{HOST}"
LOBBY = f"sip:{ROOM}"
TEXT = "Content-Type: text/plain; charset=utf-8"
DATE = "DateTime: 2026-11-21T07:35:47Z"
MAX_NAME = 128
"""Characters of a display name that others see (sylk.session.identity)."""

MAX_MEANWHILE = 2000
"""Messages of others until what is waited for must have come."""

ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z]+ ")


class Troublemaker(WireClient):
    """One who says what he likes, under any name."""

    def __init__(
        self, server: RunningServer, *, name: str = "", room: str = ROOM, user: str = "mallory"
    ) -> None:
        super().__init__(server, user, room=room, transport="tcp")
        if name:
            self._from = f"From: {name} <sip:{self.address}>;tag={secrets.token_hex(4)}"

    def verdict(self, body: bytes, text: str) -> tuple[int, int | None]:
        """Send a message/cpim, and say something behind it.

        Returns the answer to the first, and the status of the REPORT on it.
        """
        status = self.send(body)
        self.say(text)
        reports = [frame for frame in self._frames if frame.what == "REPORT"]
        self._frames = [frame for frame in self._frames if frame.what != "REPORT"]
        return status, int(reports[0].headers["Status"].split()[1]) if reports else None

    def ask_for_name(self, nickname: str) -> int:
        """Send a NICKNAME and return the status of its answer."""
        assert self.msrp is not None
        fields = [f"Use-Nickname: {nickname}"]
        frame = render_frame("NICKNAME", self.remote_path, self.path, fields)
        self.msrp.send(frame)
        identifier = frame.split()[1].decode()
        while (answer := self._receive()).transaction_id != identifier:
            self._frames.append(answer)
        return answer.status


def who_is_in(server: RunningServer, room: str = ROOM) -> ConferenceInfo:
    """Ask once who is in a room; the document must be valid."""
    with WireClient(server, "watcher", room=room, transport="tcp") as watcher:
        watcher.wire.send(watcher.request("SUBSCRIBE", "Event: conference", "Expires: 0"))
        assert watcher.wire.final_response("SUBSCRIBE").status == 200
        notify = watcher.wire.request("NOTIFY")
        watcher.wire.send(notify.answer("200 OK"))
    assert_valid(notify.body, "conference-info.xsd")
    return ConferenceInfo.parse(notify.body)


def heard_first(client: WireClient, what: str) -> Heard:
    """Return the first message with this in its text, among what others say."""
    for _ in range(MAX_MEANWHILE):
        if what in (heard := client.hear_all()).text:
            return heard
    pytest.fail(f"{what!r} did not come")


def texts_of_mallory(witness: WireClient, last: str) -> list[str]:
    """Return what was heard of her before `last`."""
    texts: list[str] = []
    for _ in range(MAX_MEANWHILE):
        if MALLORY in (heard := witness.hear_all()).sender:
            if heard.text == last:
                return texts
            texts.append(heard.text)
    pytest.fail(f"{last!r} did not come")


def is_harmless(text: str) -> bool:
    """Tell whether a text neither breaks a line, nor drives a terminal, nor turns what follows."""
    turns = ("LRE", "RLE", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI", "PDF")
    return all(
        unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp")
        and unicodedata.bidirectional(each) not in turns
        for each in text
    )


def check_log(server: RunningServer, since: int) -> None:
    """See that every line is one of the server's, and shows what it says."""
    for line in server.log_lines[since:]:
        assert ENTRY.match(line), line
        assert is_harmless(line), line


@pytest.fixture(scope="module")
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    since = len(shared_server.log_lines)
    with undisturbed_chat(shared_server):
        yield shared_server
    check_log(shared_server, since)


# Messages


def cpim(*headers: str, mime: Sequence[str] = (TEXT,), content: bytes = b"odd") -> bytes:
    """Return a message/cpim body; what is not ASCII is written as latin-1."""
    lines = [*headers, "", *mime, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


FROM, TO = f"From: <{MALLORY}>", f"To: <{LOBBY}>"
REFUSED, UNREADABLE = (200, 400), (200, 415)
TAKEN, FORBIDDEN, ABSENT = (200, None), (403, None), (404, None)
CASES: dict[str, tuple[bytes, tuple[int, int | None]]] = {
    "no To": (cpim(FROM, DATE), TAKEN),
    "no From": (cpim(TO, DATE), TAKEN),
    "no date": (cpim(FROM, TO), TAKEN),
    "empty content": (cpim(FROM, TO, DATE, content=b""), TAKEN),
    "empty To": (cpim(FROM, "To: ", DATE), REFUSED),
    "To without user": (cpim(FROM, f"To: <sip:{HOST}>", DATE), ABSENT),
    "To without host": (cpim(FROM, "To: <sip:lobby@>", DATE), ABSENT),
    "To of no scheme": (cpim(FROM, "To: <lobby>", DATE), ABSENT),
    "two To": (cpim(FROM, TO, f"To: <sip:bob@{HOST}>", DATE), FORBIDDEN),
    "a thousand To": (cpim(FROM, *[TO] * 1000, DATE), REFUSED),
    "two From": (cpim(FROM, FROM, TO, DATE), REFUSED),
    "two From, one forged": (cpim(FROM, f"From: <sip:bob@{HOST}>", TO, DATE), REFUSED),
    "two From, one in small letters": (cpim(FROM, f"from: <sip:bob@{HOST}>", TO), REFUSED),
    "forged From": (cpim(f"From: <sip:bob@{HOST}>", TO, DATE), FORBIDDEN),
    "forged From as a name": (cpim(f"From: {MALLORY} <sip:bob@{HOST}>", TO), FORBIDDEN),
    "From of the room": (cpim(f"From: <{LOBBY}>", TO, DATE), FORBIDDEN),
    "From behind a bare CR": (cpim(FROM, f"Subject: a\rFrom: <sip:bob@{HOST}>", TO), REFUSED),
    "From among the MIME headers": (cpim(FROM, TO, mime=[f"From: <sip:bob@{HOST}>"]), TAKEN),
    "unknown charset": (cpim(FROM, TO, mime=["Content-Type: text/plain; charset=x"]), UNREADABLE),
    "another charset": (
        cpim(FROM, TO, mime=["Content-Type: text/plain; charset=utf-16"], content=b"o\0"),
        UNREADABLE,
    ),
    "broken UTF-8": (cpim(FROM, TO, DATE, content=b"\xc3\x28"), UNREADABLE),
    "broken UTF-8 in a header": (cpim(FROM, TO, "Subject: \xff"), UNREADABLE),
    "surrogates": (cpim(FROM, TO, content=b"\xed\xa0\x80"), UNREADABLE),
    "no type": (cpim(FROM, TO, mime=["Content-Type: ;;;"]), REFUSED),
    "nothing": (b"", REFUSED),
    "blank lines": (b"\r\n\r\n\r\n", REFUSED),
    "no blank line": (f"{FROM}\r\n{TO}".encode(), REFUSED),
    "NUL": (cpim(FROM, TO, "Subject: a\0b"), REFUSED),
    "long header": (cpim(FROM, TO, f"Subject: {'x' * 100_000}"), REFUSED),
    "a thousand headers": (cpim(FROM, TO, *["X: y"] * 1000), REFUSED),
    "private to absent": (cpim(FROM, f"To: <sip:nobody@{HOST}>", DATE), ABSENT),
    "private to nobody's nickname": (cpim(FROM, f"To: <{LOBBY};nickname=>"), ABSENT),
}


@pytest.mark.parametrize(("body", "verdict"), CASES.values(), ids=CASES.keys())
def test_an_odd_message_is_taken_or_refused_aloud(
    server: RunningServer, body: bytes, verdict: tuple[int, int | None]
) -> None:
    with (
        Troublemaker(server) as mallory,
        WireClient(server, "witness", transport="tcp") as witness,
    ):
        witness.join()
        mallory.join()
        assert mallory.verdict(body, "after it") == verdict
        heard = texts_of_mallory(witness, "after it")
        if verdict != TAKEN:
            assert heard == []
        elif body.endswith(b"odd"):
            assert heard == ["odd"]
        mallory.leave()
        witness.leave()


# Names

HOSTILE_NAMES = {
    "CR and LF, escaped": '"bob\\\r\\\n2026-11-21 00:00:00.000 INFO forged"',
    "folded": '"bob\r\n 2026-11-21 00:00:00.000 INFO forged"',
    "escape sequences": '"\x1b[2J\x1b]0;owned\x07"',
    "C1 controls": '"bob\x9b2J"',
    "turned round": '"\u202ebob\u2066 <sip:eve@example.com>"',
    "line separators": '"bob\u2028bob\u2029bob\x85"',
    "markup": "\"</display-text><user entity='sip:eve@example.com'/>&amp;&lt;]]>\"",
    "an address": f'"carol <sip:carol@{HOST}>"',
    "quotes": '"\\"\\\\\\" <sip:eve@example.com>"',
    "much of it": f'"{"n" * 7000}"',
    "marks": f'"{"a" + chr(0x301) * 400}"',
    "percent signs": '"%s%d%n%(message)s{0}"',
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
def test_a_hostile_display_name_forges_nothing(server: RunningServer, name: str) -> None:
    with (
        Troublemaker(server, name=name) as mallory,
        WireClient(server, "witness", transport="tcp") as witness,
    ):
        witness.join()
        final = mallory.invite()
        if final.status != 200:
            assert final.status == 400
        else:
            mallory.connect()
            notice = heard_first(witness, "mallory@")
            assert f"<{LOBBY}>" in notice.sender
            assert is_harmless(notice.text)
            assert len(notice.text) < MAX_NAME + 100
            assert notice.text.endswith(f" <mallory@{HOST}> has joined the room")
            mallory.say("it is me")
            heard = heard_first(witness, "it is me")
            assert heard.sender.endswith(f"<{MALLORY}>")
            assert is_harmless(heard.sender)
            listed = {user.entity: user for user in who_is_in(server).users}
            # Who is listed, and by what address, is not hers to say.
            assert "sip:eve@example.com" not in listed
            assert is_harmless(listed[MALLORY].display_text or "")
            mallory.leave()
        witness.leave()


HOSTILE_NICKNAMES = {
    "turned round": "\u202ebob",
    "escape sequences": "\x1b[2J",
    "NUL": "a\0b",
    "C1 controls": "bob\x9b2J",
    "line separators": "bob\u2028bob",
    "10,000 characters": "n" * 10_000,
    "1,000 characters": "n" * 1000,
    "nothing to see": "\u200b\u2060",
    "marks": "a" + "\u0301" * 60,
    "a stray quote": '"bob',
    "the room": "lobby",
    "like the room": "l\u043ebby",
    "alice": "alice",
    "like alice": "\u0430lic\u0435",
}


@pytest.mark.parametrize("nickname", HOSTILE_NICKNAMES.values(), ids=HOSTILE_NICKNAMES.keys())
def test_a_hostile_nickname_is_nobodys(server: RunningServer, nickname: str) -> None:
    with Troublemaker(server) as mallory:
        mallory.join()
        assert mallory.ask_for_name(nickname) in (424, 425)
        assert mallory.ask_for_name("Mallory the first") == 200
        (listed,) = [user for user in who_is_in(server).users if user.entity == MALLORY]
        assert listed.nickname == "Mallory the first"
        mallory.leave()


@pytest.mark.parametrize(
    "subject", ["bob\u202e", "s" * 10_000, "</subject><users/>", "a\\r\\nFrom: <sip:bob@x>"]
)
def test_a_hostile_subject_stays_in_its_message(server: RunningServer, subject: str) -> None:
    with (
        Troublemaker(server) as mallory,
        WireClient(server, "witness", transport="tcp") as witness,
    ):
        witness.join()
        mallory.join()
        body = "\r\n".join([FROM, TO, DATE, f"Subject: {subject}", "", TEXT, "", "odd"])
        assert mallory.verdict(body.encode(), "after it") == TAKEN
        assert texts_of_mallory(witness, "after it") == ["odd"]
        description = who_is_in(server).description
        assert description is not None
        assert not description.subject
        mallory.leave()
        witness.leave()


# Names of rooms

HOSTILE_ROOMS = {
    "up": "..",
    "way up": "../../../../etc/passwd",
    "way up, escaped": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "slash": "a/b",
    "root": "/etc/passwd",
    "NUL": "a%00b",
    "newline": "a%0d%0ab",
    "escape sequence": "%1b%5b2J",
    "300 bytes": "x" * 300,
    "300 escaped bytes": "%c3%a9" * 150,
    "emoji": "%F0%9F%8E%89",
    "bare emoji": "\U0001f389",
    "not UTF-8": "%ff%fe",
    "turned round": quote("\u202elobby"),
    "percent": "%25s%25n",
    "semicolon": "a;b=c",
    "question": "a?b",
    "quotes": "%22%27%3b--",
    "minus": "-rf",
    "device": "con",
}


@pytest.mark.parametrize("name", HOSTILE_ROOMS.values(), ids=HOSTILE_ROOMS.keys())
def test_a_room_of_a_hostile_name_is_a_room_and_no_file(server: RunningServer, name: str) -> None:
    room = f"{name}@{HOST}"
    with (
        Troublemaker(server, room=room) as mallory,
        Troublemaker(server, room=room, user="carol") as carol,
        Troublemaker(server, room=room, user="dave") as dave,
    ):
        final = mallory.invite()
        if final.status != 200:
            assert 400 <= final.status < 500
        else:
            mallory.connect()
            carol.join()
            assert carol.send(cpim(f"From: <sip:{carol.address}>", content=b"in here")) == 200
            assert heard_first(mallory, "in here").sender == f"<sip:{carol.address}>"
            carol.leave()
            mallory.leave()
            # It was kept under this name.
            dave.join()
            assert heard_first(dave, "in here").sender == f"<sip:{carol.address}>"
            document = who_is_in(server, room)
            assert [user.entity for user in document.users] == [f"sip:{dave.address}"]
            dave.leave()
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    names = {path.name.partition(".")[0] for path in files}
    assert names <= {"sylk", "history", "control", "layout", "lock"}
    assert is_well(server)
