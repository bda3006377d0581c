"""Who may ask the server for something, in whose name, and how often."""

import logging

import pytest

from sylk.admission import Admission, AdmissionPolicy
from sylk.config import parse_config
from sylk.errors import RemoteProtocolError
from sylk.routing import TrustedPeers
from sylk.sections import SipSettings
from sylk.setting_types import ANY_NETWORK
from sylk.sip.asserted_identity import Identity
from sylk.sip.authenticator import Authenticator
from sylk.sip.digest import StoredUser, answer_challenge, hash_password, parse_challenges
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.source_limits import BURST_SECONDS, SentNoAnswer, TokenBuckets
from tests.sip.user_agents import make, tokens

PEER, PROXY = "192.0.2.9", "192.0.2.10"
BEGINNING = ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE"]
CARA = "<sip:cara@example.com>"
ASSERTED = ("P-Asserted-Identity", CARA)
ANYBODY = TrustedPeers(ANY_NETWORK)
REALM = "example.com"


def peers(text: str) -> TrustedPeers:
    """Read what stands behind trusted_peers."""
    config = parse_config(f"[SIP]\ntrusted_peers = {text}\n")
    return TrustedPeers(config.section(SipSettings, "SIP").trusted_peers)


def flow(address: str = PEER, transport: str = "udp") -> Flow:
    return Flow(transport, ("192.0.2.1", 5060), (address, 5060))


class Gate(Admission):
    """An open gate, with what a test says about calls and certificates."""

    def __init__(self, policy: AdmissionPolicy) -> None:
        self.calls = 0
        self.domains: frozenset[str] = frozenset()
        super().__init__(policy, lambda: self.calls, lambda _flow: self.domains)
        self.is_open = True

    def status(self, request: Request, came: Flow | None = None, now: float = 0.0) -> int:
        """Return the status of the refusal, 200 if there is none, 0 if there is no answer."""
        try:
            self.admit(request, came or flow(), now)
        except SentNoAnswer:
            return 0
        except RemoteProtocolError as error:
            return error.status
        return 200


def find_alice(username: str, realm: str) -> StoredUser | None:
    if (username, realm) != ("alice", REALM):
        return None
    return StoredUser({"MD5": hash_password(username, realm, "secret", "MD5")})


def with_passwords() -> Gate:
    authenticator = Authenticator(
        REALM, find_alice, random_token=tokens("secret"), algorithms=["MD5"]
    )
    return Gate(AdmissionPolicy(ANYBODY, authenticator))


def authorized(gate: Gate, method: str, *headers: tuple[str, str], user: str = "alice") -> Request:
    """Return a request of `user` with the password of alice."""
    with pytest.raises(RemoteProtocolError) as caught:
        gate.admit(make(method), flow(), 0.0)
    challenges = parse_challenges(value for _, value in caught.value.headers)
    value = answer_challenge(
        challenges, "alice", "secret", method, "sip:room@192.0.2.1", 1, "cnonce"
    )
    request = make(method, ("Authorization", value), *headers)
    request.headers.set("From", f"<sip:{user}@{REALM}>;tag=1")
    return request


# Who may be here


@pytest.mark.parametrize("method", BEGINNING)
def test_only_trusted_peers_may_begin_something(method: str) -> None:
    gate = Gate(AdmissionPolicy(peers("192.0.2.10")))
    assert gate.status(make(method), flow(PEER)) == 403
    assert gate.status(make(method), flow(PROXY)) == 200
    assert gate.status(make("OPTIONS"), flow(PEER)) == 200


@pytest.mark.parametrize("method", BEGINNING)
def test_every_method_needs_the_password(method: str) -> None:
    gate = with_passwords()
    assert gate.status(make(method)) == 401
    assert gate.status(authorized(gate, method)) == 200
    assert gate.status(authorized(gate, method, user="bob")) == 403
    assert gate.status(make("OPTIONS")) == 200


@pytest.mark.parametrize("method", BEGINNING)
@pytest.mark.parametrize("name", ["P-Asserted-Identity", "P-Preferred-Identity"])
def test_a_user_is_nobody_else_by_saying_so_elsewhere(method: str, name: str) -> None:
    gate = with_passwords()
    request = authorized(gate, method, (name, CARA))
    assert str(gate.admit(request, flow(), 0.0).address.uri) == "sip:alice@example.com"
    # Nor does an assertion of his true name let him write another into From.
    lying = authorized(gate, method, (name, "<sip:alice@example.com>"), user="bob")
    assert gate.status(lying) == 403


@pytest.mark.parametrize(("unlimited", "last"), [("none", 503), (PEER, 401)])
def test_a_guesser_is_slowed_down_where_there_are_limits(unlimited: str, last: int) -> None:
    authenticator = Authenticator(
        REALM,
        find_alice,
        random_token=tokens("secret"),
        algorithms=["MD5"],
        guesses=TokenBuckets(1, 2),
    )
    gate = Gate(AdmissionPolicy(ANYBODY, authenticator, unlimited_peers=peers(unlimited)))
    wrong = authorized(gate, "INVITE")
    value = wrong.headers.get("Authorization") or ""
    wrong.headers.set("Authorization", value.replace('username="alice"', 'username="bob"'))
    assert [gate.status(wrong) for _ in range(3)] == [401, 401, last]


# In whose name


def sender(gate: Gate, *headers: tuple[str, str], address: str = PROXY) -> str:
    return str(gate.admit(make("INVITE", *headers), flow(address), 0.0).address.uri)


@pytest.mark.parametrize("trusted", ["192.0.2.10", "192.0.2.10, 0.0.0.0/0"])
def test_only_a_peer_that_is_named_is_believed_who_others_are(trusted: str) -> None:
    gate = Gate(AdmissionPolicy(peers(trusted)))
    assert sender(gate, ASSERTED) == "sip:cara@example.com"
    assert sender(gate) == "sip:alice@example.com"
    assert sender(gate, ("P-Preferred-Identity", CARA)) == "sip:alice@example.com"


def test_any_believes_nobody() -> None:
    gate = Gate(AdmissionPolicy(ANYBODY))
    assert sender(gate, ASSERTED) == "sip:alice@example.com"
    assert sender(gate, ASSERTED, ("Privacy", "id")) == "sip:alice@example.com"


def test_unlimited_is_not_trusted() -> None:
    gate = Gate(AdmissionPolicy(ANYBODY, unlimited_peers=peers(PROXY)))
    assert sender(gate, ASSERTED) == "sip:alice@example.com"


def test_whoever_wants_privacy_is_shown_as_nobody() -> None:
    gate = Gate(AdmissionPolicy(peers(PROXY)))
    shown = sender(gate, ASSERTED, ("Privacy", "id"))
    assert shown.endswith("@anonymous.invalid")
    assert shown == sender(gate, ASSERTED, ("Privacy", "id"))
    # Another server, or this one after its next start, calls him by another name.
    other = Gate(AdmissionPolicy(peers(PROXY)))
    assert shown != sender(other, ASSERTED, ("Privacy", "id"))


def test_a_certificate_for_a_trusted_domain_is_as_good_as_an_address() -> None:
    policy = AdmissionPolicy(peers("none"), trusted_domains=frozenset({"example.org"}))
    gate = Gate(policy)
    tls = flow(PEER, "tls")
    assert gate.status(make("INVITE"), tls) == 403
    gate.domains = frozenset({"example.net"})
    assert gate.status(make("INVITE"), tls) == 403
    gate.domains = frozenset({"example.net", "example.org"})
    assert str(gate.admit(make("INVITE", ASSERTED), tls, 0.0).address) == CARA


# How often


def limited(rate: float = 2, trusted: str = "any", unlimited: str = "none") -> Gate:
    return Gate(
        AdmissionPolicy(peers(trusted), unlimited_peers=peers(unlimited), max_request_rate=rate)
    )


def test_a_source_that_asks_too_much_is_refused_and_then_not_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = limited(2)
    burst = round(2 * BURST_SECONDS)
    with caplog.at_level(logging.WARNING):
        statuses = [gate.status(make("OPTIONS")) for _ in range(50)]
    assert statuses == [200] * burst + [503] + [0] * (50 - burst - 1)
    assert gate.status(make("INVITE")) == 0
    assert gate.status(make("INVITE"), flow(PROXY)) == 200
    (line,) = [record.getMessage() for record in caplog.records]
    assert PEER in line
    assert gate.status(make("INVITE"), now=1.0) == 200


@pytest.mark.parametrize(
    "gate",
    [limited(1, trusted=PEER), limited(1, unlimited="192.0.2.0/24")],
    ids=["trusted", "unlimited"],
)
def test_who_carries_others_has_no_limits(gate: Gate) -> None:
    for _ in range(100):
        assert gate.status(make("INVITE")) == 200
    assert gate.admit(make("INVITE"), flow(), 0.0).source == ""


def test_who_has_limits_is_told_apart_by_source() -> None:
    gate = limited()
    identity = gate.admit(make("INVITE"), flow("2001:db8::1"), 0.0)
    assert identity == Identity(make("INVITE").from_, "2001:db8::/64")


def test_refusals_count_too() -> None:
    gate = Gate(AdmissionPolicy(peers("none"), max_request_rate=1))
    assert [gate.status(make("INVITE")) for _ in range(7)] == [403] * 5 + [503, 0]


# Room


def test_while_nobody_is_there_it_is_503() -> None:
    gate = limited()
    gate.is_open = False
    assert gate.status(make("INVITE")) == 503
    assert gate.status(make("OPTIONS")) == 200
    gate.is_open = True
    assert gate.status(make("INVITE")) == 200


def test_no_more_calls_than_there_may_be() -> None:
    gate = Gate(AdmissionPolicy(ANYBODY, max_sessions=2))
    gate.calls = 2
    assert gate.status(make("INVITE")) == 503
    # What is no call needs no room among the calls.
    assert gate.status(make("MESSAGE")) == 200
    gate.calls = 1
    assert gate.status(make("INVITE")) == 200


def test_strangers_do_not_learn_that_there_is_no_room() -> None:
    gate = Gate(AdmissionPolicy(peers("none"), max_sessions=0))
    assert gate.status(make("INVITE")) == 403


def test_another_policy_holds_from_now_on_and_what_was_used_up_counts_on() -> None:
    gate = limited(rate=2)
    invite = make("INVITE")
    while gate.status(invite) == 200:
        pass
    policy = AdmissionPolicy(peers("any"), max_request_rate=2, max_sessions=0)
    gate.reconfigure(policy)
    assert gate.status(invite) in (0, 503), "the bucket is still empty"
    assert gate.status(invite, flow("192.0.2.77")) == 503, "there is no room for calls"
    gate.reconfigure(AdmissionPolicy(peers("any"), max_request_rate=50))
    assert gate.status(invite) == 200, "another rate is another bucket"
    gate.reconfigure(AdmissionPolicy(peers("none")))
    assert gate.status(invite) == 403
