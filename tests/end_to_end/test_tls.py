"""TLS as an operator and a user meet it: the real commands, and OpenSSL at the other end."""

import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import Printed, ScriptedChat, scripted
from tests.end_to_end.programs import program
from tests.end_to_end.server import (
    COMMAND,
    HOST,
    START_TIMEOUT,
    RunningServer,
    StartServer,
    started,
    write_settings,
)
from tests.end_to_end.sipp import SCENARIOS
from tests.end_to_end.tls_setup import Sections, make_certificate, tls_port, with_tls
from tests.end_to_end.wire_sip import TIMEOUT, render_request

_FINGERPRINT = re.compile(r"SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$")
_HELLO = bytes.fromhex("16030100")
"""How a TLS client begins."""


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls") / "spool"


@pytest.fixture(scope="module")
def server(spool: Path) -> Iterator[RunningServer]:
    """Run one server with a certificate of its own making for all tests of this module."""
    with started(spool.parent / "server", with_tls(spool)) as running:
        yield running


def room_over(server: RunningServer, transport: str, name: str = "lobby") -> str:
    port = {
        "udp": server.sip_udp,
        "tcp": server.sip_tcp,
        "tls": tls_port(server, "SIP"),
    }[transport]
    return f"sip:{name}@{HOST}:{port}"


def logged_fingerprint(line: str) -> str:
    match = _FINGERPRINT.search(line)
    assert match, line
    return match[1]


def fingerprint_of(certificate: Path) -> str:
    """Return what OpenSSL says is the fingerprint of a certificate's file."""
    command = ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]
    program("openssl", "openssl")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("=")[2]


def shown_fingerprint(port: int) -> str:
    """Return the fingerprint of the certificate that a port shows to a new connection."""
    pem = ssl.get_server_certificate((HOST, port), timeout=TIMEOUT)
    return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()


def entries_about(server: RunningServer, port: int) -> list[str]:
    return [line for line in server.entries if f"{HOST}:{port}" in line]


# Chats


def test_people_hear_each_other_however_they_came(server: RunningServer) -> None:
    """SIP over UDP, TCP and TLS, MSRP in clear and over TLS: all six in one room."""
    ways = list(product(("udp", "tcp", "tls"), (False, True)))
    with ExitStack() as stack:
        people: dict[str, ScriptedChat] = {}
        for transport, secure in ways:
            name = f"{transport}-{'tls' if secure else 'clear'}"
            arguments = ["--transport", transport, "--name", name, *(["--tls"] if secure else [])]
            room = room_over(server, transport, "mixed")
            people[name] = stack.enter_context(scripted(room, *arguments))
        for person in people.values():
            person.printed.wait_for("Welcome")
        for name, person in people.items():
            person.say(f"I am {name}")
        for name, person in people.items():
            for other in people.keys() - {name}:
                person.printed.wait_for(rf"\d\d:\d\d {other}: I am {other}\n")
        for person in people.values():
            assert person.leave() == 0
            assert not person.errors.text
    assert len(people) == 6


def test_a_sips_address_is_called_over_tls(server: RunningServer) -> None:
    target = f"sips:echo@{HOST}:{tls_port(server, 'SIP')}"
    with scripted(target, "--tls", "--verbose") as chat:
        chat.say("hello")
        chat.printed.wait_for("echo: hello\n")
        assert chat.leave() == 0
        assert re.search(r"^Contact: <sips:", chat.errors.text.replace("    | ", ""), re.M)
        assert "m=message" in chat.errors.text
        assert "TCP/TLS/MSRP *" in chat.errors.text


# The certificate


def test_the_log_names_the_certificate_that_is_shown(server: RunningServer, spool: Path) -> None:
    line = server.wait_for_log("certificate for ")
    expected = fingerprint_of(spool / "tls" / "self-signed.crt")
    assert logged_fingerprint(line) == expected
    assert HOST in line
    assert socket.gethostname().lower() in line
    for protocol in ("SIP", "MSRP"):
        assert shown_fingerprint(tls_port(server, protocol)) == expected.replace(":", "")


def test_the_key_is_nobody_elses_to_read(server: RunningServer, spool: Path) -> None:
    folder = spool / "tls"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"tls": 0o700, "self-signed.key": 0o600, "self-signed.crt": 0o644}


def test_a_second_start_has_the_same_certificate(tmp_path: Path) -> None:
    found: list[str] = []
    for name in ("first", "second"):
        with started(tmp_path / name, with_tls(tmp_path / "spool")) as server:
            found.append(logged_fingerprint(server.wait_for_log("certificate for ")))
    assert found[0] == found[1]


def test_the_authority_that_signed_is_believed(server: RunningServer, spool: Path) -> None:
    authority = spool / "tls" / "self-signed.crt"
    arguments = ("--transport", "tls", "--tls", "--ca-file", str(authority))
    with scripted(room_over(server, "tls", "echo"), *arguments) as chat:
        chat.say("hello")
        chat.printed.wait_for("echo: hello\n")
        assert chat.leave() == 0


def test_another_authority_is_not(server: RunningServer, tmp_path: Path) -> None:
    authority, _ = make_certificate(tmp_path, "another")
    arguments = ("--transport", "tls", "--ca-file", str(authority))
    with scripted(room_over(server, "tls", "echo"), *arguments) as chat:
        assert chat.wait() == 1
        assert chat.errors.text == (
            "sylk-chat: the peer's certificate is self-signed and not among the trusted ones\n"
        )


def test_a_file_of_authorities_that_is_not_there(server: RunningServer, tmp_path: Path) -> None:
    arguments = ("--transport", "tls", "--ca-file", str(tmp_path / "none.pem"))
    with scripted(room_over(server, "tls", "echo"), *arguments) as chat:
        assert chat.wait() == 1
        (line,) = chat.errors.text.splitlines()
        assert line.startswith("sylk-chat: ")
        assert "there is no such file of authorities" in line
        assert "none.pem" in line


def test_a_new_certificate_is_for_new_connections(
    running_server: StartServer, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path, "first")
    next_certificate, next_key = make_certificate(tmp_path, "second")
    old, new = fingerprint_of(certificate), fingerprint_of(next_certificate)
    server = running_server(with_tls(tmp_path / "spool", certificate=certificate, private_key=key))
    assert not (tmp_path / "spool" / "tls").exists()
    port = tls_port(server, "SIP")
    with scripted(room_over(server, "tls", "echo"), "--transport", "tls", "--tls") as chat:
        chat.say("before")
        chat.printed.wait_for("echo: before\n")
        assert shown_fingerprint(port) == old.replace(":", "")
        next_certificate.replace(certificate)
        next_key.replace(key)
        server.process.send_signal(signal.SIGHUP)
        assert logged_fingerprint(server.wait_for_log("certificate loaded again")) == new
        for protocol in ("SIP", "MSRP"):
            assert shown_fingerprint(tls_port(server, protocol)) == new.replace(":", "")
        chat.say("after")
        chat.printed.wait_for("echo: after\n")
        certificate.write_text("no certificate any more", encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        line = server.wait_for_log("the certificate stays as it was")
        assert "ERROR" in line
        assert str(certificate) in line
        assert shown_fingerprint(port) == new.replace(":", "")
        chat.say("still")
        chat.printed.wait_for("echo: still\n")
        assert chat.leave() == 0
    # A call that begins now has the new certificate in its SDP, and it fits.
    with scripted(room_over(server, "tls", "echo"), "--transport", "tls", "--tls") as chat:
        chat.say("hello")
        chat.printed.wait_for("echo: hello\n")
        assert chat.leave() == 0


def test_without_tls_a_hangup_loads_no_certificate(running_server: StartServer) -> None:
    server = running_server()
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("settings read again; taken up: nothing")
    server.stop()
    assert "certificate" not in server.log


# Wrong settings


def complaint(folder: Path, settings: Sections) -> str:
    """Return the one line that the server ends with."""
    folder.mkdir()
    write_settings(folder, settings)
    done = subprocess.run(
        [str(COMMAND)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sylk-server: ")
    return line


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("none.crt", "good.key", "there is no such certificate file"),
        ("good.key", "good.key", "holds no certificate in PEM form"),
        ("good.crt", "other.key", "does not belong to the certificate"),
    ],
)
def test_a_certificate_that_cannot_be_used(
    tmp_path: Path, certificate: str, key: str, words: str
) -> None:
    make_certificate(tmp_path, "good")
    make_certificate(tmp_path, "other")
    paths = {"certificate": tmp_path / certificate, "private_key": tmp_path / key}
    line = complaint(tmp_path / "server", with_tls(tmp_path / "spool", **paths))
    assert words in line


def test_a_certificate_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "tls").touch()
    line = complaint(tmp_path / "server", with_tls(tmp_path / "spool"))
    assert "a certificate cannot be written here" in line
    assert str(tmp_path / "spool" / "tls") in line


# Other programs


def options_request(transport: str, port: int) -> bytes:
    return render_request(
        f"OPTIONS sip:lobby@{HOST} SIP/2.0",
        [
            f"Via: SIP/2.0/{transport} {HOST}:{port};branch=z9hG4bKabc;rport",
            "Max-Forwards: 70",
            f"From: <sip:alice@{HOST}>;tag=1",
            f"To: <sip:lobby@{HOST}>",
            "Call-ID: options",
            "CSeq: 1 OPTIONS",
        ],
    )


@contextmanager
def openssl_client(
    port: int, *arguments: str
) -> Generator[tuple[subprocess.Popen[bytes], Printed]]:
    openssl = str(program("openssl", "openssl"))
    process = subprocess.Popen(
        [openssl, "s_client", "-connect", f"{HOST}:{port}", "-quiet", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    printed = Printed(process.stdout.fileno())
    try:
        yield process, printed
    finally:
        process.kill()
        process.wait()
        printed.finish()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_asks_what_the_server_can_do(server: RunningServer, version: str) -> None:
    with openssl_client(tls_port(server, "SIP"), version) as (process, printed):
        assert process.stdin is not None
        process.stdin.write(options_request("TLS", 5061))
        process.stdin.flush()
        printed.wait_for(r"SIP/2\.0 200 OK\r?\n(?:.+\n)*Allow: ")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_ports_without_tls_still_answer(server: RunningServer, transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    port = server.sip_udp if transport == "udp" else server.sip_tcp
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((HOST, port))
        sock.sendall(options_request(transport.upper(), sock.getsockname()[1]))
        assert sock.recv(65536).startswith(b"SIP/2.0 200 OK\r\n")


@pytest.mark.parametrize("scenario", ["options", "invite_bye"])
def test_sipp_over_tls(server: RunningServer, tmp_path: Path, scenario: str) -> None:
    sipp = program("sipp", "sip-tester")
    version = subprocess.run([sipp, "-v"], capture_output=True, text=True, check=False).stdout
    if "TLS" not in version:
        pytest.skip(f"this SIPp was built without TLS: {version.strip().splitlines()[0]}")
    certificate, key = make_certificate(tmp_path, "sipp")
    done = subprocess.run(
        [
            str(sipp),
            f"{HOST}:{tls_port(server, 'SIP')}",
            *("-sf", str(SCENARIOS / f"{scenario}.xml")),
            *("-t", "l1", "-tls_cert", str(certificate), "-tls_key", str(key)),
            *("-i", HOST, "-s", "lobby", "-m", "1", "-timeout", "15", "-timeout_error"),
            "-nostdin",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + server.log[-3000:]


# The wrong port


def bytes_until_closed(sock: socket.socket) -> bytes:
    """Return what comes until the connection is closed; a test that waits in vain fails."""
    sock.settimeout(TIMEOUT)
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    ("protocol", "data", "words"),
    [
        ("SIP", options_request("TCP", 5060), "the peer does not speak TLS, it began with"),
        ("SIP", b"GET / HTTP/1.1\r\n\r\n", "the peer does not speak TLS, it began with"),
        ("SIP", b"\x16\x03\x01\x00\x05hello", "TLS failed: |the peer "),
        ("MSRP", b"MSRP abcd SEND\r\n", "the peer does not speak TLS, it began with"),
    ],
)
def test_what_is_no_tls_on_a_port_for_tls(
    server: RunningServer, protocol: str, data: bytes, words: str
) -> None:
    with socket.create_connection((HOST, tls_port(server, protocol)), TIMEOUT) as sock:
        port: int = sock.getsockname()[1]
        sock.sendall(data)
        assert not bytes_until_closed(sock).startswith((b"SIP", b"MSRP"))
    line = server.wait_for_log(f"no TLS with {HOST}:{port}: ")
    assert re.search(words, line), line
    assert entries_about(server, port) == [line]


@pytest.mark.parametrize("protocol", ["SIP", "MSRP"])
def test_tls_on_a_port_without_it(server: RunningServer, protocol: str) -> None:
    number = server.sip_tcp if protocol == "SIP" else server.msrp_tcp
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((HOST, number), TIMEOUT) as sock:
        port: int = sock.getsockname()[1]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(sock)
    line = server.wait_for_log(rf"{HOST}:{port}\b")
    assert entries_about(server, port) == [line]


@pytest.mark.parametrize("data", [b"", _HELLO])
def test_a_handshake_that_stops_is_not_waited_for(
    running_server: StartServer, tmp_path: Path, data: bytes
) -> None:
    settings = with_tls(tmp_path / "spool")
    settings["MSRP"]["establish_timeout"] = 1
    server = running_server(settings)
    with socket.create_connection((HOST, tls_port(server, "MSRP")), TIMEOUT) as sock:
        port: int = sock.getsockname()[1]
        sock.sendall(data)
        assert bytes_until_closed(sock) == b""
    line = server.wait_for_log(f"no TLS with {HOST}:{port}: no handshake within 1 s")
    assert entries_about(server, port) == [line]


def test_a_client_that_leaves_in_the_middle_of_its_handshake(server: RunningServer) -> None:
    with socket.create_connection((HOST, tls_port(server, "SIP")), TIMEOUT) as sock:
        port: int = sock.getsockname()[1]
        sock.sendall(_HELLO)
    server.wait_for_log(
        f"no TLS with {HOST}:{port}: the peer closed the connection during the TLS handshake"
    )
