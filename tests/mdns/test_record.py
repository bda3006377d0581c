from hypothesis import given
from hypothesis import strategies as st

from sylk.mdns.record import (
    Question,
    Type,
    address,
    cut_label,
    location,
    name_of,
    nothing_but,
    pairs_of,
    pointer,
    text,
    wire_of,
)

NAME = name_of("sip:a.b@192.0.2.1", "_sipuri", "_udp")


def test_a_label_may_hold_dots_and_any_text() -> None:
    assert NAME.labels == (b"sip:a.b@192.0.2.1", b"_sipuri", b"_udp", b"local", b"")
    assert name_of("Zoë") == name_of("Zoë")
    assert name_of("LOBBY") == name_of("lobby")


@given(st.text(), st.sampled_from(["", " (2)"]))
def test_a_label_is_cut_inside_no_character(label: str, suffix: str) -> None:
    cut = cut_label(label, suffix)
    assert 0 < len(cut) <= 63
    assert cut.decode().endswith(suffix)


@given(st.dictionaries(st.sampled_from(["name", "note", "state"]), st.text(max_size=300)))
def test_what_is_told_is_read_again(pairs: dict[str, str]) -> None:
    found = pairs_of(text(NAME, pairs.items()).data)
    assert list(found) == list(pairs)
    for key, value in found.items():
        assert pairs[key].encode("utf-8", "replace").decode().startswith(value)


def test_the_first_of_a_key_counts_and_strings_without_a_key_do_not() -> None:
    data = text(NAME, [("Name", "a"), ("name", "b"), ("", "c")]).data
    assert pairs_of(data) == {"name": "a"}


def test_nothing_is_told_by_other_types() -> None:
    assert pairs_of(address(NAME, "192.0.2.1").data) == {}


def test_answers_to_their_name_and_type() -> None:
    record = location(NAME, name_of("host"), 5060)
    assert record.answers(Question(NAME, Type.SRV))
    assert record.answers(Question(NAME, Type.ANY))
    assert not record.answers(Question(NAME, Type.TXT))
    assert not record.answers(Question(name_of("other"), Type.SRV))


def test_the_key_of_a_record_leaves_its_time_aside() -> None:
    record = pointer(name_of("_sipuri", "_udp"), NAME)
    assert record.with_ttl(0).key == record.key
    assert record.with_ttl(0) != record
    assert record.rdtype == Type.PTR


def test_its_size_is_never_less_than_what_is_written() -> None:
    record = address(NAME, "2001:db8::1")
    assert record.size == len(wire_of(NAME)) + 10 + 16


def test_says_which_types_there_are() -> None:
    assert str(nothing_but(NAME, [Type.A], 120).data).endswith(" A")
