import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.content_type import MAX_LENGTH, ContentType, matches_any

tokens = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.+!#$%&'*^_`|~", min_size=1, max_size=12)
values = st.text(st.characters(exclude_categories=["Cc"]), max_size=20) | tokens
content_types = st.builds(ContentType, tokens, tokens, st.dictionaries(tokens, values, max_size=5))


@given(content_types)
def test_what_is_rendered_parses_to_the_same(content_type: ContentType) -> None:
    assert ContentType.parse(content_type.render()) == content_type


def parse_or_none(text: str) -> ContentType | None:
    try:
        return ContentType.parse(text)
    except RemoteProtocolError:
        return None


@given(st.text() | st.text('ab/;="\\ ', max_size=40))
def test_any_text_parses_stably_or_is_refused(text: str) -> None:
    content_type = parse_or_none(text)
    if content_type is not None:
        assert ContentType.parse(content_type.render()) == content_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/plain", ContentType("text", "plain")),
        ("Message/CPIM", ContentType("message", "cpim")),
        (" text/plain ; charset=UTF-8", ContentType("text", "plain", {"charset": "UTF-8"})),
        ('text/plain; charset="utf8"', ContentType("text", "plain", {"charset": "utf8"})),
        ('a/b;Name="x; \\"y\\""', ContentType("a", "b", {"name": 'x; "y"'})),
        ("text/plain;", ContentType("text", "plain")),
        ("text/plain;;x=1;y", ContentType("text", "plain", {"x": "1"})),
        ("text/plain; x=1; X=2", ContentType("text", "plain", {"x": "1"})),
        ('multipart/mixed;\tboundary="a', ContentType("multipart", "mixed", {"boundary": "a"})),
        ("application/im-iscomposing+xml", ContentType("application", "im-iscomposing+xml")),
    ],
)
def test_deployed_forms(text: str, expected: ContentType) -> None:
    assert ContentType.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "text", "text/", "/plain", "text plain", "text/plain x=1", "text/plain\r\nFrom: x",
     "text/plain; a=\0", "text/" + "x" * MAX_LENGTH,
     "a/b" + "".join(f";p{i}=1" for i in range(40))],
)  # fmt: skip
def test_refused_forms(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        ContentType.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("patterns", "matched"),
    [
        (["*"], True), (["*/*"], True), (["text/*"], True), (["TEXT/Plain"], True),
        (["image/*", "text/plain; charset=utf-8"], True), (["text/html"], False),
        (["image/*"], False), (["text"], False), ([], False), (["tex/*"], False),
        (["\u0130*"], False),
    ],
)  # fmt: skip
def test_matches(patterns: list[str], matched: bool) -> None:
    assert ContentType.parse("text/plain;charset=x").matches(patterns) is matched
    assert ContentType("Text", "PLAIN").matches(patterns) is matched
    assert matches_any(" TEXT/plain ; charset=x", patterns) is matched


def test_what_is_no_media_type_matches_only_the_star() -> None:
    assert matches_any("text", ["*"])
    assert not matches_any("text", ["text", "text/*", "*/*"])


@pytest.mark.parametrize(
    "content_type",
    [ContentType("text\r\nX: y", "plain"), ContentType("text", ""),
     ContentType("text", "plain", {"a b": "c"}), ContentType("text", "plain", {"a": "c\r\nd"})],
)  # fmt: skip
def test_a_part_without_a_written_form_is_not_rendered(content_type: ContentType) -> None:
    with pytest.raises(LocalProtocolError):
        content_type.render()


def test_str_is_the_rendered_form() -> None:
    assert str(ContentType("text", "plain", {"charset": "utf-8"})) == "text/plain; charset=utf-8"
