"""The relay: who is carried where, and what nobody can make it do."""

import pytest

from sylk.call.relay_digest import RelayPassword
from sylk.msrp.frame import REPORT, SEND, Frame, reported_status
from sylk.msrp.relay_events import CloseWanted, ConnectWanted
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_login import PathStands
from tests.msrp.relay_world import FAR, World, answer, send


def test_a_client_reaches_the_world_and_the_world_the_client() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own))
    far = world.connected()
    assert client.one().status == 200
    frame = far.one()
    assert (frame.method, frame.to_path, frame.from_path) == (SEND, FAR, path + b" " + own)
    assert (frame.body, frame.flag, frame.transaction_id != b"t1") == (b"Hi", b"$", True)
    world.send(far, answer(frame), send(path + b" " + own, FAR, b"Ho", tid=b"t2"))
    assert far.one().status == 200
    frame = client.one()
    assert (frame.to_path, frame.from_path) == (own, path + b" " + FAR)
    assert frame.body == b"Ho"


def test_header_fields_go_on_as_clients_spell_them() -> None:
    world = World()
    client, path, own = world.client()
    world.send(
        client,
        b"MSRP t1 SEND\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\nMessage-ID: m\r\nByte-Range: 1-5/5\r\n"
        b"Success-Report: yes\r\nx-mine: 1\r\nContent-Type: text/plain\r\n\r\nna\xc3\xafve\r\n"
        b"-------t1$\r\n" % (path, FAR, own),
    )
    data = world.connected().link.data_to_send()
    assert data.split(b"\r\n")[3:-2] == [
        b"Message-ID: m",
        b"Byte-Range: 1-5/5",
        b"Success-Report: yes",
        b"X-Mine: 1",
        b"Content-Type: text/plain",
        b"",
        b"na\xc3\xafve",
    ]


def test_both_ends_may_use_the_relay() -> None:
    world = World()
    alice, alice_path, alice_own = world.client("alice", "alice")
    bob, bob_path, bob_own = world.client("bob", "bob")
    world.send(alice, send(b" ".join([alice_path, bob_path, bob_own]), alice_own))
    frame = bob.one()
    assert frame.to_path == bob_own
    assert frame.from_path == b" ".join([bob_path, alice_path, alice_own])
    assert not world.events()
    world.send(bob, answer(frame))
    assert [frame.status for frame in alice.read()] == [200]


def test_the_one_who_came_first_in_the_name_of_a_uri_is_the_way_to_it() -> None:
    world = World()
    client, path, own = world.client()
    far, thief = world.end(), world.end()
    world.send(far, send(path + b" " + own, FAR))
    world.send(thief, send(path + b" " + own, FAR))
    client.read()
    world.send(client, send(path + b" " + FAR, own, b"for you alone"))
    assert [frame.body for frame in far.read() if frame.method] == [b"for you alone"]
    assert not [frame for frame in thief.read() if frame.method]
    assert not world.events()


@pytest.mark.parametrize("secure", [True, False])
def test_what_carries_no_path_of_ours_is_refused(secure: bool) -> None:
    world = World()
    client, path, own = world.client()
    stranger = world.end(secure=secure)
    guess = path[:-6] + b"x;tcp"
    for tid, to in enumerate([guess + b" " + FAR, guess + b" " + own, FAR, FAR + b" " + path]):
        world.send(stranger, send(to, FAR, tid=b"t%d" % tid))
    assert [frame.status for frame in stranger.read()] == [481] * 4
    assert not client.read()
    assert not world.events()
    assert not world.relay.uses(stranger.link)


def test_the_path_of_another_leads_to_that_one_alone() -> None:
    world = World()
    client, path, own = world.client("alice", "alice")
    other, _, _ = world.client("bob", "bob")
    # No open relay: whatever follows the path, it leads to its owner.
    world.send(other, send(path + b" " + FAR, b"msrps://x.example.com:1/x;tcp"))
    assert client.one().to_path == FAR
    assert not world.events()
    assert own


def test_a_path_given_over_tls_is_not_taken_in_clear() -> None:
    world = World()
    client, path, own = world.client()
    clear = world.end(secure=False)
    world.send(clear, send(path + b" " + own, FAR))
    assert clear.one().status == 481
    assert not client.read()


def test_a_path_ends_with_its_connection_and_with_its_time() -> None:
    world = World()
    client, path, own = world.client()
    far = world.end()
    world.relay.closed(client.link, world.now)
    world.send(far, send(path + b" " + own, FAR))
    assert far.one().status == 481
    again, path, own = world.client()
    world.pass_time(43_199)
    world.send(far, send(path + b" " + own, FAR, tid=b"t2"))
    assert again.one().body == b"Hi"
    assert far.one().status == 200
    world.pass_time(1)
    world.send(far, send(path + b" " + own, FAR, tid=b"t3"))
    assert far.one().status == 481
    assert not again.read()


@pytest.mark.parametrize("count", [1, 2, 7, 15])
def test_a_loop_of_paths_ends(count: int) -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(b" ".join([path] * count + [own]), own))
    frames = client.read()
    requests = [frame for frame in frames if frame.method]
    assert len(requests) == (count > 1)
    if count > 1:
        # It came back by the second step; the rest is for the client.
        assert requests[0].to_path == b" ".join([path] * (count - 2) + [own])


def test_a_path_that_grows_too_long_is_refused() -> None:
    world = World()
    client, path, own = world.client()
    back = b" ".join([own] * 40)
    world.send(client, send(path + b" " + FAR, back))
    assert client.one().status == 400


@pytest.mark.parametrize("to", [b"", b" ", b" nonsense", b" http://10.0.0.1/"])
def test_a_path_must_go_on(to: bytes) -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + to, own))
    assert client.one().status in (400, 481)
    assert not world.events()


def test_reports_and_unknown_methods_go_on_and_answers_come_back() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own, method=b"NICKNAME"))
    far = world.connected()
    frame = far.one()
    assert frame.method == b"NICKNAME"
    world.send(far, answer(frame, 425))
    back = client.one()
    assert (back.status, back.transaction_id) == (425, b"t1")
    assert (back.to_path, back.from_path) == (own, path + b" " + FAR)
    world.send(client, send(path + b" " + FAR, own, method=REPORT))
    assert far.one().method == REPORT
    assert not client.read()


def test_auth_goes_through_to_the_next_relay() -> None:
    inner, outer = World(host="inner"), World(host="outer")
    client, path, own = inner.client()
    target = b"msrps://outer.example.com;tcp"
    inner.send(
        client,
        b"MSRP a1 AUTH\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\n-------a1$\r\n" % (path, target, own),
    )
    onward = inner.connected()
    end = outer.end()
    outer.send(end, onward.link.data_to_send())
    inner.send(onward, end.link.data_to_send())
    challenge = client.one()
    assert (challenge.status, challenge.transaction_id) == (401, b"a1")
    assert challenge.to_path == own
    value = RelayPassword("alice", "wonderland", lambda: "c").answer(
        challenge.headers[b"www-authenticate"].decode(), target.decode()
    )
    inner.send(
        client,
        b"MSRP a2 AUTH\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\nAuthorization: %b\r\n-------a2$\r\n"
        % (path, target, own, value.encode()),
    )
    outer.send(end, onward.link.data_to_send())
    inner.send(onward, end.link.data_to_send())
    granted = client.one()
    assert granted.status == 200
    first, second = granted.headers[b"use-path"].split()
    assert first == path
    assert second.startswith(b"msrps://outer.example.com:2856/")
    # What the two have given leads through both of them, either way.
    inner.send(client, send(b" ".join([first, second, FAR]), own))
    outer.send(end, onward.link.data_to_send())
    far = outer.connected()
    frame = far.one()
    assert (frame.to_path, frame.from_path) == (FAR, b" ".join([second, first, own]))


def test_passwords_tried_elsewhere_end_the_connection() -> None:
    world = World(RelayLimits(max_failures=2))
    client, path, own = world.client()
    far = None
    for tid in (b"a1", b"a2"):
        world.send(
            client,
            b"MSRP %b AUTH\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\nAuthorization: Digest x=y\r\n"
            b"-------%b$\r\n" % (tid, path, FAR, own, tid),
        )
        far = far or world.connected()
        assert not world.events()
        world.send(far, answer(far.one(), 401))
    (event,) = world.events()
    assert isinstance(event, CloseWanted)
    assert event.link is client.link


def test_a_connection_that_cannot_be_opened_fails_what_waits_for_it() -> None:
    world = World()
    client, path, own = world.client()
    world.send(client, send(path + b" " + FAR, own))
    far = world.connected(opened=False)
    assert client.one().status == 200
    world.relay.closed(far.link, world.now)
    report = client.one()
    assert (report.method, reported_status(report)) == (REPORT, 408)
    assert (report.to_path, report.from_path) == (own, path)
    # The next one is tried anew.
    world.send(client, send(path + b" " + FAR, own, tid=b"t2"))
    assert world.connected().one().body == b"Hi"


def test_connections_are_used_again_and_closed_when_nobody_does() -> None:
    world = World(RelayLimits(idle_timeout=600.0))
    client, path, own = world.client()
    for number in range(3):
        world.send(client, send(path + b" " + FAR, own, tid=b"t%d" % number, failure=b"no"))
    assert len(world.events()) == 1
    upper = FAR.replace(b"far.", b"FAR.").replace(b"/far", b"/other")
    world.send(client, send(path + b" " + upper, own, failure=b"no"))
    assert not world.events()
    deadline = world.relay.next_deadline()
    assert deadline is not None
    world.pass_time(deadline - world.now)
    world.pass_time(600)
    (event,) = world.events()
    assert isinstance(event, CloseWanted)
    assert event.link is not client.link, "a client with a path stays"
    assert event.if_idle


def test_there_are_only_so_many_connections() -> None:
    world = World(RelayLimits(max_next_hops=2))
    client, path, own = world.client()
    for number in range(4):
        to = b"msrps://h%d.example.com:1/x;tcp" % number
        world.send(client, send(path + b" " + to, own, tid=b"t%d" % number))
    assert len([one for one in world.events() if isinstance(one, ConnectWanted)]) == 2
    assert [frame.status for frame in client.read()] == [200, 200, 408, 408]


def test_the_other_sessions_of_a_connection_are_not_touched() -> None:
    world = World()
    end = world.end()
    world.send(end, send(b"msrps://relay.example.com:2856/nobody;tcp", FAR))
    assert end.one().status == 481
    world.send(end, b"MSRP a1 AUTH\r\nTo-Path: a\r\nFrom-Path: b\r\n-------a1$\r\n")
    frames: list[Frame] = end.read()
    assert [frame.status for frame in frames] == [401]


def test_a_user_comes_back_with_another_connection() -> None:
    world = World()
    first, _, _ = world.client()
    end = world.end()
    _, outcome = world.log_in(end)
    assert isinstance(outcome, PathStands)
    assert world.relay.client_count == 2
    world.relay.closed(first.link, world.now)
    world.relay.closed(end.link, world.now)
    assert world.relay.client_count == 0
    assert not world.relay.uses(end.link)
