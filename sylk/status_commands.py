"""What the control socket can ask of the server itself: `status`, `rooms` and `log level`."""

import os
from collections.abc import Mapping
from dataclasses import asdict

import trio

from sylk import __version__
from sylk.control import Command, ControlError, Json
from sylk.log import (
    LOG_LEVELS,
    application_log_level,
    log_level,
    set_application_log_level,
    set_log_level,
)
from sylk.status import ServerStatus

AS_OTHERS = "default"
"""In place of a level: the application has none of its own any more."""


def status_commands(status: ServerStatus) -> Mapping[str, Command]:
    """Return the commands by their names.

    `log level` takes `level` and `application`; without a level it tells which there are.
    """

    async def tell_status(_request: Json) -> Json:
        await trio.lowlevel.checkpoint()
        return {"version": __version__, "pid": os.getpid(), **status.describe()}

    async def tell_rooms(_request: Json) -> Json:
        await trio.lowlevel.checkpoint()
        rooms = [{"application": name, **asdict(room)} for name, room in status.rooms()]
        return {"rooms": rooms}

    async def change_level(request: Json) -> Json:
        await trio.lowlevel.checkpoint()
        application, level = request.get("application"), request.get("level")
        if level is not None:
            _set_level(status, application, level)
        levels = {name: application_log_level(name) for name in status.applications}
        return {"level": log_level(), "applications": levels}

    return {"status": tell_status, "rooms": tell_rooms, "log level": change_level}


def _set_level(status: ServerStatus, application: object, level: object) -> None:
    if application is None and level in LOG_LEVELS:
        set_log_level(str(level))
        return
    if level not in (*LOG_LEVELS, AS_OTHERS):
        raise ControlError(f"there is no level {level!r}; there are: {', '.join(LOG_LEVELS)}")
    if application is None:
        raise ControlError(f"{AS_OTHERS} needs an application")
    if not isinstance(application, str) or application not in status.applications:
        running = ", ".join(sorted(status.applications))
        raise ControlError(f"no application {application!r} runs; there are: {running}")
    set_application_log_level(application, None if level == AS_OTHERS else str(level))
