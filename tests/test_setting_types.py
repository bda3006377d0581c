"""What each type of setting takes, what it refuses, and that it reads what it writes."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.setting_types import (
    ANY_NETWORK,
    Bytes,
    Duration,
    IPAddress,
    Networks,
    Port,
    Seconds,
    near_miss,
    type_of,
)

Level = Literal["debug", "info"]
WORD = st.text("abcdefghijklmnopqrstuvwxyz.@-", min_size=1).filter(lambda word: word != "none")


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "any thing", "any thing"),
        (str, "", ""),
        (bool, "yes", True),
        (bool, "ON", True),
        (bool, "1", True),
        (bool, "off", False),
        (bool, "false", False),
        (int, "42", 42),
        (Port, "0", 0),
        (Port, "65535", 65535),
        (Port | None, "none", None),
        (Port | None, "NONE", None),
        (Port | None, "5060", 5060),
        (Seconds, "30", 30.0),
        (Seconds, "0.5 s", 0.5),
        (Duration, "90", 90.0),
        (Duration, "0.5 h", 1800.0),
        (Duration, "30M", 1800.0),
        (Duration, "7d", 604800.0),
        (Duration | None, "none", None),
        (Bytes, "64k", 65536),
        (Bytes, "10 MB", 10 * 1024**2),
        (Bytes, "1g", 1024**3),
        (Bytes, "100", 100),
        (IPAddress, "192.0.2.1", "192.0.2.1"),
        (IPAddress, "[2001:DB8::1]", "2001:db8::1"),
        (IPAddress | None, "none", None),
        (Path, "var/spool", Path("var/spool")),
        (Path | None, "none", None),
        (Level, "INFO", "info"),
        (tuple[str, ...], "", ()),
        (tuple[str, ...], " a, b ,,c", ("a", "b", "c")),
        (Mapping[str, str], "", {}),
        (
            Mapping[str, str],
            "echo:echo, a@b.org : conference",
            {"echo": "echo", "a@b.org": "conference"},
        ),
        (Mapping[str, str], "[2001:db8::1]:echo", {"[2001:db8::1]": "echo"}),
        (Networks, "any", ANY_NETWORK),
        (Networks, "none", ()),
        (
            Networks,
            "192.0.2.1, 10.0.0.0/8, 2001:db8::/32",
            (
                ipaddress.ip_network("192.0.2.1/32"),
                ipaddress.ip_network("10.0.0.0/8"),
                ipaddress.ip_network("2001:db8::/32"),
            ),
        ),
    ],
)
def test_reads(annotation: object, text: str, value: object) -> None:
    assert type_of(annotation).read(text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "hint"),
    [
        (bool, "maybe", "yes or no"),
        (bool, "", "is empty"),
        (int, "twelve", "whole number"),
        (int, "-1", "whole number"),
        (int, "1_000", "whole number"),
        (int, "٣", "whole number"),
        (int, "9" * 5000, "whole number"),
        (Port, "65536", "between 0 and 65535"),
        (Port, "none", "between 0 and 65535"),
        (Port, "", "is empty"),
        (Port | None, "", "or none"),
        (Port | None, "non", "or none"),
        (Seconds, "nan", "number of seconds"),
        (Seconds, "inf", "number of seconds"),
        (Seconds, "1e999", "number of seconds"),
        (Seconds, "5 minutes", "number of seconds"),
        (Duration, "5 minutes", "90s, 30m, 12h or 7d"),
        (Duration, "forever", "90s, 30m, 12h or 7d"),
        (Bytes, "10T", "number of bytes"),
        (Bytes, "1.5M", "number of bytes"),
        (IPAddress, "example.org", "IP address"),
        (IPAddress, "256.1.1.1", "IP address"),
        (IPAddress | None, "nothing", "or none"),
        (Path, "a\0b", "path"),
        (Level, "inf", "did you mean info"),
        (Level, "loud", "debug, info"),
        (Mapping[str, str], "echo", "key:name"),
        (Mapping[str, str], "echo:", "key:name"),
        (Mapping[str, str], ":echo", "key:name"),
        (Mapping[str, str], "a:x, a:y", "twice"),
        (Networks, "", "is empty"),
        (Networks, ",", "any, none"),
        (Networks, "any, 10.0.0.0/8", "any, none"),
        (Networks, "10.0.0.0/33", "any, none"),
        (Networks, "10.1.2.3/8", "did you mean 10.0.0.0/8"),
    ],
)
def test_refuses_and_says_what_would_be_right(annotation: object, text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        type_of(annotation).read(text)


def test_a_time_is_written_in_the_largest_unit_that_fits() -> None:
    write = type_of(Duration).write
    assert [write(value) for value in (0, 90, 1800, 7200, 86_400 * 30, 0.5)] == [
        "0s",
        "90s",
        "30m",
        "2h",
        "30d",
        "0.5s",
    ]


def test_refuses_a_field_of_no_known_type() -> None:
    with pytest.raises(TypeError):
        type_of(complex)
    with pytest.raises(TypeError):
        type_of(int | str)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (bool, st.booleans()),
        (int, st.integers(0, 10**18 - 1)),
        (Port | None, st.none() | st.integers(0, 65535)),
        (Seconds, st.integers(0, 10**8).map(lambda thousandths: thousandths / 1000)),
        (Duration, st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000)),
        (Duration, st.integers(0, 10**6).map(lambda hours: hours * 3600)),
        (Bytes, st.integers(0, 2**49)),
        (IPAddress, st.ip_addresses().map(str)),
        (Path, WORD.map(Path)),
        (tuple[str, ...], st.lists(WORD).map(tuple)),
        (Mapping[str, str], st.dictionaries(WORD, WORD)),
        (Networks, st.lists(st.ip_addresses().map(ipaddress.ip_network)).map(tuple)),
        (Networks, st.just(ANY_NETWORK)),
    ],
)
def test_reads_what_it_writes(annotation: object, values: st.SearchStrategy[object]) -> None:
    of_type = type_of(annotation)

    @given(values)
    def round_trip(value: object) -> None:
        assert of_type.read(of_type.write(value)) == value

    round_trip()


@pytest.mark.parametrize(
    "annotation",
    [
        bool,
        int,
        Port,
        Seconds,
        Duration,
        Bytes,
        IPAddress,
        Path,
        Level,
        Mapping[str, str],
        Networks,
    ],
)
@given(text=st.text())
def test_any_text_is_read_or_refused_with_a_sentence(annotation: object, text: str) -> None:
    try:
        type_of(annotation).read(text)
    except ValueError as refusal:
        assert str(refusal)  # noqa: PT017 - what is refused depends on the text drawn


def test_near_miss_names_the_closest_word_only() -> None:
    assert near_miss("local_upd_port", ["local_ip", "local_udp_port"]).endswith("local_udp_port?")
    assert near_miss("sip", ["SIP", "MSRP"]).endswith("SIP?")
    assert near_miss("colour", ["local_ip", "local_udp_port"]) == ""
