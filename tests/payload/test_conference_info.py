"""Tests of sylk.payload.conference_info: documents of ours, of RFCs, of deployed servers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.conference_info import (
    ConferenceDescription,
    ConferenceInfo,
    ConferenceState,
    EndpointStatus,
    HostInfo,
    State,
    UriEntry,
    User,
)
from tests.corpora import corpus
from tests.payload.conferences import documents
from tests.payload.documents import ANY_TEXT, assert_valid, examples, moment, read_or_refused

# The form of the deployed server: extensions of its own, URIs that are escaped as a whole.
DEPLOYED = b"""<?xml version='1.0' encoding='UTF-8'?>
<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"
 xmlns:agp-conf="urn:ag-projects:xml:ns:conference-info" entity="sip:room@example.com"
 state="full" version="7"><conference-description><display-text>Ad-hoc</display-text><subject/>
<conf-uris><entry><uri>sip%3Aroom%40example.com</uri><purpose>participation</purpose></entry>
</conf-uris><agp-conf:resources><agp-conf:files><agp-conf:file name="a.pdf" hash="x" size="1"
 sender="Alice" status="OK"/></agp-conf:files></agp-conf:resources></conference-description>
<host-info><web-page>http://example.com</web-page></host-info>
<conference-state><user-count>2</user-count><active>true</active></conference-state>
<users state="full"><user entity="sip:alice@example.com" state="full">
<display-text>Ali</display-text><agp-conf:screen_image_url>http://x</agp-conf:screen_image_url>
<endpoint entity="sip:x@192.0.2.1:5060" state="full"><display-text>Ali</display-text>
<status>connected</status><joining-info><when>2026-11-21T07:35:47.123456+00:00</when>
</joining-info><media id="1402"><type>message</type></media></endpoint></user></users>
</conference-info>"""


def test_a_full_document() -> None:
    entry = UriEntry("sip:room@example.com", None, "participation")
    info = ConferenceInfo(
        "sip:room@example.com",
        7,
        ConferenceDescription("Room", "", "Text", (entry,), (entry, entry), 100),
        HostInfo("Host", "https://example.com/", (entry,)),
        ConferenceState(2, True, False),
        (User("sip:alice@example.com", "Ali"), User("sip:bob@example.com")),
    )
    data = info.render()
    written = "<entry><uri>sip:room@example.com</uri><purpose>participation</purpose></entry>"
    assert data.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" '
        'xmlns:xcon="urn:ietf:params:xml:ns:xcon-conference-info" '
        'entity="sip:room@example.com" state="full" version="7">'
        "<conference-description><display-text>Room</display-text><subject></subject>"
        f"<free-text>Text</free-text><conf-uris>{written}</conf-uris>"
        f"<service-uris>{written}{written}</service-uris>"
        "<maximum-user-count>100</maximum-user-count></conference-description>"
        "<host-info><display-text>Host</display-text><web-page>https://example.com/</web-page>"
        f"<uris>{written}</uris></host-info><conference-state><user-count>2</user-count>"
        '<active>true</active><locked>false</locked></conference-state><users state="full">'
        '<user entity="sip:alice@example.com" state="full"><display-text>Ali</display-text></user>'
        '<user entity="sip:bob@example.com" state="full"></user></users></conference-info>'
    )
    assert_valid(data, "conference-info.xsd")
    assert ConferenceInfo.parse(data) == info


def test_a_full_document_has_users_always() -> None:
    """Clients that are deployed fail on one without."""
    data = ConferenceInfo("sip:room@example.com").render()
    assert b'<users state="full"></users>' in data
    odd = replace(ConferenceInfo("sip:room@example.com"), users_state=State.PARTIAL)
    assert odd.render() == data


@pytest.mark.parametrize(
    ("state", "users_state", "users"),
    [
        (State.PARTIAL, State.PARTIAL, b""),
        (State.PARTIAL, State.FULL, b'<users state="full"></users>'),
        (State.PARTIAL, State.DELETED, b'<users state="deleted"></users>'),
        (State.DELETED, State.PARTIAL, b""),
    ],
)
def test_other_documents_without_users(state: State, users_state: State, users: bytes) -> None:
    info = ConferenceInfo("sip:room@example.com", 2, state=state, users_state=users_state)
    data = info.render()
    assert data.endswith(b' version="2">' + users + b"</conference-info>")
    assert_valid(data, "conference-info.xsd")
    assert ConferenceInfo.parse(data) == info


def test_the_document_of_a_deployed_server() -> None:
    info = ConferenceInfo.parse(DEPLOYED)
    assert info.description is not None
    assert info.description.subject == ""
    assert info.description.conf_uris == (UriEntry("sip:room@example.com", None, "participation"),)
    assert info.conference_state == ConferenceState(2, True, None)
    (user,) = info.users
    (endpoint,) = user.endpoints
    assert (user.entity, user.display_text) == ("sip:alice@example.com", "Ali")
    assert endpoint.status is EndpointStatus.CONNECTED
    assert endpoint.joining_info is not None
    assert endpoint.joining_info.when == moment("2026-11-21T07:35:47.123456+00:00")
    assert [media.type for media in endpoint.media] == ["message"]
    assert_valid(info.render(), "conference-info.xsd")


def test_the_documents_of_the_rfcs() -> None:
    found = [ConferenceInfo.parse(data) for data in examples("conference-info")]
    nicknames = [user.nickname for info in found for user in info.users if user.nickname]
    assert {"Dopey Donkey", "Alice the great"} <= set(nicknames)
    for info in found:
        data = info.render()
        assert_valid(data, "conference-info.xsd")
        assert ConferenceInfo.parse(data) == info
    _, partial, *_ = found
    assert (partial.state, partial.version) == (State.PARTIAL, 5)
    assert partial.description is not None
    assert partial.description.maximum_user_count == 100
    assert [entry.purpose for entry in partial.description.conf_uris] == [
        "participation", "participation", "streaming"
    ]  # fmt: skip


def test_the_documents_of_another_library() -> None:
    paths = sorted((corpus("traces") / "xml").glob("*Rfc4575*"))
    assert paths
    for path in paths:
        info = ConferenceInfo.parse(path.read_bytes())
        assert info.users
        assert ConferenceInfo.parse(info.render()) == info


@pytest.mark.parametrize(
    "attributes", ["", ' version=""', ' version="-1"', ' version="4294967296"', ' state="x"']
)
def test_a_document_without_version(attributes: str) -> None:
    data = f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"{attributes}/>'
    assert ConferenceInfo.parse(data.encode()) == ConferenceInfo("")


def test_what_is_refused() -> None:
    for data in (b"", b"<conference-info/>", DEPLOYED[:-1], DEPLOYED.replace(b"7", b"\x01")):
        with pytest.raises(RemoteProtocolError) as caught:
            ConferenceInfo.parse(data)
        assert caught.value.status == 400
    with pytest.raises(RemoteProtocolError):
        ConferenceInfo.parse(DEPLOYED, max_size=len(DEPLOYED) - 1)


@pytest.mark.parametrize("number", [-1, 0x100000000])
def test_numbers_that_have_no_form(number: int) -> None:
    for info in (
        ConferenceInfo("", number),
        ConferenceInfo("", conference_state=ConferenceState(number)),
        ConferenceInfo("", description=ConferenceDescription(maximum_user_count=number)),
    ):
        with pytest.raises(LocalProtocolError):
            info.render()


@given(documents(ANY_TEXT, ANY_TEXT))
def test_what_we_write_is_valid(info: ConferenceInfo) -> None:
    assert_valid(info.render(), "conference-info.xsd")


@given(documents())
def test_there_and_back(info: ConferenceInfo) -> None:
    assert ConferenceInfo.parse(info.render()) == info


def spoilt(at: int, new: bytes) -> bytes:
    return DEPLOYED[:at] + new + DEPLOYED[at + 1 :]


@given(
    st.binary()
    | st.text().map(lambda text: DEPLOYED.replace(b"Ali", text.encode("utf-8", "replace")))
    | st.builds(spoilt, st.integers(0, len(DEPLOYED)), st.binary(max_size=3))
)
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(ConferenceInfo.parse, data)
