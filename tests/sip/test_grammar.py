from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import (
    is_token,
    parse_params,
    parse_unsigned,
    quote,
    render_params,
    split_commas,
    unquote,
)


@pytest.mark.parametrize("text", ["INVITE", "!interesting-Method0123456789_*+`.%indeed'~"])
def test_token(text: str) -> None:
    assert is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a:b", "é", "a\r", "a\n", "a\0", '"a"', "a/b"])
def test_no_token(text: str) -> None:
    assert not is_token(text)


def test_quoted_pairs_are_undone_once() -> None:
    assert unquote(r'"say \"\\hi\""') == r'say "\hi"'
    assert unquote('"NUL\\\0"') == "NUL\0"
    assert unquote("bare") == "bare"


@pytest.mark.parametrize(
    ("inner", "meant"),
    [
        (r"\\", "\\"),
        (r"\\\\", "\\\\"),
        (r"\\\"", '\\"'),
        (r"\"\\", '"\\'),
        (r"\a\\\b", "a\\b"),
        (r"\a\b\\\\c\"\"", 'ab\\\\c""'),
        (r"\\" * 4000, "\\" * 4000),
    ],
)
def test_a_backslash_may_be_escaped_itself(inner: str, meant: str) -> None:
    assert unquote(f'"{inner}"') == meant


def test_line_breaks_cannot_get_into_a_quoted_string() -> None:
    assert quote("a\r\nVia: b") == '"a  Via: b"'


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n")))
def test_quote_round_trip(text: str) -> None:
    assert unquote(quote(text)) == text


def test_commas_split_outside_quotes_and_brackets_only() -> None:
    assert split_commas('"a, b" <sip:x,y@z>;q="1,2" ,\t<sip:b>, c') == [
        '"a, b" <sip:x,y@z>;q="1,2"',
        "<sip:b>",
        "c",
    ]
    assert split_commas(r'"a\", b", c') == [r'"a\", b"', "c"]
    assert split_commas("a,b") == ["a", "b"]
    assert split_commas(" a ") == ["a"]
    assert split_commas(" ") == []


def test_empty_list_elements_are_kept_for_the_caller_to_judge() -> None:
    assert split_commas("a,,b,") == ["a", "", "b", ""]
    assert split_commas('"a",,') == ['"a"', "", ""]


@pytest.mark.parametrize("text", ['a, "b', "a, <sip:b", 'a, "b\\"', "<sip:a,b"])
def test_a_quote_or_bracket_never_closed(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        split_commas(text)


def test_parameters() -> None:
    assert parse_params(' ; Tag = a1 ;lr;x="q\\"; z" ;e=') == {
        "tag": "a1",
        "lr": None,
        "x": 'q"; z',
        "e": "",
    }
    assert parse_params("  ") == {}


@pytest.mark.parametrize("text", [";", ";;", ";a;;b", ";a=1;A=2", ";a b", "a=1", ';a="', ";=1"])
def test_malformed_parameters(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_params(text)


def test_parameters_are_quoted_where_they_must_be() -> None:
    params = {"tag": "a", "received": "2001:db8::1", "lr": None, "i": "<urn:uuid:1>", "e": ""}
    assert render_params(params) == ';tag=a;received=2001:db8::1;lr;i="<urn:uuid:1>";e='


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9.!%*_+`'~-]{1,20}", fullmatch=True),
        st.none() | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n")),
    )
)
def test_parameters_round_trip(params: dict[str, str | None]) -> None:
    assert parse_params(render_params(params)) == params


def test_numbers() -> None:
    assert parse_unsigned(" 0000000000000000000000000000000000068", 255, "x") == 68
    assert parse_unsigned("0", 0, "x") == 0


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", "٣", "1 2", "256", "9" * 5000, "0x1"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_unsigned(text, 255, "x")


@given(st.text())
def test_any_text_gives_a_value_or_a_remote_error(text: str) -> None:
    for parse in (split_commas, parse_params):
        with suppress(RemoteProtocolError):
            parse(text)
