import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.headers import Headers, canonical_name


def test_names_are_expanded_and_compared_without_case() -> None:
    headers = Headers([("v", "1"), ("VIA", "2"), ("X-Foo", "3"), ("cseq", "4")])
    assert list(headers) == [("Via", "1"), ("Via", "2"), ("X-Foo", "3"), ("CSeq", "4")]
    assert headers.get("via") == "1"
    assert headers.get("V") == "1"
    assert headers.lines("vIa") == ["1", "2"]
    assert headers.get("x-fOO") == "3"
    assert headers.get("X-Bar") is None
    assert "V" in headers
    assert "x-foo" in headers
    assert "To" not in headers
    assert 1 not in headers
    assert len(headers) == 4


def test_canonical_name() -> None:
    assert canonical_name("cALL-id") == "Call-ID"
    assert canonical_name("M") == "Contact"
    assert canonical_name("C%6Fntact") is None


def test_values_are_split_and_empty_ones_left_out() -> None:
    headers = Headers([("Allow", "INVITE, ,ACK"), ("Allow", ""), ("Allow", "BYE")])
    assert headers.values("Allow") == ["INVITE", "ACK", "BYE"]
    with pytest.raises(RemoteProtocolError):
        Headers([("Allow", 'a, "')]).values("Allow")


def test_add_set_remove() -> None:
    headers = Headers([("To", "a"), ("Via", "1"), ("Z", "x"), ("v", "2")])
    headers.add("Via", " 3 ")
    headers.add_first("Via", "0")
    assert headers.lines("Via") == ["0", "1", "2", "3"]
    headers.set("via", "only")
    assert list(headers) == [("Via", "only"), ("To", "a"), ("Z", "x")]
    headers.set("z", "y")
    headers.set("New", "n")
    headers.remove("to")
    headers.remove("absent")
    assert list(headers) == [("Via", "only"), ("z", "y"), ("New", "n")]


def test_replace_first() -> None:
    headers = Headers([("To", "a"), ("Via", "1"), ("Via", "2")])
    headers.replace_first("Via", "x", "y")
    assert list(headers) == [("To", "a"), ("Via", "x"), ("Via", "y"), ("Via", "2")]
    headers.replace_first("Via")
    assert headers.lines("Via") == ["y", "2"]
    headers.replace_first("Route", "r")
    assert next(iter(headers)) == ("Route", "r")


def test_repeated_names() -> None:
    assert Headers([("a-b", ""), ("t", "1"), ("A-B", ""), ("To", "")]).repeated_names() == [
        "a-b",
        "To",
    ]


@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb", "\0"])
def test_no_field_can_be_smuggled_in(value: str) -> None:
    headers = Headers()
    for write in (headers.add, headers.add_first, headers.set, headers.replace_first):
        with pytest.raises(LocalProtocolError):
            write("Subject", value)
    with pytest.raises(LocalProtocolError):
        Headers([("Subject", value)])
    assert len(headers) == 0


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\nb"])
def test_names_are_tokens(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        Headers().add(name, "x")


def test_parsed_values_are_kept_until_the_field_changes() -> None:
    calls: list[list[str]] = []

    def parse(lines: list[str]) -> int:
        calls.append(list(lines))
        return len(lines)

    headers = Headers([("To", "a"), ("X-Odd", "1")])
    assert headers.parsed("To", parse) == headers.parsed("To", parse) == 1
    assert calls == [["a"]]
    headers.add("From", "b")
    assert headers.parsed("To", parse) == 1
    assert calls == [["a"]]
    headers.add("t", "c")
    assert headers.parsed("To", parse) == 2
    headers.remove("TO")
    assert headers.parsed("To", parse) == 0
    assert headers.parsed("X-Odd", parse) == 1
    headers.set("x-odd", "2")
    headers.parsed("X-Odd", parse)
    assert calls[-1] == ["2"]


def test_another_parser_is_not_given_the_value_of_the_first() -> None:
    headers = Headers([("To", "a")])
    assert headers.parsed("To", len) == 1
    assert headers.parsed("To", list) == ["a"]


def test_copy_is_independent() -> None:
    headers = Headers([("To", "a")])
    copy = headers.copy()
    assert copy == headers
    copy.set("To", "b")
    assert headers.get("To") == "a"
    assert copy != headers
    assert headers != [("To", "a")]
    assert repr(copy) == "Headers([('To', 'b')])"


def test_what_is_returned_can_be_changed_without_harm() -> None:
    headers = Headers([("To", "a")])
    headers.lines("To").append("b")
    headers.lines("From").append("b")
    assert headers.lines("To") == ["a"]
    assert headers.lines("From") == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add_first", "set", "remove"]),
            st.sampled_from(["Via", "v", "X-a", "x-A", "To"]),
            st.sampled_from(["1", "2", "3"]),
        )
    )
)
def test_index_and_items_agree(steps: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    for verb, name, value in steps:
        if verb == "remove":
            headers.remove(name)
        else:
            {"add": headers.add, "add_first": headers.add_first, "set": headers.set}[verb](
                name, value
            )
        for asked, spellings in (("Via", {"Via"}), ("x-a", {"X-a", "x-A"}), ("To", {"To"})):
            assert headers.lines(asked) == [v for n, v in headers if n in spellings]


def test_what_makes_look_ups_fast_can_be_given_up() -> None:
    headers = Headers([("Subject", "one"), ("Via", "a"), ("Via", "b")])
    calls = list[list[str]]()

    def parse(lines: list[str]) -> int:
        calls.append(lines)
        return len(lines)

    assert headers.parsed("Via", parse) == headers.parsed("Via", parse) == 2
    headers.forget_lookups()
    assert headers.parsed("v", parse) == 2
    assert calls == [["a", "b"]] * 2
    assert headers.get("subject") == "one"


def test_fields_that_mean_nothing_any_more_are_given_up() -> None:
    headers = Headers([("Via", "one"), ("Allow", "BYE"), ("X-Room", "lobby")])
    assert headers.get("Allow") == "BYE"
    headers.forget({"Allow", "Supported"})
    assert list(headers) == [("Via", "one"), ("X-Room", "lobby")]
    assert headers.get("Allow") is None
    assert headers.get("X-Room") == "lobby"
