"""Calls whose SIP or MSRP goes over TLS: what is offered and answered, and who is believed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sylk.net.certificate import CertificateFiles, ensure_certificate
from sylk.session import Invitation
from tests.peers import (
    HOST,
    Answering,
    Caller,
    MsrpListener,
    Scripted,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_server,
    sip_port,
)
from tests.session.tls_peers import (
    MakeSettings,
    TlsCaller,
    TlsListener,
    accepted_media,
    chat_line,
    refused_media,
    sha_256,
)

# What is answered


async def test_an_offer_of_tls_is_answered_with_tls(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsCaller(server) as caller,
    ):
        final = await caller.invite(caller.offer("a=fingerprint:SHA-256 00"))
        assert chat_line(final.body) == f"m=message {caller.msrp_port} TCP/TLS/MSRP *"
        assert attribute(final.body, "setup") == ["passive"]
        assert caller.remote_path.startswith(f"msrps://{HOST}:{caller.msrp_port}/")
        await caller.acknowledge()
        await caller.connect()
        await answering.wait_stands()
        assert attribute(final.body, "fingerprint") == [sha_256(caller.shown)]
        assert (await caller.bye()).status == 200
        assert await answering.wait_over() == "BYE"
        await assert_nothing_left(server)


async def test_an_offer_in_clear_is_answered_in_clear(
    answering: Answering, with_tls: MakeSettings
) -> None:
    settings = with_tls(use_tls="yes")
    async with (
        running_server(settings, application=answering.application) as server,
        Caller(server) as caller,
    ):
        final = await caller.invite()
        assert chat_line(final.body) == f"m=message {caller.msrp_port} TCP/MSRP *"
        assert attribute(final.body, "fingerprint") == []
        await caller.acknowledge()
        await caller.connect()
        await answering.wait_stands()


async def test_a_reinvite_keeps_the_media_over_tls(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsCaller(server) as caller,
    ):
        first = await caller.invite(caller.offer())
        await caller.acknowledge()
        await caller.connect()
        again = await caller.reinvite(caller.offer())
        assert again.body == first.body
        in_clear = await caller.reinvite(chat_offer(caller.path.replace("msrps:", "msrp:")))
        assert in_clear.status == 488
        assert await caller.send(None) == 200


async def test_people_over_tls_and_in_clear_share_a_room(with_tls: MakeSettings) -> None:
    async with (
        running_server(with_tls()) as server,
        TlsCaller(server) as secure,
        Caller(server, "bob") as clear,
    ):
        await secure.invite(secure.offer())
        await secure.acknowledge()
        await secure.connect()
        await clear.join()
        await secure.say("over TLS")
        assert (await clear.hear()).text == "over TLS"
        await clear.say("in clear")
        assert (await secure.hear()).text == "in clear"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"TCP/TLS/MSRP", b"TCP/MSRP"), "the path does not fit TCP/MSRP"),
        ((b"msrps://", b"msrp://"), "the path does not fit TCP/TLS/MSRP"),
    ],
)
async def test_a_path_that_does_not_fit_the_protocol_is_refused(
    with_tls: MakeSettings, change: tuple[bytes, bytes], reason: str
) -> None:
    async with running_server(with_tls()) as server, TlsCaller(server) as caller:
        final = await caller.invite(caller.offer().replace(*change))
        assert final.status == 488
        assert reason in final["Warning"]
        await caller.acknowledge()
        await assert_nothing_left(server)


async def test_without_a_port_for_it_tls_is_refused() -> None:
    async with running_server() as server, TlsCaller(server) as caller:
        final = await caller.invite(caller.offer())
        assert final.status == 488
        assert final["Warning"] == '304 sylk "TCP/TLS/MSRP is not carried here, TCP/MSRP is"'
        await caller.acknowledge()
        await assert_nothing_left(server)


# Who connects over TLS to a peer that listens


async def test_a_peer_with_the_certificate_of_its_sdp_is_believed(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await accepted_media(caller, listener, answering, f"a=fingerprint:{listener.fingerprint}")
        await assert_nothing_left(server)


async def test_a_fingerprint_is_enough_where_authorities_are_asked_for(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles, tmp_path: Path
) -> None:
    other = ensure_certificate(tmp_path / "other", ["other.test"], [HOST], datetime.now(UTC))
    async with (
        running_server(with_tls(other.certificate), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await accepted_media(caller, listener, answering, f"a=fingerprint:{listener.fingerprint}")


@pytest.mark.parametrize(
    "fingerprint", ["SHA-256 " + ":".join(["00"] * 32), "MD5 00:11", "nonsense", ""]
)
async def test_a_peer_with_another_certificate_is_not(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles, fingerprint: str
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        reason = await refused_media(server, caller, listener, f"a=fingerprint:{fingerprint}")
        assert reason == (
            'SIP;cause=500;text="media: the certificate of the peer is not the one that its SDP '
            'names"'
        )
        assert "its SDP names" in await answering.wait_over()


async def test_without_a_fingerprint_any_certificate_will_do(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await accepted_media(caller, listener, answering)


async def test_without_a_fingerprint_the_authorities_decide(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles
) -> None:
    settings = with_tls(phone.certificate)
    async with (
        running_server(settings, application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await accepted_media(caller, listener, answering)


async def test_an_authority_that_nobody_knows_ends_the_call(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles, tmp_path: Path
) -> None:
    other = ensure_certificate(tmp_path / "other", ["other.test"], [HOST], datetime.now(UTC))
    async with (
        running_server(with_tls(other.certificate), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        reason = await refused_media(server, caller, listener)
        assert "not among the trusted ones" in reason


async def test_a_peer_that_listens_in_clear_where_it_said_tls(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        MsrpListener() as listener,
        TlsCaller(server) as caller,
    ):
        path = listener.path.replace("msrp:", "msrps:")
        await caller.invite(caller.offer(setup="passive", path=path))
        await caller.acknowledge()
        peer = await listener.accept()
        await peer.stream.send_all(b"MSRP abcd 400 What?\r\n")
        assert "does not speak TLS" in (await caller.await_bye())["Reason"]
        await assert_nothing_left(server)
        peer.close()


# A session that was agreed upon over TLS


async def test_a_session_over_tls_is_not_taken_in_clear(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsCaller(server) as caller,
        Caller(server) as other,
    ):
        await caller.invite(caller.offer())
        await caller.acknowledge()
        await other.open_msrp()
        other.path, other.remote_path = caller.path, caller.remote_path
        assert await other.send(None) == 481
        assert not answering.stands.is_set()
        await caller.connect()
        await answering.wait_stands()


# The offer in the 200


async def test_the_offer_is_ours_and_for_tls_where_that_is_wanted(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(use_tls="yes"), application=answering.application) as server,
        TlsCaller(server) as caller,
    ):
        final = await caller.invite(b"")
        assert chat_line(final.body) == f"m=message {caller.msrp_port} TCP/TLS/MSRP *"
        assert attribute(final.body, "setup") == ["actpass"]
        await caller.acknowledge(caller.offer())
        await caller.connect()
        await answering.wait_stands()
        assert attribute(final.body, "fingerprint") == [sha_256(caller.shown)]


async def test_our_offer_is_in_clear_where_nobody_wants_more(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        Caller(server) as caller,
    ):
        final = await caller.invite(b"")
        assert chat_line(final.body) == f"m=message {caller.msrp_port} TCP/MSRP *"
        assert attribute(final.body, "fingerprint") == []


async def test_an_answer_in_the_ack_tells_the_certificate_too(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles
) -> None:
    async with (
        running_server(with_tls(use_tls="yes"), application=answering.application) as server,
        TlsListener(phone) as listener,
        TlsCaller(server) as caller,
    ):
        await caller.invite(b"")
        wrong = "a=fingerprint:SHA-256 00:11"
        await caller.acknowledge(caller.offer(wrong, setup="passive", path=listener.secure_path))
        peer = await listener.accept()
        caller.take_msrp(peer)
        assert await peer.rest() == []
        assert "its SDP names" in (await caller.await_bye())["Reason"]


async def test_an_answer_in_clear_to_an_offer_of_tls_ends_the_call(
    answering: Answering, with_tls: MakeSettings
) -> None:
    async with (
        running_server(with_tls(use_tls="yes"), application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite(b"")
        await caller.acknowledge(chat_offer(caller.path))
        assert "Reason" in await caller.await_bye()
        assert "answer" in await answering.wait_over()
        await assert_nothing_left(server)


# SIP over TLS


@pytest.mark.parametrize("scheme", ["sip", "sips"])
async def test_a_call_over_tls_has_a_contact_of_the_same_kind(
    answering: Answering, with_tls: MakeSettings, scheme: str
) -> None:
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsCaller(server, scheme) as caller,
    ):
        final = await caller.invite(caller.offer())
        assert final.status == 200
        port = sip_port(server.endpoint, "tls")
        transport = ";transport=tls" if scheme == "sip" else ""
        assert final["Contact"] == f"<{scheme}:lobby@{HOST}:{port}{transport}>"
        assert final["Via"].startswith("SIP/2.0/TLS ")
        await caller.acknowledge()
        await caller.connect()
        await answering.wait_stands()
        assert (await caller.bye()).status == 200
        assert await answering.wait_over() == "BYE"
        await assert_nothing_left(server)


async def test_the_server_hangs_up_over_the_connection_that_the_call_came_over(
    with_tls: MakeSettings,
) -> None:
    async def hang_up(invitation: Invitation) -> None:
        async with invitation.accept():
            pass

    async with (
        running_server(with_tls(), application=Scripted(hang_up)) as server,
        TlsCaller(server, "sips") as caller,
    ):
        await caller.invite(caller.offer())
        await caller.acknowledge()
        await caller.open_msrp()
        await caller.msrp.send(caller.frame(None))
        bye = await caller.await_bye()
        assert bye["Via"].startswith(f"SIP/2.0/TLS {HOST}:{sip_port(server.endpoint, 'tls')};")
        await assert_nothing_left(server)
