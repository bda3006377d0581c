"""Who asks for something without the right to it: forged, stolen and halved credentials.

The digests are worked out here once more, from RFC 7616 alone. Each test runs beside a chat in
which every message must arrive in order, see `undisturbed`; its two come from a trusted address.
"""

import hashlib
import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from tests.end_to_end.server import COMMAND, HOST, RunningServer, started
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import ROOM, WireClient
from tests.end_to_end.wire_msrp import MsrpWire, render_frame
from tests.end_to_end.wire_sip import SipMessage

STRANGER = "127.0.0.3"
"""Where the requests of these tests come from: not among the trusted."""
ASKING = {"SIP": {"authenticate": "yes", "realm": HOST, "trusted_peers": HOST}}
METHODS = ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER"]
"""What begins something, and so needs to be allowed (ES2021-07, ES2021-08)."""
FIELDS = {
    "INVITE": (),
    "MESSAGE": (),
    "SUBSCRIBE": ("Event: conference", "Expires: 3600"),
    "REFER": (f"Refer-To: <sip:bob@{HOST}>",),
}

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def asking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with started(tmp_path_factory.mktemp("asking") / "server", ASKING) as server:
        subprocess.run(
            [str(COMMAND), "passwd", "--stdin", f"alice@{HOST}"],
            cwd=server.folder,
            input="secret\n",
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        yield server


@pytest.fixture
def server(asking_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(asking_server):
        yield asking_server


def ask(
    server: RunningServer, method: str, *headers: str, user: str = "alice", transport: str = "udp"
) -> SipMessage:
    """Send a request from the address of a stranger and return its final response."""
    with WireClient(server, user, transport=transport, source=STRANGER) as client:
        return client.ask(method, *FIELDS[method], *headers)


def challenge(server: RunningServer) -> str:
    """Return a nonce that is good now."""
    response = ask(server, "MESSAGE")
    assert response.status == 401
    match = re.search(r'nonce="([^"]+)"', response["WWW-Authenticate"])
    assert match is not None
    return match[1]


def credentials(server: RunningServer, method: str, **changes: str | None) -> dict[str, str]:
    """Return the parameters of right credentials, with some changed or (None) left out.

    The response is worked out from what is changed, so that it is the right one for it.
    """
    values: dict[str, str | None] = {
        "username": "alice",
        "realm": HOST,
        "nonce": "" if "nonce" in changes else challenge(server),
        "uri": f"sip:{ROOM}",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "c0",
        "algorithm": "SHA-256",
        **changes,
    }
    present = {name: value for name, value in values.items() if value is not None}

    def hashed(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    secret = hashed(present.get("username", ""), present.get("realm", ""), "secret")
    proof = hashed(method, present.get("uri", ""))
    middle = [present.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")]
    present.setdefault("response", hashed(secret, *middle, proof))
    return present


BARE = {"algorithm", "qop", "nc"}


def rendered(values: dict[str, str], name: str = "Authorization") -> str:
    """Return credentials as a header field."""
    parts = [
        f"{key}={value}" if key in BARE else f'{key}="{value}"' for key, value in values.items()
    ]
    return f"{name}: Digest {', '.join(parts)}"


@both_transports
@every_method
def test_right_credentials_get_in(server: RunningServer, method: str, transport: str) -> None:
    """Without this, a server that refuses everybody would pass all the others."""
    right = rendered(credentials(server, method))
    answer = ask(server, method, right, transport=transport)
    assert answer.status not in (400, 401, 403)


@both_transports
@every_method
def test_nothing_begins_without_credentials(
    server: RunningServer, method: str, transport: str
) -> None:
    answer = ask(server, method, transport=transport)
    assert answer.status == 401
    assert answer["WWW-Authenticate"].startswith("Digest ")


FORGED: dict[str, dict[str, str | None]] = {
    "other realm": {"realm": "other.example"},
    "empty realm": {"realm": ""},
    "no realm": {"realm": None},
    "no nonce": {"nonce": None},
    "no uri": {"uri": None},
    "no username": {"username": None},
    "empty username": {"username": ""},
    "no response": {"response": ""},
    "no cnonce": {"cnonce": None},
    "no count": {"nc": None},
    "count that is no number": {"nc": "0000000g"},
    "no qop": {"qop": None},
    "qop that was not offered": {"qop": "auth-int"},
    "algorithm that was not offered": {"algorithm": "SHA-512-256"},
    "algorithm nobody knows": {"algorithm": "ROT13"},
    "session algorithm": {"algorithm": "MD5-sess"},
    "another algorithm than was used": {"algorithm": "MD5"},
    "nonce of nobody": {"nonce": "0123456789abcdef"},
    "nonce of another server": {"nonce": "1.ffffffffffffffff.0123456789abcdef0123456789abcdef"},
    "another room": {"uri": f"sip:other@{HOST}"},
    "user of another domain": {"username": "alice@other.example"},
    "user who does not exist": {"username": "nobody"},
    "user with a quote": {"username": 'alice\\" or \\"1'},
    "response of zeros": {"response": "0" * 64},
    "response that is too short": {"response": "0"},
    "response in capitals": {"response": "A" * 64},
}


@every_method
@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED.keys())
def test_forged_credentials_are_refused(
    server: RunningServer, method: str, changes: dict[str, str | None]
) -> None:
    header = rendered(credentials(server, method, **changes))
    assert ask(server, method, header).status in (400, 401, 403)


@every_method
def test_who_is_not_the_from_is_refused(server: RunningServer, method: str) -> None:
    right = rendered(credentials(server, method))
    assert ask(server, method, right, user="bob").status == 403


@every_method
def test_replayed_credentials_are_refused(server: RunningServer, method: str) -> None:
    right = rendered(credentials(server, method))
    assert ask(server, method, right).status != 401
    again = ask(server, method, right)
    assert again.status == 401
    assert "stale=true" in again["WWW-Authenticate"].replace('"', "").lower()


@every_method
def test_credentials_for_another_method_are_refused(server: RunningServer, method: str) -> None:
    other = next(name for name in METHODS if name != method)
    assert ask(server, method, rendered(credentials(server, other))).status == 401


@every_method
def test_halved_credentials_hurt_nobody(server: RunningServer, method: str) -> None:
    right = rendered(credentials(server, method))
    for cut in range(len("Authorization: "), len(right) - 1, 9):
        assert ask(server, method, right[:cut]).status in (400, 401), right[:cut]


def test_the_header_of_a_proxy_is_no_authorization(server: RunningServer) -> None:
    header = rendered(credentials(server, "INVITE"), "Proxy-Authorization")
    assert ask(server, "INVITE", header).status == 401


CLAIMS = {
    "asserted": f"P-Asserted-Identity: <sip:alice@{HOST}>",
    "preferred": f"P-Preferred-Identity: <sip:alice@{HOST}>",
    "referred": f"Referred-By: <sip:alice@{HOST}>",
    "identity": "Identity: forged",
    "application": "X-Sylk-App: echo",
    "route": f"Route: <sip:{HOST};lr>",
    "record-route": f"Record-Route: <sip:{HOST};lr>",
    "hop": f"Via: SIP/2.0/UDP {HOST};branch=z9hG4bKtrusted;received={HOST}",
    "join": "Join: x;from-tag=a;to-tag=b",
    "replaces": "Replaces: x;from-tag=a;to-tag=b",
}


@both_transports
@every_method
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS.keys())
def test_no_claim_takes_the_place_of_credentials(
    server: RunningServer, method: str, transport: str, claim: str
) -> None:
    assert ask(server, method, claim, transport=transport).status in (401, 403)


@both_transports
def test_a_hop_on_top_that_claims_a_trusted_source_does_not_help(
    server: RunningServer, transport: str
) -> None:
    """The source is where the bytes come from, whatever Via says (RFC 3261 section 18.2.1)."""
    with WireClient(server, "alice", transport=transport, source=STRANGER) as client:
        own = f"{client.wire.host}:{client.wire.port}"
        request = client.request("INVITE")
        via, end, rest = request.partition(b";branch=")
        forged = via.replace(own.encode(), f"{HOST}:{client.wire.port}".encode())
        client.wire.send(forged + f";received={HOST}".encode() + end + rest)
        assert client.wire.final_response("INVITE").status == 401


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER", "MESSAGE", "INVITE", "BYE", "NOTIFY"])
def test_a_made_up_dialog_does_not_get_by(server: RunningServer, method: str) -> None:
    """A To tag says that the right was given before; nobody here gave it."""
    with WireClient(server, "mallory", source=STRANGER) as mallory:
        request = mallory.request(method, *FIELDS.get(method, ()))
        line = f"To: <sip:{ROOM}>".encode()
        tagged = request.replace(line, line + b";tag=" + secrets.token_hex(8).encode())
        mallory.wire.send(tagged)
        assert mallory.wire.final_response(method).status in (401, 403, 405, 481)


def test_a_stranger_does_not_get_into_the_dialog_of_others_without_its_tags(
    server: RunningServer,
) -> None:
    """Who knows the Call-ID of a call but not the tag that we gave it can do nothing to it."""
    with WireClient(server, "bob") as bob, WireClient(server, "x", source=STRANGER) as stranger:
        bob.join()
        for method in ("BYE", "REFER", "MESSAGE", "INVITE", "SUBSCRIBE"):
            stranger.call_id = bob.call_id
            stranger.wire.send(stranger.request(method, *FIELDS.get(method, ())))
            assert stranger.wire.final_response(method).status in (401, 403, 481, 482)
        cancel = stranger.request("CANCEL")
        stranger.wire.send(cancel)
        assert stranger.wire.final_response("CANCEL").status == 481
        bob.say_nothing()
        bob.leave()


@pytest.mark.parametrize("method", ["NICKNAME", "SEND", "AUTH", "REPORT"])
def test_msrp_without_a_session_gets_by_nothing(server: RunningServer, method: str) -> None:
    """A nickname, a message or a report needs the session that only an INVITE makes."""
    wire = MsrpWire(HOST, server.msrp_tcp)
    path = f"msrp://{HOST}:{server.msrp_tcp}/{secrets.token_hex(8)};tcp"
    headers = ['Use-Nickname: "alice"'] if method == "NICKNAME" else ["Message-ID: 1"]
    wire.send(render_frame(method, path, f"msrp://{STRANGER}:9/x;tcp", headers))
    wire.send(render_frame("SEND", path, f"msrp://{STRANGER}:9/x;tcp", ["Message-ID: 2"]))
    wire.shut_down()
    answers = wire.rest()
    assert b" 481 " in answers
    assert b" 200 " not in answers
    wire.close()
