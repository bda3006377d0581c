"""Commands to the focus: what is one, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.commands import COMMANDS, DEFAULT_COUNT, MAX_SIZE, Command, read_command

from sylk.errors import RemoteProtocolError


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"command": "lock"}, Command("lock")),
        ({"command": "kick", "user": "sip:bob@a"}, Command("kick", "sip:bob@a")),
        (
            {"command": "ban", "user": "sip:bob@a", "seconds": 60},
            Command("ban", "sip:bob@a", seconds=60),
        ),
        ({"command": "subject", "text": ""}, Command("subject")),
        ({"command": "history"}, Command("history", count=DEFAULT_COUNT)),
        (
            {"command": "history", "count": 5, "earlier": True},
            Command("history", "", "", None, 5, True),
        ),
        ({"command": "unlock", "colour": None}, Command("unlock")),
    ],
)
def test_what_a_command_says(fields: dict[str, object], command: Command) -> None:
    assert read_command(json.dumps(fields).encode()) == command


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"lock"',
        b"\xff",
        b"{}",
        b'{"command": 5}',
        b'{"command": "explode"}',
        b'{"command": "ban"}',
        b'{"command": "subject"}',
        b'{"command": "ban", "user": 5}',
        b'{"command": "ban", "user": "x", "seconds": "60"}',
        b'{"command": "ban", "user": "x", "seconds": true}',
        b'{"command": "ban", "user": "x", "seconds": -1}',
        b'{"command": "ban", "user": "x", "seconds": 1e99}',
        b'{"command": "ban", "user": "x", "seconds": NaN}',
        b'{"command": "history", "count": 1000000}',
        b'{"command": "lock", "text": "' + b"x" * MAX_SIZE + b'"}',
        b"[" * 8000,
    ],
)
def test_what_is_no_command(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_command(content)
    assert caught.value.status == 400


@given(
    st.binary(max_size=50)
    | st.builds(
        json.dumps,
        st.dictionaries(
            st.sampled_from(["command", "user", "text", "seconds", "count"]),
            st.sampled_from(list(COMMANDS)) | st.none() | st.floats() | st.integers() | st.text(),
        ),
    ).map(str.encode)
)
def test_anything_is_a_command_or_refused(content: bytes) -> None:
    status = 0
    try:
        command = read_command(content)
        assert command.name in COMMANDS
    except RemoteProtocolError as error:
        status = error.status
    assert status in (0, 400)
