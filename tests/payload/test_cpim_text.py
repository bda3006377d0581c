import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.payload.cpim_text import (
    CONTROL_ESCAPES,
    QUOTED_ESCAPES,
    TEXT_ESCAPES,
    decode,
    encode,
    split_parameters,
    unescape,
)


@given(st.text())
def test_escaped_text_has_no_control_character_and_comes_back(text: str) -> None:
    for escapes in (TEXT_ESCAPES, QUOTED_ESCAPES):
        escaped = text.translate(escapes)
        assert all(character >= " " and character != "\x7f" for character in escaped)
        assert unescape(escaped) == text


@given(st.text())
def test_values_that_are_escaped_already_keep_their_escapes(text: str) -> None:
    escaped = text.translate(TEXT_ESCAPES)
    assert escaped.translate(CONTROL_ESCAPES) == escaped


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\\\"\'", "\\\"'"), (r"\b\t\n\r", "\b\t\n\r"), (r"\u0041\u00e9", "Aé"),
        (r"\ud83d\ude00", "😀"), (r"\uD83D\uDE00", "😀"),
        (r"\ud83d", "\ufffd"), (r"\udc0a", "\ufffd"), (r"\udc80\udcff", "\ufffd\ufffd"),
        (r"\q\u12", "qu12"), ("ends in \\", "ends in "), ("\\\n", "\n"), ("", ""),
    ],
)  # fmt: skip
def test_unescape(escaped: str, text: str) -> None:
    assert unescape(escaped) == text


@given(st.binary())
def test_bytes_survive(data: bytes) -> None:
    assert encode(decode(data)) == data


@given(st.text())
def test_any_text_can_be_encoded(text: str) -> None:
    assert encode(text) == text.encode()


def test_half_a_pair_is_replaced() -> None:
    assert encode("a\ud800b\udfffc\udc0a\udcff") == "a\ufffdb\ufffdc\ufffd".encode() + b"\xff"


@pytest.mark.parametrize(
    ("text", "params", "value"),
    [
        (" plain", "", "plain"), ("plain ", "", "plain"), ("", "", ""), (" ;no", "", ";no"),
        (";lang=fr beau temps", ";lang=fr", "beau temps"), (";lang=fr", ";lang=fr", ""),
        (';a="x y;\\" z";b=1 v', ';a="x y;\\" z";b=1', "v"), (';a="open v', ";a=", '"open v'),
    ],
)  # fmt: skip
def test_split_parameters(text: str, params: str, value: str) -> None:
    assert split_parameters(text) == (params, value)


def test_many_parameters_take_no_long_time() -> None:
    text = ';a="' + ";" * 16000 + '"x'
    assert split_parameters(text)[0] == text
    assert split_parameters(";" * 16000 + '"')[0] == ";" * 16000
