import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sylk.sip.checks import check_message
from sylk.sip.message import Request, Response
from sylk.sip.parser import MalformedMessage, parse_message
from sylk.sip.uri import OtherURI, SipURI
from tests.corpora import corpus

FIELDS = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:c@d>",
    "Call-ID": "x",
    "CSeq": "1 INVITE",
    "Contact": "<sip:a@192.0.2.1>",
}

# What RFC 4475 and 5118 call wrong and what a parser can see; the rest is a core's to refuse.
REFUSED = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": 400,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "bigcode": 400,
    "badbranch": 400,
    "insuf": 400,
    "multi01": 400,
    "mcl01": 400,
    "test": 400,
    "ipv6-bad": 400,
    "ipv6-in-sdp": 400,
}
DROPPED = {"scalarlg", "bigcode", "test"}

# Its Date names a zone other than GMT, but nobody uses it.
READ_ALL_THE_SAME = {"baddate"}


def torture(folder: str) -> list[tuple[str, str, list[int], bytes]]:
    path = corpus(folder)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    return [
        (case["name"], case["verdict"], case["acceptable_status"], octets(path, case["file"]))
        for case in manifest
    ]


def octets(path: Path, name: str) -> bytes:
    return (path / name).read_bytes()


def case(name: str, folder: str = "rfc4475") -> Request | Response:
    return parse_message(octets(corpus(folder), f"{name}.dat"))


def request(name: str, folder: str = "rfc4475") -> Request:
    message = case(name, folder)
    assert isinstance(message, Request)
    assert isinstance(message.uri, SipURI)
    return message


def refusal(data: bytes) -> MalformedMessage | None:
    try:
        check_message(parse_message(data))
    except MalformedMessage as error:
        return error
    return None


def refused(message: Request | Response) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        check_message(message)
    return caught.value


def changed(
    fields: Mapping[str, str | None] | None = None, *, method: str = "INVITE", body: bytes = b""
) -> Request:
    values = FIELDS | dict(fields or {})
    text = "".join(f"{name}: {value}\r\n" for name, value in values.items() if value is not None)
    message = parse_message(f"{method} sip:c@d SIP/2.0\r\n{text}\r\n".encode() + body)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize("folder", ["rfc4475", "rfc5118"])
def test_torture_verdicts(folder: str) -> None:
    cases = torture(folder)
    assert len(cases) >= 12
    for name, verdict, acceptable, data in cases:
        error = refusal(data)
        assert (error and error.status) == REFUSED.get(name), name
        if error is None:
            assert not verdict.startswith("invalid") or name in READ_ALL_THE_SAME, name
        else:
            assert not acceptable or error.status in acceptable, name
            assert (error.message is None) == (name in DROPPED), name
            if error.message is not None:
                Response.to_request(error.message, error.status, to_tag="t").render()


def test_wsinv() -> None:
    message = request("wsinv")
    assert message.max_forwards == 68
    assert message.cseq.number == 9
    assert message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert [via.host for via in message.vias] == [
        "192.0.2.2",
        "spindle.example.com",
        "192.168.255.111",
    ]
    assert message.vias[1].branch == "z9hG4bK9ikj8"
    assert message.headers.get("Subject") == ""
    assert message.contact is not None
    assert message.contact.display_name == 'Quoted string ""'
    assert message.contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}


def test_intmeth() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.to.display_name == "BEL:\x07 NUL:\0 DEL:\x7f"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert parse_message(message.render()) == message


def test_escapes() -> None:
    message = request("esc01")
    assert isinstance(message.uri, SipURI)
    assert message.uri.user == "sips:user@example.com"
    assert message.contact is not None
    assert isinstance(message.contact.uri, SipURI)
    assert message.contact.uri.params == {"lr": None, "name": "value%41"}
    contacts = [contact.uri for contact in request("escnull").contacts]
    assert [uri.user for uri in contacts if isinstance(uri, SipURI)] == ["\0", "\0\0"]
    assert request("esc02").method == "RE%47IST%45R"
    assert len(request("esc02").contacts) == 2


def test_dblreq_is_one_message() -> None:
    message = request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")


def test_mpart01_keeps_its_octets() -> None:
    assert len(request("mpart01").body) == 553
    assert b"\0" in request("mpart01").body


def test_unknown_schemes_are_read() -> None:
    message = case("unkscm")
    assert isinstance(message, Request)
    assert message.uri == OtherURI("nobodyknowsthisscheme", "totallyopaquecontent")


def test_whose_parameter_it_is() -> None:
    outside, inside = request("cparam01").contact, request("cparam02").contact
    assert outside is not None
    assert inside is not None
    assert outside.params == {"unknownparam": None}
    assert isinstance(inside.uri, SipURI)
    assert inside.uri.params == {"unknownparam": None}


def test_ipv6_shapes() -> None:
    assert request("port-unambiguous", "rfc5118").uri == SipURI(
        "sip", None, None, "2001:db8::10", 5070
    )
    assert request("via-received-param-with-delim", "rfc5118").top_via.received == "2001:db8::9:255"
    assert request("via-received-param-no-delim", "rfc5118").top_via.received == "2001:db8::9:255"


def test_inv2543_has_a_body_to_the_end() -> None:
    assert len(request("inv2543").body) == 105


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_field_missing(name: str) -> None:
    error = refused(changed({name: None}))
    assert error.status == 400
    assert name in str(error)


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_mandatory_field_twice(name: str) -> None:
    message = changed()
    message.headers.add(name, FIELDS[name])
    assert name in str(refused(message))


def test_max_forwards_may_be_missing() -> None:
    check_message(changed())


@pytest.mark.parametrize(
    "fields",
    [
        {"Contact": '"stray <sip:a@b>'},
        {"Contact": "<sip:a@b>;;;;"},
        {"Contact": "*"},
        {"Max-Forwards": "256"},
        {"Expires": "x"},
        {"Route": "<sip:a"},
        {"Record-Route": '"'},
        {"CSeq": "1 BYE"},
        {"Via": "SIP/2.0/UDP a;branch=z9hG4bK"},
        {"Call-ID": "a b"},
    ],
)
def test_malformed_field(fields: dict[str, str]) -> None:
    message = changed(fields)
    error = refused(message)
    assert error.status == 400
    assert error.message is message


def test_a_star_is_for_register() -> None:
    check_message(changed({"CSeq": "1 REGISTER", "Contact": "*"}, method="REGISTER"))


def test_body_needs_a_content_type() -> None:
    assert refused(changed(body=b"x")).status == 400
    check_message(changed({"Content-Type": "text/plain"}, body=b"x"))


def test_malformed_response_has_nobody_to_answer() -> None:
    response = Response.to_request(changed(), 200)
    check_message(response)
    response.headers.remove("CSeq")
    assert refused(response).message is None
