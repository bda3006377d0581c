"""Documents of a large room: what it costs to tell its subscribers who is there."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks.report import Section
from sylk.payload.conference_changes import difference, merge
from sylk.payload.conference_info import (
    ConferenceDescription,
    ConferenceInfo,
    ConferenceState,
    Endpoint,
    EndpointStatus,
    Execution,
    JoiningMethod,
    Media,
    MediaStatus,
    UriEntry,
    User,
)

USERS = 1000
ROUNDS = 20


def run(*, quick: bool) -> Section:
    """Measure writing, reading and comparing the documents of a room."""
    section = Section(
        "conference-info",
        [f"A room of {USERS} users with one session each. Best of {ROUNDS} rounds."],
    )
    users = [_user(number) for number in range(USERS)]
    whole = _document(users, 1)
    data = whole.render()
    changed = _document([replace(users[0], display_text="Ali"), *users[1:]], 2)
    change = difference(whole, changed)

    def first() -> None:
        _document([replace(user) for user in users], 1).render()

    def one_changed() -> None:
        _document([replace(users[0], display_text="Ali"), *users[1:]], 2).render()

    works: list[tuple[str, int, Callable[[], object]]] = [
        ("write, nobody known", len(data), first),
        ("write, one user changed", len(data), one_changed),
        ("what changed, as a document", len(change.render()), lambda: difference(whole, changed)),
        ("read", len(data), lambda: ConferenceInfo.parse(data)),
        ("take a change in", len(change.render()), lambda: merge(whole, change)),
    ]
    for name, size, work in works:
        milliseconds = _best(work, ROUNDS // 4 if quick else ROUNDS) * 1e3
        section.add(name, {"bytes": size, "ms": milliseconds})
    return section


def _best(work: Callable[[], object], rounds: int) -> float:
    """Return the seconds of the best round."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def _user(number: int) -> User:
    endpoint = Endpoint(
        f"sip:user{number}@192.0.2.{number % 256}:5060;transport=tls",
        f"User {number}",
        status=EndpointStatus.CONNECTED,
        joining_method=JoiningMethod.DIALED_IN,
        joining_info=Execution(datetime(2026, 1, 1, 12, 0, 0, 123456, UTC)),
        media=(Media(str(number), "message", label="1", status=MediaStatus.SENDRECV),),
    )
    return User(
        f"sip:user{number}@example.com",
        f"User {number}",
        f"Nick {number}",
        roles=("participant",),
        endpoints=(endpoint,),
    )


def _document(users: list[User], version: int) -> ConferenceInfo:
    entry = UriEntry("sip:lobby@conference.example.com", purpose="participation")
    return ConferenceInfo(
        entry.uri,
        version,
        ConferenceDescription("Lobby", subject="", conf_uris=(entry,)),
        conference_state=ConferenceState(len(users), active=True, locked=False),
        users=tuple(users),
    )
