"""What the tests of XML bodies share: schemas and examples of the corpora, texts to draw."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st
from lxml import etree

from sylk.errors import RemoteProtocolError
from tests.corpora import corpus

# Texts as peers choose them, with all that no document can hold.
ANY_TEXT = st.text(
    st.characters() | st.characters(categories=["Cs", "Cc"]) | st.sampled_from("<>&\"'[]%:/# ")
)
# Texts that a document holds as they are. White space round a text means nothing.
PLAIN_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("<>&\"'\n\t")
).map(lambda text: text.strip(" \t\r\n"))
PLAIN_WORD = st.text("abcXYZ019.-", min_size=1, max_size=12)
PLAIN_URI = st.builds(
    "{}:{}@{}{}".format,
    st.sampled_from(["sip", "sips", "im", "xmpp"]),
    st.text("abcXYZ019.-_~!$&'()*+;=,?/", min_size=1).filter(lambda user: user[0] != "/"),
    PLAIN_WORD | st.just("[2001:db8::1]"),
    st.sampled_from(["", ":5061", ";transport=tls", "?a=b&c=%20"]),
)
MOMENTS = st.datetimes(timezones=st.just(UTC))


@cache
def _schema_at(path: Path) -> etree.XMLSchema | etree.RelaxNG:
    parsed = etree.parse(path)
    return etree.RelaxNG(parsed) if path.suffix == ".rng" else etree.XMLSchema(parsed)


def assert_valid(data: bytes, schema: str) -> None:
    """Check a document against a schema of the corpora; skips where there are none."""
    _schema_at(corpus("schemas") / "usable" / schema).assertValid(etree.fromstring(data))


def examples(root: str) -> list[bytes]:
    """Return the documents with this root element that RFCs print; skips where there are none."""
    folder = corpus("schemas") / "examples"
    with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["root"] == root]
    found = [(folder / name).read_bytes() for name in names if name != "-"]
    if not found:
        pytest.fail(f"no example of {root} in the corpora")
    return found


def read_or_refused(read: Callable[[bytes], object], data: bytes) -> bool:
    """Tell whether `data` was read; the only other way out is a refusal with 400."""
    status = None
    try:
        read(data)
    except RemoteProtocolError as error:
        status = error.status
    assert status in (None, 400)
    return status is None


def moment(text: str) -> datetime:
    """Return a point in time that is written in the form of RFC 3339."""
    return datetime.fromisoformat(text)
