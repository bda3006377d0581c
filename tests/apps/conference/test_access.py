"""Lists of people: whom they name, how they are written, which slips of the hand are caught."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.access import EVERYBODY, NOBODY, AccessList, AccessOrder, read_access_list

from sylk.setting_types import type_of
from sylk.settings import Network

ALICE, BOB = b"alice@example.com", b"bob@example.org"
HERE = "192.0.2.9"


@pytest.mark.parametrize(
    ("text", "who", "source", "is_named"),
    [
        ("all", ALICE, "", True),
        ("ANY", ALICE, "", True),
        ("*", ALICE, "", True),
        ("none", ALICE, HERE, False),
        ("alice@example.com", ALICE, "", True),
        ("alice@Example.COM", ALICE, "", True),
        ("sip:alice@example.com", ALICE, "", True),
        ("Alice@example.com", ALICE, "", False),
        ("alice@example.com", b"alice@example.org", "", False),
        ("example.com", ALICE, "", True),
        ("Example.COM.", ALICE, "", True),
        ("@example.com", ALICE, "", True),
        ("example.com", b"example.com", "", True),
        ("example.com", b"alice@sub.example.com", "", False),
        ("example.com", b"alice@badexample.com", "", False),
        ("example.com", b"example.com@example.org", "", False),
        ("alice@example.com.", ALICE, "", True),
        ("alice@example.com", b"alice@example.com.", "", True),
        ("example.com", b"alice@example.com.", "", True),
        ("josé@example.com", b"jos%C3%A9@example.com", "", True),
        ("jos%c3%a9@example.com", b"jos%C3%A9@example.com", "", True),
        ("a%2Cb@example.com", b"a,b@example.com", "", True),
        # An escaped @ begins no host.
        ("example.org", b"alice%40example.org@example.com", "", False),
        ("localhost", b"alice@localhost", "", True),
        ("@server", b"alice@server", "", True),
        ("bob@example.org, example.com", ALICE, "", True),
        ("bob@example.org, all", ALICE, "", True),
        ("192.0.2.9", ALICE, HERE, True),
        ("192.0.2.0/24", ALICE, HERE, True),
        ("192.0.2.0/24", ALICE, "::ffff:192.0.2.9", True),
        ("2001:db8::/32", ALICE, "2001:db8::1%eth0", True),
        ("[2001:db8::1]", ALICE, "2001:db8::1", True),
        ("192.0.2.0/24", ALICE, "198.51.100.1", False),
        ("192.0.2.0/24", ALICE, "", False),
        # What stands in a URI proves nothing of where its owner is.
        ("192.0.2.9", b"alice@192.0.2.9", "198.51.100.1", False),
        ("alice@192.0.2.9", b"alice@192.0.2.9", "198.51.100.1", True),
        ("alice@[2001:db8::1]", b"alice@[2001:db8::1]", "", True),
    ],
)
def test_whom_a_list_names(text: str, who: bytes, source: str, is_named: bool) -> None:
    assert read_access_list(text).names(who, source) is is_named


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "must be all, none, or people"),
        (",", "must be all, none, or people"),
        ("none, alice@example.com", "but has 'none'"),
        ("alice", "write alice@example.com for a person, @alice for a domain"),
        ("everybody", "write everybody@example.com"),
        ("alice@", "but has 'alice@'"),
        ("alice@example..com", "but has 'alice@example..com'"),
        ("alice@b@c", "but has 'alice@b@c'"),
        ("tel:+3120", "but has 'tel:\\+3120'"),
        ("exa mple.com", "but has 'exa mple.com'"),
        ("<sip:alice@example.com>", "but has"),
        ("10.0.0.300", "but has '10.0.0.300'"),
        ("10.0.0.0/33", "but has '10.0.0.0/33'"),
        ("10.1.2.3/8", "did you mean 10.0.0.0/8"),
        ("alice@2001:db8::1", "but has"),
    ],
)
def test_a_slip_of_the_hand_is_caught_and_what_would_be_right_is_said(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        read_access_list(text)


def test_a_list_is_written_as_it_is_read() -> None:
    text = "all, alice@example.com, @server, example.org, localhost, 10.0.0.0/8"
    assert str(read_access_list(text)) == text
    assert (str(EVERYBODY), str(NOBODY)) == ("all", "none")


def person(user: str, host: str) -> bytes:
    return f"{user}@{host}".encode()


def network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int) -> Network:
    return ipaddress.ip_network(f"{address}/{bits}", strict=False)


USERS = st.builds(
    person,
    st.text("abz09.!*'()&=+$_-,;?/é @%", min_size=1, max_size=8),
    st.sampled_from(["example.com", "a.example.org", "server", "[2001:db8::1]", "192.0.2.1"]),
)
DOMAINS = st.from_regex(r"[a-z]{1,5}(\.[a-z]{2,5}){0,2}", fullmatch=True).filter(
    lambda name: name != "none"
)
NETWORKS = st.builds(network, st.ip_addresses(), st.integers(0, 32))
LISTS = st.builds(
    AccessList,
    st.frozensets(USERS, max_size=4),
    st.frozensets(DOMAINS.map(str.encode), max_size=4),
    st.frozensets(NETWORKS, max_size=4),
    st.booleans(),
)


@given(LISTS)
def test_any_list_is_read_as_it_was_written(people: AccessList) -> None:
    assert read_access_list(str(people)) == people


@given(LISTS, USERS, st.ip_addresses())
def test_a_list_names_whom_one_of_its_items_names(
    people: AccessList, who: bytes, source: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    items = [read_access_list(item) for item in str(people).split(", ")]
    named = any(item.names(who, str(source)) for item in items)
    assert people.names(who, str(source)) is named


@given(st.text("aA1.@:/[]*, sip-", max_size=30), USERS)
def test_any_text_is_a_list_or_refused(text: str, who: bytes) -> None:
    try:
        people = read_access_list(text)
    except ValueError:
        return
    people.names(who, HERE)
    assert read_access_list(str(people)) == people


@pytest.mark.parametrize("text", ["allow, deny", "allow,deny", " Allow ,\tDENY"])
def test_the_order_of_two_lists_may_be_written_with_any_space(text: str) -> None:
    assert type_of(AccessOrder).read(text) == "allow, deny"
    swapped = ",".join(reversed(text.split(",")))
    assert type_of(AccessOrder).read(swapped) == "deny, allow"


@pytest.mark.parametrize("text", ["allow", "deny", "allow deny", "allow, allow", "deny, allow, x"])
def test_another_order_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be `allow, deny` or `deny, allow`"):
        type_of(AccessOrder).read(text)
