"""Connections of a relay: one for each place."""

import pytest

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_hops import TRANSITIONS, Hop, HopInput, Hops, HopState, key_of
from sylk.msrp.uri import MsrpURI


def link() -> MsrpConnection:
    return MsrpConnection(SessionRegistry())


def uri(text: str) -> MsrpURI:
    return MsrpURI.parse(text)


def test_a_place_has_one_connection() -> None:
    hops, one = Hops(5), link()
    hop = hops.add(uri("msrps://Far.example:9/a;tcp"), one)
    assert hops.find(uri("msrps://far.EXAMPLE:9/b;tcp")) is hop
    assert hops.of(one) is hop
    for other in ("msrp://far.example:9/a;tcp", "msrps://far.example:8/a;tcp", "msrps://x:9;tcp"):
        assert hops.find(uri(other)) is None
    assert hops.of(link()) is None
    hops.opened(one)
    assert hop.state is HopState.OPEN
    assert hops.closed(one)
    assert not hops.closed(one)
    assert len(hops) == 0
    assert hops.find(uri("msrps://far.example:9/a;tcp")) is None


def test_a_missing_port_is_the_default() -> None:
    assert key_of(uri("msrp://h/x;tcp")) == key_of(uri("msrp://h:2855/x;tcp"))


def test_there_are_only_so_many() -> None:
    hops = Hops(1)
    hops.add(uri("msrp://a:1;tcp"), link())
    with pytest.raises(RemoteProtocolError) as caught:
        hops.add(uri("msrp://b:1;tcp"), link())
    assert caught.value.status == 408


@pytest.mark.parametrize("state", HopState)
@pytest.mark.parametrize("hop_input", HopInput)
def test_each_state_takes_what_the_table_says(state: HopState, hop_input: HopInput) -> None:
    hop = Hop((True, "h", 1), link(), state, 5)
    if (state, hop_input) in TRANSITIONS:
        hop.advance(hop_input)
        assert hop.state is TRANSITIONS[state, hop_input]
        assert hop.waiting == 0
    else:
        with pytest.raises(LocalProtocolError):
            hop.advance(hop_input)
        assert hop.state is state
