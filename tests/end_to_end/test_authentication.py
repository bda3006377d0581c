"""Passwords, end to end: SIPp, plain sockets and `sylk-chat` against a server that asks for them.

The digests of the plain sockets are worked out here once more, from RFC 7616 alone.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import ScriptedChat, room_of, scripted
from tests.end_to_end.passwords import passwd, set_password
from tests.end_to_end.server import COMMAND, HOST, RunningServer, StartServer, started
from tests.end_to_end.sipp import run_sipp
from tests.end_to_end.wire_client import ROOM, WireClient
from tests.end_to_end.wire_sip import SipMessage

ALICE = f"alice@{HOST}"
TRUSTED = "127.0.0.2"
ASKING = {"SIP": {"authenticate": "yes", "realm": HOST, "trusted_peers": TRUSTED, "local_ip": HOST}}
METHODS = ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE"]
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture(scope="module")
def asking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server that knows alice."""
    with started(tmp_path_factory.mktemp("asking") / "server", ASKING) as server:
        set_password(server, ALICE, "secret")
        yield server


def challenge_of(response: SipMessage, algorithm: str) -> dict[str, str]:
    """Return the parameters of the challenge of a 401 for one algorithm."""
    assert response.status == 401
    lines = response.all("WWW-Authenticate")
    (line,) = [line for line in lines if re.search(rf"algorithm={algorithm}\b", line)]
    return dict(re.findall(r'(\w+)="?([^",]*)', line))


def digest(
    challenge: dict[str, str],
    method: str,
    user: str = "alice",
    password: str = "secret",
    count: int = 1,
) -> str:
    """Return the header field that answers a challenge."""
    make_hash = HASHES[challenge["algorithm"]]

    def hashed(*parts: str) -> str:
        return make_hash(":".join(parts).encode()).hexdigest()

    uri, nonce, nc = f"sip:{ROOM}", challenge["nonce"], f"{count:08x}"
    first = hashed(user, challenge["realm"], password)
    response = hashed(first, nonce, nc, "c0", "auth", hashed(method, uri))
    return (
        f'Authorization: Digest username="{user}", realm="{challenge["realm"]}", nonce="{nonce}", '
        f'uri="{uri}", response="{response}", algorithm={challenge["algorithm"]}, '
        f'cnonce="c0", qop=auth, nc={nc}'
    )


def ask(server: RunningServer, method: str, *headers: str, user: str = "alice") -> SipMessage:
    """Send a request in a new dialogue and return its final response."""
    # Over UDP a short request gets the last challenge alone.
    with WireClient(server, user) as client:
        return client.ask(method, f"Subject: {'long ' * 100}", *headers)


# SIPp


@both_transports
@pytest.mark.parametrize(
    ("scenario", "user", "password"),
    [
        ("authenticate", "alice", "secret"),
        ("authenticate_401", "alice", "wrong"),
        ("authenticate_403", "bob", "secret"),
    ],
)
def test_sipp_is_asked_for_a_password(
    scenario: str,
    user: str,
    password: str,
    transport: str,
    running_server: StartServer,
    tmp_path: Path,
) -> None:
    # SIPp knows MD5 and looks at the first challenge alone.
    server = running_server({"SIP": {**ASKING["SIP"], "digest_algorithms": "MD5"}})
    set_password(server, ALICE, "secret")
    port = server.sip_udp if transport == "udp" else server.sip_tcp
    login = ("-au", "alice", "-ap", password, "-auth_uri", f"lobby@{HOST}:{port}")
    run_sipp(scenario, server, transport, tmp_path, *login, "-key", "user", user)


# Plain sockets


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("algorithm", HASHES)
def test_what_begins_something_needs_a_digest(
    method: str, algorithm: str, asking_server: RunningServer
) -> None:
    challenge = challenge_of(ask(asking_server, method), algorithm)
    answer = digest(challenge, method)
    # A REFER that names nobody is malformed, which is seen only now.
    refused = (401, 403) if method == "REFER" else (400, 401, 403)
    assert ask(asking_server, method, answer).status not in refused
    # The same once more is a replay; with the next count it is another request.
    replayed = ask(asking_server, method, answer)
    assert challenge_of(replayed, algorithm)["stale"] == "true"
    assert ask(asking_server, method, digest(challenge, method, count=2)).status != 401


@pytest.mark.parametrize("method", METHODS)
def test_who_cannot_prove_who_he_is_is_refused(method: str, asking_server: RunningServer) -> None:
    challenge = challenge_of(ask(asking_server, method), "MD5")
    for user, password in (("alice", "wrong"), ("nobody", "secret")):
        refusal = ask(asking_server, method, digest(challenge, method, user, password))
        assert "stale" not in challenge_of(refusal, "MD5")
    other = next(name for name in METHODS if name != method)
    assert ask(asking_server, method, digest(challenge, other)).status == 401
    assert ask(asking_server, method, digest(challenge, method), user="bob").status == 403


@both_transports
def test_who_has_joined_is_not_asked_again(transport: str, asking_server: RunningServer) -> None:
    challenge = challenge_of(ask(asking_server, "INVITE"), "SHA-256")
    headers = (digest(challenge, "INVITE"),)
    with WireClient(asking_server, "alice", transport=transport, headers=headers) as alice:
        alice.join()
        alice.say("hello")
        alice.leave()


def test_only_a_peer_that_is_named_needs_no_digest(asking_server: RunningServer) -> None:
    with (
        WireClient(asking_server, "proxied", source=TRUSTED) as proxied,
        WireClient(asking_server, "alice") as alice,
    ):
        proxied.join()
        assert alice.invite().status == 401
        asking_server.wait_for_log(rf"\[{alice.call_id}\] refused INVITE .* with 401: no cred")
        proxied.leave()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("", 401),
        ("Basic YTpi", 401),
        ("Digest", 400),
        ("Digest nonsense", 400),
        ('Digest username="alice', 400),
        ('Digest username="alice", username="bob"', 400),
        ('Digest username="alice", realm="127.0.0.1"', 400),
        ("Digest " + ", ".join(f"p{number}=1" for number in range(100)), 400),
        (", ".join(["Digest a=b"] * 100), 400),
        ('Digest username="\xff\0", realm="127.0.0.1", nonce="", uri="", response=""', None),
        (
            f'Digest username="a", realm="{HOST}", nonce="n", uri="x y", response="r", '
            'algorithm=MD5, qop=auth, nc=1, cnonce=""',
            400,
        ),
        (
            f'Digest username="a", realm="{HOST}", nonce="zz.{"9" * 5000}.", uri="sip:{ROOM}", '
            f'response="r", qop=auth, nc=fffffffff, cnonce=""',
            400,
        ),
        (f'Digest username="a", realm="{HOST}", nonce="-.", uri="sip:{ROOM}", response="r"', 401),
    ],
)
def test_credentials_that_cannot_be_read_hurt_nobody(
    value: str, status: int | None, asking_server: RunningServer
) -> None:
    """What a response must be is 400 or 401; the server has no traceback at its end."""
    answer = ask(asking_server, "MESSAGE", f"Authorization: {value}")
    assert answer.status in ((400, 401) if status is None else (status,))


# The terminal client


def chat_as_alice(server: RunningServer, file: Path, password: str) -> ScriptedChat:
    file.write_text(f"{password}\nanother line\n")
    return ScriptedChat(
        room_of(server, "echo"), "--from", f"alice@{HOST}", "--password-file", str(file)
    )


@pytest.mark.parametrize("algorithms", ["SHA-256, MD5", "MD5"])
def test_the_chat_answers_with_the_password_of_a_file(
    algorithms: str, running_server: StartServer, tmp_path: Path
) -> None:
    server = running_server({"SIP": {**ASKING["SIP"], "digest_algorithms": algorithms}})
    set_password(server, ALICE, "geheim äöü")
    chat = chat_as_alice(server, tmp_path / "password", "geheim äöü")
    try:
        chat.say("hello")
        chat.printed.wait_for("echo: hello")
        assert chat.leave() == 0
        assert not chat.errors.text
    finally:
        chat.close()


def test_the_chat_tells_that_its_password_is_wrong(
    asking_server: RunningServer, tmp_path: Path
) -> None:
    chat = chat_as_alice(asking_server, tmp_path / "password", "wrong")
    try:
        assert chat.wait() == 1
        complaint = "the server answered 401 Unauthorized: it does not take this user and password"
        assert chat.errors.text == f"sylk-chat: {complaint}\n"
    finally:
        chat.close()


def test_the_chat_tells_what_a_password_is_given_with(asking_server: RunningServer) -> None:
    with scripted(room_of(asking_server), "--from", f"alice@{HOST}") as chat:
        assert chat.wait() == 1
        complaint = "the server answered 401 Unauthorized: give --from and --password-file"
        assert chat.errors.text == f"sylk-chat: {complaint}\n"


def test_the_password_may_be_in_the_environment(asking_server: RunningServer) -> None:
    command = [str(COMMAND.with_name("sylk-chat")), room_of(asking_server, "echo")]
    done = subprocess.run(
        [*command, "--from", f"alice@{HOST}", "--linger", "1"],
        env={**os.environ, "SYLK_CHAT_PASSWORD": "secret"},
        input="hello\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Changes while the server runs


def test_a_change_of_passwords_is_taken_up(running_server: StartServer) -> None:
    server = running_server(ASKING)

    def enters(password: str) -> bool:
        challenge = challenge_of(ask(server, "MESSAGE"), "SHA-256")
        answer = digest(challenge, "MESSAGE", password=password)
        return ask(server, "MESSAGE", answer).status != 401

    assert not enters("first")
    set_password(server, ALICE, "first")
    assert enters("first")
    set_password(server, ALICE, "second")
    assert not enters("first")
    assert enters("second")
    assert passwd(server, "--list") == f"alice@{HOST}\n"
    passwd(server, "--delete", f"alice@{HOST}")
    assert not enters("second")
    server.wait_for_log("was read again: 0 users")


def test_the_help_mentions_passwords() -> None:
    done = subprocess.run(
        [str(COMMAND), "--help"], capture_output=True, text=True, timeout=20, check=True
    )
    assert "sylk-server passwd" in done.stdout
