"""The place of a worker as its command line tells it; all else is shown end to end."""

import os
import socket

from sylk.cli.workers import Place
from sylk.share import Share

LISTENING = [("udp", ("127.0.0.1", 5060)), ("tls", ("::1", 5061))]


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(1, 3, 7, "mark01", LISTENING, ("udp", "tls"))
    read = Place.parse(str(place))
    assert read.share == Share(1, 3)
    assert (read.descriptor, read.token_mark) == (7, "mark01")
    assert (list(read.listening), tuple(read.spoken)) == (LISTENING, ("udp", "tls"))


def test_the_link_is_taken_up_and_not_passed_on() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        os.set_inheritable(theirs.fileno(), True)
        front = Place(0, 2, theirs.detach(), "mark00", LISTENING, ("udp",)).front()
        with front.sock as sock:
            assert not sock.get_inheritable()
            sock.send(b"x")
            assert ours.recv(1) == b"x"
        assert front.listening == LISTENING
