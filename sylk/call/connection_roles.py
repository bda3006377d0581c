"""Who opens the MSRP connection: `a=setup` in offer and answer (RFC 6135, RFC 4145).

Theory. Of the two sides one is active and connects, the other is passive and listens. The offerer
says what it can be, the answerer chooses. What is not said, and `holdconn`, which MSRP does not
know (RFC 6135 section 4.2.1), mean what RFC 4975 section 8.5 laid down before there was `setup`:
the offerer connects and the answerer listens. An answer of `actpass` chooses nothing and counts as
one that says nothing.

    their offer        we listen    our answer
    active, nothing    yes          passive
    active, nothing    no           refused: nobody would listen
    actpass            yes          passive     (we know that we can be reached, section 4.2.2)
    actpass            no           active
    passive            any          active      (an offer must not say so; some do)

    our offer          their answer             we are
    actpass            active                   passive
    actpass            passive, nothing         active
    active             passive, nothing         active
    active             active                   refused: nobody would listen

Once agreed on, the roles stay: a later offer of ours says `active` or `actpass`, since no offer may
say `passive`, and whatever is answered, the connection is the one that there is. `a=connection` is
neither written nor read (section 4.4).
"""

from sylk.errors import RemoteProtocolError

ACTIVE, PASSIVE, ACTPASS = "active", "passive", "actpass"

_KNOWN = (ACTIVE, PASSIVE, ACTPASS)

ANSWERS: dict[tuple[str | None, bool], str | None] = {
    (None, True): PASSIVE,
    (None, False): None,
    (ACTIVE, True): PASSIVE,
    (ACTIVE, False): None,
    (ACTPASS, True): PASSIVE,
    (ACTPASS, False): ACTIVE,
    (PASSIVE, True): ACTIVE,
    (PASSIVE, False): ACTIVE,
}
"""What we answer to (their offer, whether we listen); None refuses."""

ROLES: dict[tuple[str, str | None], str | None] = {
    (ACTPASS, ACTIVE): PASSIVE,
    (ACTPASS, PASSIVE): ACTIVE,
    (ACTPASS, ACTPASS): ACTIVE,
    (ACTPASS, None): ACTIVE,
    (ACTIVE, ACTIVE): None,
    (ACTIVE, PASSIVE): ACTIVE,
    (ACTIVE, ACTPASS): ACTIVE,
    (ACTIVE, None): ACTIVE,
}
"""What we are after (our offer, their answer); None when both want to connect."""


def read_setup(text: str | None) -> str | None:
    """Return the value of `a=setup`, None for one that says nothing.

    Raises RemoteProtocolError (488) for a value that no RFC knows.
    """
    setup = None if text is None else text.strip().lower()
    if setup is None or setup == "holdconn":
        return None
    if setup not in _KNOWN:
        raise RemoteProtocolError(f"setup:{setup} is not known", 488)
    return setup


def first_setup(*, listens: bool) -> str:
    """Return what a first offer of ours says (RFC 6135 section 4.2.2)."""
    return ACTPASS if listens else ACTIVE


def later_setup(*, active: bool) -> str:
    """Return what an offer of ours says once the roles are known."""
    return ACTIVE if active else ACTPASS


def answer_setup(offered: str | None, *, listens: bool) -> str:
    """Return our answer to the peer's offer; raises RemoteProtocolError (488)."""
    answer = ANSWERS[offered, listens]
    if answer is None:
        raise RemoteProtocolError("nobody listens here: offer setup:actpass", 488)
    return answer


def role_after(offered: str, answered: str | None) -> str:
    """Return whether we are active or passive after our offer; raises RemoteProtocolError (488)."""
    role = ROLES[offered, answered]
    if role is None:
        raise RemoteProtocolError("both sides want to connect, nobody listens", 488)
    return role
