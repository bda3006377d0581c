import hashlib
import json
import re
from typing import TypedDict, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.digest import (
    ALGORITHMS,
    MAX_PARAMETERS,
    MAX_VALUES,
    Challenge,
    Credentials,
    StoredUser,
    answer_challenge,
    compute_response,
    hash_password,
    parse_challenges,
    parse_credentials,
    password_algorithm,
    responses_agree,
)
from sylk.sip.grammar import is_token
from tests.corpora import corpus

BOB = (
    'Digest username="bob", realm="example.com", nonce="n", uri="sip:room@example.com", '
    'response="6629fae49393a05397450978507c4ef1"'
)
BOB_VALUE = Credentials(
    "bob", "example.com", "n", "sip:room@example.com", "6629fae49393a05397450978507c4ef1"
)

text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
token = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=10)
algorithm = st.sampled_from(ALGORITHMS) | st.just("SHA3-256")


class Vector(TypedDict):
    source: str
    alg: str
    user: str
    realm: str
    pw: str
    method: str
    uri: str
    nonce: str
    nc: str
    cnonce: str
    qop: str
    response_computed: str


def vectors() -> list[Vector]:
    path = corpus("flows") / "digest-vectors.json"
    return cast(list[Vector], json.loads(path.read_text(encoding="utf-8")))


def test_the_vectors_of_the_rfcs() -> None:
    algorithms: set[str] = set()
    for vector in vectors():
        credentials = Credentials(
            vector["user"],
            vector["realm"],
            vector["nonce"],
            vector["uri"],
            "",
            vector["alg"],
            vector["qop"],
            vector["nc"],
            vector["cnonce"],
        )
        ha1 = hash_password(vector["user"], vector["realm"], vector["pw"], vector["alg"])
        computed = compute_response(ha1, credentials, vector["method"])
        assert computed == vector["response_computed"], vector["source"]
        algorithms.add(vector["alg"])
    assert algorithms == {"MD5", "SHA-256", "SHA-512-256"}


def test_our_client_answers_as_the_rfc_does() -> None:
    for vector in vectors():
        challenge = Challenge(vector["realm"], vector["nonce"], vector["alg"])
        value = answer_challenge(
            [challenge],
            vector["user"],
            vector["pw"],
            vector["method"],
            vector["uri"],
            1,
            vector["cnonce"],
        )
        (credentials,) = parse_credentials([value])
        assert credentials.response == vector["response_computed"]
        assert credentials.username == vector["user"]


def test_without_qop_the_digest_is_that_of_rfc_2069() -> None:
    # The example of RFC 2069 section 2.4, with the digest that its erratum 749 gives.
    challenge = Challenge(
        "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=(), opaque="x"
    )
    value = answer_challenge(
        [challenge], "Mufasa", "CircleOfLife", "GET", "/dir/index.html", 1, "unused"
    )
    (credentials,) = parse_credentials([value])
    assert credentials.response == "1949323746fe6a43ef61f9606e7febea"
    assert (credentials.qop, credentials.nonce_count, credentials.cnonce) == (None, None, None)
    assert credentials.opaque == "x"


@pytest.mark.parametrize(("name", "of_library"), [("MD5", "md5"), ("SHA-256", "sha256")])
def test_the_session_variant_hashes_nonce_and_cnonce_into_the_key(
    name: str, of_library: str
) -> None:
    def hashed(value: str) -> str:
        return hashlib.new(of_library, value.encode()).hexdigest()

    credentials = Credentials(
        "bob", "r", "nonce", "sip:a@b", "", f"{name}-sess", "auth", "00000001", "cnonce"
    )
    key = hashed(hashed("bob:r:secret") + ":nonce:cnonce")
    expected = hashed(f"{key}:nonce:00000001:cnonce:auth:" + hashed("INVITE:sip:a@b"))
    ha1 = hash_password("bob", "r", "secret", f"{name}-sess")
    assert ha1 == hash_password("bob", "r", "secret", name)
    assert compute_response(ha1, credentials, "INVITE") == expected


def test_an_unknown_algorithm_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        hash_password("bob", "r", "secret", "ROT13")


def test_the_strongest_challenge_is_answered() -> None:
    challenges = [
        Challenge("r", "1", "MD5"),
        Challenge("r", "2", "SHA-3000"),
        Challenge("r", "3", "SHA-256", qop=("auth-int",)),
        Challenge("r", "4", "SHA-256-sess", qop=()),
        Challenge("r", "5", "SHA-256-sess", qop=("auth-int", "auth")),
        Challenge("r", "6", "SHA-256"),
    ]
    value = answer_challenge(challenges, "bob", "secret", "INVITE", "sip:a@b", 10, 'c"')
    (credentials,) = parse_credentials([value])
    # Among equals the topmost: the server prefers it (RFC 8760 section 2.3).
    assert (credentials.nonce, credentials.algorithm) == ("5", "SHA-256-sess")
    assert (credentials.qop, credentials.nonce_count) == ("auth", "0000000a")
    assert credentials.cnonce == 'c"'
    with pytest.raises(RemoteProtocolError):
        answer_challenge(challenges[1:4], "bob", "secret", "INVITE", "sip:a@b", 1, "c")


def test_responses_agree_in_any_case() -> None:
    assert responses_agree("6629fae4", "6629FAE4")
    assert not responses_agree("6629fae4", "6629fae5")
    assert not responses_agree("6629fae4", "")
    assert not responses_agree("6629fae4", "6629fäe\udcff")


@pytest.mark.parametrize(
    "line",
    [
        BOB,
        BOB.replace("Digest", "DIGEST"),
        BOB.replace("Digest", "digest \t"),
        BOB.replace(", ", ","),
        BOB.replace("=", " = "),
        BOB.replace('"', ""),
        BOB.replace("username", "USERNAME"),
        BOB.replace(", ", " , ,\t") + ",",
        BOB + ", algorithm=md5",
        BOB + ', algorithm="MD5"',
        BOB + ', userhash=false, vendor="x,y"',
        BOB.replace('username="bob"', "username*=UTF-8''b%6Fb"),
        BOB.replace('"bob"', '"b\\ob"'),
        'Bearer abc.def==, Basic realm="x", Negotiate, ' + BOB,
    ],
)
def test_what_deployed_clients_write(line: str) -> None:
    assert parse_credentials([line]) == [BOB_VALUE]


def test_numbers_and_qop_in_quotes() -> None:
    expected = Credentials(
        **{field: getattr(BOB_VALUE, field) for field in ("username", "realm", "nonce", "uri")},
        response=BOB_VALUE.response,
        qop="auth",
        nonce_count="00000001",
        cnonce="c",
        opaque="",
    )
    for extra in (
        ', qop=auth, nc=00000001, cnonce="c", opaque=""',
        ', qop="auth", nc="00000001", cnonce=c, opaque=',
    ):
        assert parse_credentials([BOB + extra]) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "Digest",
        "=",
        '"',
        'realm="x"',
        'Digest realm="x',
        'Digest realm="x"y"z"',
        "Digest realm=a b",
        BOB.replace('realm="example.com", ', ""),
        BOB.replace('nonce="n", ', ""),
        BOB.replace('username="bob", ', ""),
        BOB.replace('uri="sip:room@example.com", ', ""),
        BOB.partition(", response")[0],
        BOB + ', username="bob"',
        BOB + ", USERNAME=bob",
        BOB + ", username*=UTF-8''bob",
        BOB.replace('username="bob"', "username*=bob"),
        BOB.replace('username="bob"', "username*=ISO-8859-1''bob"),
        BOB + ", qop=auth",
        BOB + ", qop=auth, nc=00000001",
        BOB + ', qop=auth, cnonce="c"',
        BOB + ', qop="auth,auth-int", nc=00000001, cnonce="c"',
        BOB + ", nc=g",
        BOB + ", nc=000000001",
        BOB + ", nc=",
        BOB + ", nc=-1",
        BOB + ', algorithm="MD 5"',
        BOB + ", algorithm=",
    ],
)
def test_malformed_credentials(line: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_credentials([line])
    assert caught.value.status == 400


def test_several_challenges_in_one_message() -> None:
    lines = [
        'Digest realm="a", nonce="1", algorithm=SHA-256, qop="auth, auth-int", stale=TRUE, '
        'Digest realm="a", nonce="2", domain="sip:a sip:b"',
        'Basic realm="a"',
        'Digest realm="b", nonce="3", qop=auth, opaque="o", stale=false, algorithm=sha-512-256',
    ]
    assert parse_challenges(lines) == [
        Challenge("a", "1", "SHA-256", ("auth", "auth-int"), stale=True),
        Challenge("a", "2", qop=()),
        Challenge("b", "3", "SHA-512-256", opaque="o"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Digest",
        'Digest realm="a"',
        'Digest nonce="a"',
        'Digest realm="a", nonce="1", nonce="2"',
        'Digest realm="a", nonce="1", qop="a b"',
        'Digest realm="a", nonce="1", algorithm="a b"',
    ],
)
def test_malformed_challenges(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_challenges([line])


def test_the_number_of_values_and_parameters_is_bounded() -> None:
    challenge = 'Digest realm="a", nonce="1"'
    assert len(parse_challenges([challenge] * MAX_VALUES)) == MAX_VALUES
    with pytest.raises(RemoteProtocolError):
        parse_challenges([challenge] * (MAX_VALUES + 1))
    with pytest.raises(RemoteProtocolError):
        parse_challenges([", ".join(["Basic"] * (MAX_VALUES + 1))])
    more = "".join(f", x{number}=1" for number in range(MAX_PARAMETERS - 2))
    assert len(parse_challenges([challenge + more])) == 1
    with pytest.raises(RemoteProtocolError):
        parse_challenges([f"{challenge}{more}, y=1"])


def test_what_is_kept_of_a_password_is_not_printed() -> None:
    assert "0123" not in repr(StoredUser({"MD5": "0123"}))


def test_the_messages_of_the_corpus() -> None:
    folder = corpus("flows") / "sip"
    field = re.compile(
        r"^(?:(WWW|Proxy)-Authenticate|(?:Proxy-)?Authorization)[ \t]*:[ \t]*"
        r"(.*(?:\r?\n[ \t].*)*)",
        re.IGNORECASE | re.MULTILINE,
    )
    seen = 0
    for path in sorted(folder.iterdir()):
        for match in field.finditer(path.read_bytes().decode("utf-8", "surrogateescape")):
            line = re.sub(r"\s+", " ", match[2]).strip()
            if not line.startswith("Digest ") or "..." in line:
                continue
            # RFC 3665 forgets what qop needs in some places, and a comma in another.
            if not match[1] and "qop=" in line and "cnonce=" not in line:
                continue
            line = line.replace('com" nonce', 'com", nonce')
            (value,) = parse_challenges([line]) if match[1] else parse_credentials([line])
            assert value.realm
            seen += 1
    assert seen > 30


challenges = st.builds(
    Challenge,
    text,
    text,
    algorithm | token.filter(lambda name: name.lower() not in map(str.lower, ALGORITHMS)),
    st.lists(token.map(str.lower), max_size=3).map(tuple),
    st.none() | text,
    st.booleans(),
)


@st.composite
def some_credentials(draw: st.DrawFn) -> Credentials:
    qop = draw(st.none() | token)
    optional = st.none() if qop is None else st.nothing()
    return Credentials(
        draw(text),
        draw(text),
        draw(text),
        draw(text),
        draw(text),
        draw(algorithm),
        qop,
        draw(optional | st.text("0123456789abcdefABCDEF", min_size=1, max_size=8)),
        draw(optional | text),
        draw(st.none() | text),
    )


@given(st.lists(challenges, max_size=3))
def test_challenges_round_trip(values: list[Challenge]) -> None:
    lines = [str(value) for value in values]
    assert parse_challenges(lines) == values
    assert parse_challenges([", ".join(lines)]) == values


@given(st.lists(some_credentials(), max_size=3))
def test_credentials_round_trip(values: list[Credentials]) -> None:
    lines = [str(value) for value in values]
    assert parse_credentials(lines) == values
    assert parse_credentials([", ".join(lines)]) == values


header_text = (
    st.text()
    | st.text(alphabet='Digest realm="nonce",=\\ \t')
    | st.lists(
        st.sampled_from(
            ["Digest ", 'realm="', "nonce=n", '"', ",", "\\", "uri=", "qop=auth", "nc=1", "\0", "="]
        )
    ).map("".join)
)


@given(st.lists(header_text | st.just(BOB), max_size=3))
def test_any_text_gives_values_or_a_remote_error(lines: list[str]) -> None:
    for parse in (parse_challenges, parse_credentials):
        try:
            values = parse(lines)
        except RemoteProtocolError:
            pass
        else:
            assert parse([str(value) for value in values]) == values


@given(some_credentials())
def test_a_response_can_be_computed_for_whatever_is_read(credentials: Credentials) -> None:
    if credentials.algorithm not in ALGORITHMS:
        with pytest.raises(LocalProtocolError):
            compute_response("00", credentials, "INVITE")
        return
    response = compute_response("00", credentials, "INVITE")
    assert is_token(response)
    size = len(hash_password("", "", "", password_algorithm(credentials.algorithm)))
    assert len(response) == size


@pytest.mark.parametrize(
    "text", ['Digest username="alice', 'Digest realm=a, nonce="b\\', 'Digest a"b']
)
def test_a_quote_that_is_never_closed_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="never closed"):
        parse_credentials([text])
