"""Chunks that lie about where they belong, frames that are cut, look-alikes, floods of parts.

Mallory sends them into a room of her own, where eve hears what becomes of them; beside it goes on a
chat of others, in which every message must arrive in order, see `undisturbed`.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, wrap
from tests.end_to_end.wire_msrp import Frame, MsrpWire, render_frame

DEN = f"den@{HOST}"
MESSAGE_LIMIT = 256 * 1024
HUGE = 1 << 63


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("msrp") / "server"
    with started(folder, {"MSRP": {"max_message_size": MESSAGE_LIMIT}}) as server:
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
    """Return the one who listens; both are in the room when the test begins."""
    with WireClient(server, "eve", room=DEN) as client:
        client.join()
        while "eve" not in mallory.hear_all().text:
            pass
        yield client
        mallory.say("the end")
        assert client.hear_text() == "the end"
        client.leave()
        mallory.leave()


def chunk(
    client: WireClient,
    message_id: str,
    byte_range: str | None,
    body: bytes,
    flag: str = "$",
    transaction_id: str | None = None,
) -> bytes:
    headers = [f"Message-ID: {message_id}"]
    if byte_range is not None:
        headers.append(f"Byte-Range: {byte_range}")
    headers.append("Content-Type: message/cpim")
    return render_frame(
        *("SEND", client.remote_path, client.path, headers, body, transaction_id), flag=flag
    )


def answers(client: WireClient, count: int) -> list[Frame]:
    """Return the next responses, and drop what else comes."""
    assert client.msrp is not None
    found: list[Frame] = []
    while len(found) < count:
        frame = client.msrp.receive()
        if frame.status:
            found.append(frame)
    return found


def statuses(client: WireClient, *frames: bytes) -> list[int]:
    """Send the frames in one segment, and return the statuses of their answers in their order."""
    assert client.msrp is not None
    client.msrp.send(b"".join(frames))
    found = {frame.transaction_id: frame.status for frame in answers(client, len(frames))}
    return [found[frame.split()[1].decode()] for frame in frames]


def body_of(client: WireClient, text: str) -> bytes:
    return wrap(client.address, client.room, text)


# Byte-Range


@pytest.mark.parametrize(
    "byte_range", ["1-*/*", "1-{more}/{more}", "1-{less}/{less}", "1-*/{more}", "1-{huge}/*", None]
)
def test_the_end_line_counts_when_a_short_chunk_claims_another_size(
    mallory: WireClient, eve: WireClient, byte_range: str | None
) -> None:
    # COMPAT: deployed clients count characters there, so that the end-line alone can be trusted.
    body = body_of(mallory, "Grüße 你好 😀")
    characters, octets = len(body.decode()), len(body)
    assert characters < octets
    if byte_range is not None:
        byte_range = byte_range.format(more=octets + 7, less=characters, huge=10**18)
    assert statuses(mallory, chunk(mallory, "short", byte_range, body)) == [200]
    assert eve.hear_text() == "Grüße 你好 😀"


@pytest.mark.parametrize("byte_range", ["9-3/*", "9-3/20", "21-*/10", "0-5/5", "5-0/0"])
def test_a_start_after_the_end_is_refused(
    mallory: WireClient, eve: WireClient, byte_range: str
) -> None:
    part = chunk(mallory, "backwards", byte_range, body_of(mallory, "no"), "+")
    assert statuses(mallory, part) == [400]


def test_chunks_that_overlap_give_one_message_in_which_the_later_ones_count(
    mallory: WireClient, eve: WireClient
) -> None:
    body = body_of(mallory, "0123456789")
    size = len(body)
    wrong = body[:-5] + b"#####"
    assert statuses(
        mallory,
        chunk(mallory, "overlap", f"1-*/{size}", wrong[:-2], "+"),
        chunk(mallory, "overlap", f"{size - 4}-*/{size}", body[-5:]),
    ) == [200, 200]
    assert eve.hear_text() == "0123456789"


def test_a_gap_is_waited_for(mallory: WireClient, eve: WireClient) -> None:
    body = body_of(mallory, "0123456789")
    size = len(body)
    assert statuses(
        mallory,
        chunk(mallory, "gap", f"1-*/{size}", body[:-8], "+"),
        chunk(mallory, "gap", f"{size - 3}-*/{size}", body[-4:]),
    ) == [200, 200]
    mallory.say("meanwhile")
    assert eve.hear_text() == "meanwhile"
    rest = chunk(mallory, "gap", f"{size - 7}-*/{size}", body[-8:-4], "+")
    assert statuses(mallory, rest) == [200]
    assert eve.hear_text() == "0123456789"


@pytest.mark.parametrize(
    ("byte_range", "status"),
    [
        (f"1-{HUGE}/{HUGE}", 413),
        (f"{HUGE}-*/*", 413),
        (f"{HUGE - 1}-*/{HUGE}", 413),
        (f"1-*/{10**18}", 413),
        (f"1-*/{'9' * 30}", 400),
    ],
)
def test_a_total_of_2_to_the_63_is_refused_and_holds_no_memory(
    mallory: WireClient, eve: WireClient, byte_range: str, status: int
) -> None:
    parts = [chunk(mallory, f"huge{n}", byte_range, b"x", "+") for n in range(50)]
    assert statuses(mallory, *parts) == [status] * 50


# End-lines


def test_a_message_whose_end_line_is_split_at_each_byte(
    mallory: WireClient, eve: WireClient
) -> None:
    assert mallory.msrp is not None
    for back in range(30):
        frame = chunk(mallory, f"split{back}", "1-*/*", body_of(mallory, str(back)))
        cut = len(frame) - back
        mallory.msrp.send(frame[:cut])
        # The loop of the server has come round: the first part is read by itself.
        assert mallory.ask("OPTIONS").status == 200
        mallory.msrp.send(frame[cut:])
        assert [frame.status for frame in answers(mallory, 1)] == [200]
        assert eve.hear_text() == str(back)


@pytest.mark.parametrize("flag", ["$", "+", "#"])
def test_look_alikes_of_the_end_line_are_text(
    mallory: WireClient, eve: WireClient, flag: str
) -> None:
    identifier = secrets.token_hex(8)
    others = [
        f"-------{identifier}",
        f"\r\n-------{identifier[:-1]}{flag}\r\n",
        f"\r\n-------{identifier}x{flag}\r\n",
        f"\r\n------{identifier}{flag}\r\n",
        f"\n-------{identifier}{flag}\n",
        f"\r\n-------{identifier}{flag}",
        f"\r\n-------{identifier}!\r\n",
        f"\r\n-------{identifier.upper()}x{flag}\r\n",
        f"\r\n-------other{flag}\r\nMSRP other SEND\r\nTo-Path: {mallory.remote_path}\r\n\r\n",
    ]
    text = "".join(f"{other} and " for other in others) + "the end"
    frame = chunk(mallory, "alike", "1-*/*", body_of(mallory, text), "$", identifier)
    assert statuses(mallory, frame) == [200]
    assert eve.hear_text() == text


def test_several_frames_in_one_segment_are_answered_each(
    mallory: WireClient, eve: WireClient
) -> None:
    texts = [f"number {number}" for number in range(40)]
    frames = [
        chunk(mallory, f"many{number}", None, body_of(mallory, text))
        for number, text in enumerate(texts)
    ]
    assert statuses(mallory, *frames) == [200] * 40
    assert [eve.hear_text() for _ in texts] == texts


# Parts of messages


def test_hash_gives_up_a_message_of_which_nothing_is_heard(
    mallory: WireClient, eve: WireClient
) -> None:
    body = body_of(mallory, "never heard of")
    half = len(body) // 2
    assert statuses(
        mallory,
        chunk(mallory, "given-up", f"1-*/{len(body)}", body[:half], "+"),
        chunk(mallory, "given-up", f"{half + 1}-*/{len(body)}", body[half:], "#"),
        chunk(mallory, "unknown", "1-*/*", body, "#"),
        chunk(mallory, "after", "1-*/*", body_of(mallory, "heard")),
    ) == [200, 200, 200, 200]
    assert eve.hear_text() == "heard"


def test_many_messages_whose_chunks_alternate_come_whole(
    mallory: WireClient, eve: WireClient
) -> None:
    count, size = 20, 5
    bodies = [body_of(mallory, f"{number} " + "abcdefghij" * 3) for number in range(count)]
    frames: list[bytes] = []
    longest = max(map(len, bodies))
    for start in range(0, longest, size):
        for number, body in enumerate(bodies):
            if start < len(body):
                end = start + size >= len(body)
                frames.append(
                    chunk(
                        mallory,
                        f"turn{number}",
                        f"{start + 1}-*/{len(body)}",
                        body[start : start + size],
                        "$" if end else "+",
                    )
                )
    assert set(statuses(mallory, *frames)) == {200}
    heard = {eve.hear_text() for _ in bodies}
    assert heard == {f"{number} " + "abcdefghij" * 3 for number in range(count)}


def test_thousands_of_message_ids_left_open_are_told_and_forgotten(
    mallory: WireClient, eve: WireClient
) -> None:
    assert mallory.msrp is not None
    count, reported, part = 3000, 0, b"x" * 1000
    for number in range(count):
        mallory.msrp.send(chunk(mallory, f"open{number}", "1-*/*", part, "+"))
        while not (frame := mallory.msrp.receive()).status:
            assert frame.what == "REPORT"
            assert frame.headers["Message-ID"].startswith("open")
            reported += 1
        assert frame.status == 200
    # All but the few that may be open at one time.
    assert count - 100 < reported < count


def test_each_truncation_ends_with_its_connection(
    server: RunningServer, mallory: WireClient, eve: WireClient
) -> None:
    frame = chunk(mallory, "cut", "1-*/*", body_of(mallory, "cut"))
    for cut in range(len(frame) - 1):
        wire = MsrpWire(HOST, server.msrp_tcp)
        wire.send(frame[:cut])
        wire.shut_down()
        assert wire.rest() == b""
        wire.close()
