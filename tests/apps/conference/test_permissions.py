"""Every way to do something as somebody else, or in a room where one is not: who, what, where.

A cell says the status, who of Alice and Bob has heard it, "-" and a name for who was put out, and
how many more are in rooms. A dot is what that person cannot even try.
"""

from collections.abc import Mapping

import pytest

from tests.apps.conference.permissions import (
    COMMAND,
    LOBBY,
    OTHER,
    What,
    asks,
    brings_a_list,
    calls,
    calls_himself_bob,
    commands,
    in_the_call_of_alice,
    outcome,
    reports_for_another,
    says,
    scene_of,
    takes_the_session_of_alice,
)
from tests.peers import DOMAIN

ALICE, MOD = f"alice@{DOMAIN}", f"mod@{DOMAIN}"
LOCKED, MEMBERS, PRIVATE = f"locked@{DOMAIN}", f"members@{DOMAIN}", f"private@{DOMAIN}"
GUEST = "<sip:guest@127.0.0.1:9>"

ATTEMPTS: Mapping[str, What] = {
    # Coming in
    "calls the lobby": calls(LOBBY),
    "calls a locked room": calls(LOCKED),
    "calls a room of members": calls(MEMBERS),
    "calls it as Alice by P-Asserted-Identity": calls(
        MEMBERS, f"P-Asserted-Identity: <sip:{ALICE}>"
    ),
    "calls it as if Alice had referred him": calls(MEMBERS, f"Referred-By: <sip:{ALICE}>"),
    "takes the place of Alice": calls(LOBBY, "Replaces: ALICE-DIALOG"),
    "joins the call of Alice": calls(OTHER, "Join: ALICE-DIALOG"),
    "brings a list": brings_a_list,
    # Saying something
    "says it": says(LOBBY),
    "says it as Alice": says(LOBBY, ALICE),
    "whispers to Alice": says(ALICE),
    "whispers to Alice as the moderator": says(ALICE, MOD),
    "takes the session of Alice": takes_the_session_of_alice(own_path=True),
    "takes it under her path": takes_the_session_of_alice(own_path=False),
    "calls himself as Bob does": calls_himself_bob,
    "reports for another": reports_for_another,
    # Commands
    "bans Alice": commands("ban", user=f"sip:{ALICE}"),
    "kicks Alice": commands("kick", user=f"sip:{ALICE}"),
    "mutes Alice": commands("mute", user=f"sip:{ALICE}"),
    "locks the room": commands("lock"),
    "changes the subject": commands("subject", text="mine"),
    "locks it as the moderator": says(LOBBY, MOD, kind=COMMAND, command="lock"),
    "asks for what was said": commands("history"),
    # Requests outside of a call
    "has the lobby call somebody": asks("REFER", LOBBY, f"Refer-To: {GUEST}"),
    "has it call, referred by Alice": asks(
        "REFER", LOBBY, f"Refer-To: {GUEST}", f"Referred-By: <sip:{ALICE}>"
    ),
    "puts Alice out": asks("REFER", LOBBY, f"Refer-To: <sip:{ALICE};method=BYE>"),
    "puts her out, asserted as the moderator": asks(
        "REFER",
        LOBBY,
        f"Refer-To: <sip:{ALICE};method=BYE>",
        f"P-Asserted-Identity: <sip:{MOD}>",
    ),
    "watches the lobby": asks("SUBSCRIBE", LOBBY, "Event: conference"),
    "watches a room of members": asks("SUBSCRIBE", MEMBERS, "Event: conference"),
    "watches a room for those who are there": asks("SUBSCRIBE", PRIVATE, "Event: conference"),
    "writes to the lobby": asks("MESSAGE", LOBBY),
    "notifies the lobby": asks("NOTIFY", LOBBY, "Event: conference"),
    "says to the factory that it ends": asks("BYE", f"conference-factory@{DOMAIN}"),
    # In the call of Alice
    "hangs up for Alice, guessing her tag": in_the_call_of_alice("BYE", tag=False),
    "hangs up for Alice, guessing ours": in_the_call_of_alice("BYE", tag=True),
    "changes her call, guessing her tag": in_the_call_of_alice("INVITE", tag=False),
    "changes her call, guessing ours": in_the_call_of_alice("INVITE", tag=True),
    "cancels for her": in_the_call_of_alice("CANCEL", tag=False),
    "refers in her call": in_the_call_of_alice("REFER", tag=False),
}

TABLE = """
                                         | stranger | carol         | elsewhere | left   | banned | muted  | mod           | boss
calls the lobby                          | 200 +1   | 200 +1        | 200 +1    | 200 +1 | 403    | 200 +1 | 200 +1        | 200 +1
calls a locked room                      | 403      | 403           | 403       | 403    | 403    | 403    | 200 +1        | 403
calls a room of members                  | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
calls it as Alice by P-Asserted-Identity | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
calls it as if Alice had referred him    | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
takes the place of Alice                 | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
joins the call of Alice                  | 200 +1   | 200 +1        | 200 +1    | 200 +1 | 403    | 200 +1 | 200 +1        | 200 +1
brings a list                            | 200      | 200           | 200       | 200    | 403    | 200    | 200           | 200
says it                                  | 481      | 200 alice bob | 404       | 481    | 481    | 403    | 200 alice bob | 404
says it as Alice                         | 481      | 403           | 403       | 481    | 481    | 403    | 403           | 403
whispers to Alice                        | 481      | 200 alice     | 404       | 481    | 481    | 403    | 200 alice     | 404
whispers to Alice as the moderator       | 481      | 403           | 403       | 481    | 481    | 403    | 200 alice     | 403
takes the session of Alice               | 506      | 506           | 506       | 506    | 506    | 506    | 506           | 506
takes it under her path                  | 506      | 506           | 506       | 506    | 506    | 506    | 506           | 506
calls himself as Bob does                | .        | 425           | 200       | .      | .      | 425    | 425           | 200
reports for another                      | 0        | 0             | 0         | 0      | 0      | 0      | 0             | 0
bans Alice                               | 481      | 403           | 403       | 481    | 481    | 403    | 200 -alice    | 200
kicks Alice                              | 481      | 403           | 403       | 481    | 481    | 403    | 200 -alice    | 404
mutes Alice                              | 481      | 403           | 403       | 481    | 481    | 403    | 200           | 200
locks the room                           | 481      | 403           | 403       | 481    | 481    | 403    | 200           | 200
changes the subject                      | 481      | 403           | 403       | 481    | 481    | 403    | 200           | 200
locks it as the moderator                | 481      | 403           | 403       | 481    | 481    | 403    | 200           | 403
asks for what was said                   | 481      | 200           | 200       | 481    | 481    | 200    | 200           | 200
has the lobby call somebody              | 403      | 202           | 403       | 403    | 403    | 202    | 202           | 403
has it call, referred by Alice           | 403      | 202           | 403       | 403    | 403    | 202    | 202           | 403
puts Alice out                           | 403      | 403           | 403       | 403    | 403    | 403    | 202 -alice    | 403
puts her out, asserted as the moderator  | 403      | 403           | 403       | 403    | 403    | 403    | 202 -alice    | 403
watches the lobby                        | 200      | 200           | 200       | 200    | 403    | 200    | 200           | 200
watches a room of members                | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
watches a room for those who are there   | 403      | 403           | 403       | 403    | 403    | 403    | 403           | 403
writes to the lobby                      | 405      | 405           | 405       | 405    | 405    | 405    | 405           | 405
notifies the lobby                       | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
says to the factory that it ends         | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
hangs up for Alice, guessing her tag     | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
hangs up for Alice, guessing ours        | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
changes her call, guessing her tag       | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
changes her call, guessing ours          | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
cancels for her                          | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
refers in her call                       | 481      | 481           | 481       | 481    | 481    | 481    | 481           | 481
"""  # noqa: E501 - a table is read along its rows
"""`carol` is a participant; `elsewhere` is one of another room, and `boss` its moderator."""

_HEAD, *_ROWS = [
    [cell.strip() for cell in line.split("|")] for line in TABLE.strip("\n").splitlines()
]
WHO = _HEAD[1:]
CELLS = {(who, row[0]): cell for row in _ROWS for who, cell in zip(WHO, row[1:], strict=True)}
LASTING = [
    pytest.param(who, name, expected, id=f"{who} {name}")
    for (who, name), expected in CELLS.items()
    if expected.startswith("2") and not name.startswith(("says", "whispers", "watches"))
]
"""What changes something, so that nothing else can be tried behind it."""


def test_each_attempt_has_its_row() -> None:
    assert [row[0] for row in _ROWS] == list(ATTEMPTS)


@pytest.mark.parametrize("who", WHO)
async def test_what_is_refused_or_changes_nothing(who: str) -> None:
    lasting = {tuple(one.values[:2]) for one in LASTING}
    expected = {
        name: cell
        for (whose, name), cell in CELLS.items()
        if whose == who and cell != "." and (whose, name) not in lasting
    }
    async with scene_of(who) as scene:
        found = {name: await outcome(scene, ATTEMPTS[name]) for name in expected}
    assert found == expected


@pytest.mark.parametrize(("who", "name", "expected"), LASTING)
async def test_what_may_be_done_and_what_comes_of_it(who: str, name: str, expected: str) -> None:
    async with scene_of(who) as scene:
        assert await outcome(scene, ATTEMPTS[name]) == expected
