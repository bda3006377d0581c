"""Large messages that lie about their size or are never finished, and files of hostile names.

What a room passes on as it comes is large; files by RFC 5547 are refused, whatever they are called.
A chat of others goes on beside it, in which every message must arrive in order, see `undisturbed`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.test_hostile_bodies import invite
from tests.end_to_end.test_hostile_msrp import body_of, chunk, statuses
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, chat_offer
from tests.end_to_end.wire_msrp import Frame

DEN = f"den@{HOST}"
LARGEST = 2 * 1024 * 1024
PIECE = 2000
LARGE = 500_000
"""Bytes that a message may say it has, so that it is passed on as it comes."""
AT_ONCE = 1000
MAX_GROWTH = 24 * 1024 * 1024
FILES = {"sylk", "history", "control", "layout", "lock"}


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("files") / "server"
    with started(folder, {"MSRP": {"max_stream_size": LARGEST}}) as server:
        yield server


@pytest.fixture
def server(module_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(module_server):
        yield module_server


@pytest.fixture
def mallory(server: RunningServer) -> Iterator[WireClient]:
    with WireClient(server, "mallory", room=DEN) as client:
        yield client.join()


@pytest.fixture
def eve(server: RunningServer, mallory: WireClient) -> Iterator[WireClient]:
    with WireClient(server, "eve", room=DEN) as client:
        client.join()
        while "eve" not in mallory.hear_all().text:
            pass
        yield client


def until(client: WireClient, what: str) -> list[Frame]:
    """Return the frames that come until a message says `what`, which is one of them."""
    assert client.msrp is not None
    frames: list[Frame] = []
    while not frames or what.encode() not in frames[-1].body:
        frames.append(client.msrp.receive())
    return frames


def head_of(client: WireClient, size: int = PIECE) -> bytes:
    """Return the beginning of a message, with the header that says who speaks."""
    return body_of(client, "x" * size)


def test_more_octets_than_were_announced_reach_nobody(mallory: WireClient, eve: WireClient) -> None:
    """What lies behind the announced end is no part of the message, however it is numbered."""
    head = head_of(mallory)
    rest = b"y" * (LARGE - len(head))
    first = chunk(mallory, "more", f"1-{len(head)}/{LARGE}", head, "+")
    last = chunk(mallory, "more", f"{len(head) + 1}-{LARGE}/{LARGE}", rest, "$")
    beyond = chunk(mallory, "more", f"{LARGE + 1}-{LARGE + 6}/{LARGE}", b"BEYOND", "$")
    assert statuses(mallory, first)[0] == 200
    assert set(statuses(mallory, beyond, last)) <= {200, 400, 413}
    mallory.say("after it")
    frames = until(eve, "after it")
    received = sum(len(frame.body) for frame in frames if frame.what == "SEND")
    assert received < LARGE + PIECE
    # Nothing is left open: the message ends, or is given up.
    assert {frame.flag for frame in frames[:-1] if frame.body.startswith(b"y")} <= {"+", "$", "#"}
    assert not any(b"BEYOND" in frame.body for frame in frames)


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (f"1-{PIECE}/{LARGEST + 1}", {413}),
        (f"1-{PIECE}/{1 << 62}", {413}),
        # Without its beginning nobody is told of it.
        (f"{LARGEST + 1}-*/*", {200, 413}),
        (f"0-{PIECE}/{LARGE}", {400}),
        (f"1-{PIECE}/0", {200, 400}),
        (f"1-{PIECE}/-1", {400}),
    ],
)
def test_a_size_that_cannot_be_is_refused_at_the_first_piece(
    mallory: WireClient, eve: WireClient, byte_range: str, expected: set[int]
) -> None:
    assert set(statuses(mallory, chunk(mallory, "odd", byte_range, head_of(mallory), "+"))) <= (
        expected
    )
    mallory.say("after it")
    assert all(frame.flag in "$#" for frame in until(eve, "after it") if not frame.status)


def test_a_message_that_grows_beyond_the_largest_is_given_up(
    mallory: WireClient, eve: WireClient
) -> None:
    head = head_of(mallory)
    assert statuses(mallory, chunk(mallory, "grows", "1-*/*", head, "+")) == [200]
    at, size = len(head), 100_000
    while statuses(mallory, chunk(mallory, "grows", f"{at + 1}-*/*", b"y" * size, "+")) == [200]:
        at += size
        assert at < LARGEST
    mallory.say("after it")
    frames = [frame for frame in until(eve, "after it") if frame.what == "SEND"]
    # Whoever was hearing it hears that there is no more of it.
    assert [frame.flag for frame in frames[:-1] if frame.body][-1] in "+#"
    assert frames[-2].flag == "#"


def test_a_thousand_at_once_are_few(
    server: RunningServer, mallory: WireClient, eve: WireClient
) -> None:
    before = server.rss
    head = head_of(mallory, 200)
    refused = 0
    for number in range(AT_ONCE):
        begun = chunk(mallory, f"file{number}", f"1-{len(head)}/{LARGE}", head, "+")
        refused += statuses(mallory, begun) == [413]
    assert AT_ONCE - 50 < refused < AT_ONCE
    assert server.rss - before < MAX_GROWTH
    mallory.say("after them")
    begun = {frame.headers["Message-ID"] for frame in until(eve, "after them") if frame.flag == "+"}
    # She goes without a word: each is ended for those who hear it.
    mallory.close()
    assert eve.msrp is not None
    ended: set[str] = set()
    while ended < begun:
        frame = eve.msrp.receive()
        if frame.flag == "#":
            ended.add(frame.headers["Message-ID"])
    assert ended == begun


NAMES = {
    "up": "../../../../tmp/owned",
    "root": "/etc/passwd",
    "NUL": "a\0b",
    "300 bytes": "x" * 300,
    "8,000 bytes": "x" * 8000,
    "quotes": 'a" size:1 hash:sha-1:00',
    "newline": "a%0d%0am=message 1 TCP/MSRP *",
    "turned round": "\u202egnp.exe",
    "empty": "",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("size", ["1", "0", str(1 << 63), "-1", "x"])
def test_a_file_is_refused_whatever_it_is_called(
    server: RunningServer, name: str, size: str
) -> None:
    with WireClient(server, "mallory", transport="tcp") as mallory:
        attribute = f'a=file-selector:name:"{name}" type:image/png size:{size} hash:sha-1:00\r\n'
        offer = chat_offer(mallory.path) + 2 * attribute.encode()
        assert invite(mallory, offer).status in (400, 488)
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    assert {path.name.partition(".")[0] for path in files} <= FILES
    assert is_well(server)
