"""What changed in a conference: partial documents, made and taken in (RFC 4575 4.3 to 4.6).

A subscriber holds one document and hands each received one to `merge`. By version and state:

    received                        what becomes of it
    full, newer or nothing held     replaces what is held
    deleted, newer                  the conference is over
    partial, the next version       is worked into what is held
    partial, a version was missed   refused: the subscription must be refreshed
    as old as what is held, older   left out

A full document without version is taken (COMPAT: some write none), a partial one cannot be placed.

What has no state attribute (the description, a display text) is replaced as a whole, and nothing
can say that it went. Where that happened `difference` tells the user anew, or everything.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from sylk.payload.conference_info import ConferenceInfo
from sylk.payload.conference_users import Endpoint, State, User


class Outcome(Enum):
    """What became of a received document."""

    MERGED = auto()
    OLD = auto()
    GAP = auto()
    ENDED = auto()


@dataclass(slots=True)
class Merge:
    """What became of a received document, and what the subscriber holds after it."""

    outcome: Outcome
    info: ConferenceInfo | None


def merge(held: ConferenceInfo | None, received: ConferenceInfo) -> Merge:
    """Work `received` into `held`, which is None before the first full document.

    With GAP nothing was taken: refresh the subscription, which brings a full document. What is
    held is always full. RFC 4575 4.6.
    """
    known = None if held is None else held.version
    version = received.version
    if known is not None and version is not None and version <= known:
        return Merge(Outcome.OLD, held)
    if received.state is State.DELETED:
        return Merge(Outcome.ENDED, None)
    if received.state is State.FULL:
        return Merge(Outcome.MERGED, replace(received, users=_all_full(received.users)))
    if held is None or known is None or version != known + 1:
        return Merge(Outcome.GAP, held)
    users = held.users
    if received.users_state is State.PARTIAL:
        users = _merge_users(held.users, received.users)
    else:
        deleted = received.users_state is State.DELETED
        users = () if deleted else _all_full(received.users)
    merged = replace(
        held,
        version=version,
        description=received.description or held.description,
        host_info=received.host_info or held.host_info,
        conference_state=received.conference_state or held.conference_state,
        users=users,
    )
    return Merge(Outcome.MERGED, merged)


def difference(old: ConferenceInfo, new: ConferenceInfo) -> ConferenceInfo:
    """Return the partial document that makes `new` of `old`, both full; `new` itself if none can.

    The version is that of `new`, which must be the next one for `merge` to take it. Users who
    come after a change of order stand where they stood.
    """
    parts_went = (
        (old.description is not None and new.description is None)
        or (old.host_info is not None and new.host_info is None)
        or (old.conference_state is not None and new.conference_state is None)
    )
    before = {user.entity: user for user in old.users}
    after = {user.entity: user for user in new.users}
    keyed = len(before) == len(old.users) and len(after) == len(new.users)
    if old.entity != new.entity or parts_went or not keyed:
        return new
    changes = [User(entity, state=State.DELETED) for entity in before if entity not in after]
    for entity, user in after.items():
        known = before.get(entity)
        if known is None:
            changes.append(user)
        elif known is not user and known != user:
            changes.append(_user_difference(known, user))
    return replace(
        new,
        state=State.PARTIAL,
        users_state=State.PARTIAL,
        users=tuple(changes),
        description=None if old.description == new.description else new.description,
        host_info=None if old.host_info == new.host_info else new.host_info,
        conference_state=(
            None if old.conference_state == new.conference_state else new.conference_state
        ),
    )


def _user_difference(old: User, new: User) -> User:
    before = {endpoint.entity: endpoint for endpoint in old.endpoints}
    after = {endpoint.entity: endpoint for endpoint in new.endpoints}
    went = (
        (old.display_text is not None and new.display_text is None)
        or (old.nickname is not None and new.nickname is None)
        or (old.associated_aors and not new.associated_aors)
        or (old.roles and not new.roles)
    )
    if went or len(before) != len(old.endpoints) or len(after) != len(new.endpoints):
        return new
    endpoints = [Endpoint(entity, state=State.DELETED) for entity in before if entity not in after]
    endpoints += [each for entity, each in after.items() if before.get(entity) != each]
    return User(
        new.entity,
        None if old.display_text == new.display_text else new.display_text,
        None if old.nickname == new.nickname else new.nickname,
        () if old.associated_aors == new.associated_aors else new.associated_aors,
        () if old.roles == new.roles else new.roles,
        tuple(endpoints),
        State.PARTIAL,
    )


def _all_full(users: Iterable[User]) -> tuple[User, ...]:
    """Return users as they are held: those who are told to be gone are not."""
    return tuple([_full_user(user) for user in users if user.state is not State.DELETED])


def _full_user(user: User) -> User:
    if user.state is State.FULL and all(each.state is State.FULL for each in user.endpoints):
        return user
    endpoints = tuple(
        [_full_endpoint(each) for each in user.endpoints if each.state is not State.DELETED]
    )
    return replace(user, state=State.FULL, endpoints=endpoints)


def _full_endpoint(endpoint: Endpoint) -> Endpoint:
    return endpoint if endpoint.state is State.FULL else replace(endpoint, state=State.FULL)


def _merge_users(held: Iterable[User], received: Iterable[User]) -> tuple[User, ...]:
    users = {user.entity: user for user in held}
    for user in received:
        known = users.get(user.entity)
        if user.state is State.DELETED:
            users.pop(user.entity, None)
        elif known is None or user.state is State.FULL:
            users[user.entity] = _full_user(user)
        else:
            users[user.entity] = User(
                user.entity,
                known.display_text if user.display_text is None else user.display_text,
                known.nickname if user.nickname is None else user.nickname,
                user.associated_aors or known.associated_aors,
                user.roles or known.roles,
                _merge_endpoints(known.endpoints, user.endpoints),
            )
    return tuple(users.values())


def _merge_endpoints(
    held: Iterable[Endpoint], received: Iterable[Endpoint]
) -> tuple[Endpoint, ...]:
    endpoints = {endpoint.entity: endpoint for endpoint in held}
    for endpoint in received:
        known = endpoints.get(endpoint.entity)
        if endpoint.state is State.DELETED:
            endpoints.pop(endpoint.entity, None)
        elif known is None or endpoint.state is State.FULL:
            endpoints[endpoint.entity] = _full_endpoint(endpoint)
        else:
            endpoints[endpoint.entity] = _merge_endpoint(known, endpoint)
    return tuple(endpoints.values())


def _merge_endpoint(known: Endpoint, told: Endpoint) -> Endpoint:
    media = {each.id: each for each in known.media} | {each.id: each for each in told.media}
    return Endpoint(
        known.entity,
        known.display_text if told.display_text is None else told.display_text,
        told.referred or known.referred,
        told.status or known.status,
        told.joining_method or known.joining_method,
        told.joining_info or known.joining_info,
        told.disconnection_method or known.disconnection_method,
        told.disconnection_info or known.disconnection_info,
        tuple(media.values()),
    )
