"""The commands of the operator about the server itself, as the control socket gives them."""

import logging

import pytest

from sylk.application import NoSettings
from sylk.control import ControlError
from sylk.log import application_log_level, set_application_log_level
from sylk.status_commands import status_commands
from tests.peers import running_server
from tests.test_status import Telling


async def test_status_and_rooms_are_told() -> None:
    async with running_server(application=Telling(NoSettings())) as server:
        commands = status_commands(server.status)
        told = await commands["status"]({})
        assert {"version", "pid", "uptime", "rates", "counters", "applications"} <= set(told)
        rooms = (await commands["rooms"]({}))["rooms"]
        assert isinstance(rooms, list)
        assert rooms[0] == {
            "application": "telling",
            "address": "sip:a@x",
            "people": 1,
            "participants": 2,
            "messages": 0,
            "waiting": 0,
            "subject": "",
            "locked": False,
            "history": False,
        }


async def test_levels_are_changed_for_all_and_for_one() -> None:
    root = logging.getLogger()
    before = root.level
    try:
        async with running_server(application=Telling(NoSettings())) as server:
            change = status_commands(server.status)["log level"]
            answer = await change({"level": "error"})
            assert answer == {"level": "error", "applications": {"telling": None}}
            answer = await change({"level": "debug", "application": "telling"})
            assert answer == {"level": "error", "applications": {"telling": "debug"}}
            assert server.config.applications["telling"].logger.isEnabledFor(logging.DEBUG)
            answer = await change({"level": "default", "application": "telling"})
            assert answer["applications"] == {"telling": None}
            assert await change({}) == answer
    finally:
        root.setLevel(before)
        set_application_log_level("telling", None)
    assert application_log_level("telling") is None


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"level": "loud"}, "there is no level 'loud'; there are: debug, "),
        ({"level": 7}, "there is no level 7"),
        ({"level": "default"}, "default needs an application"),
        ({"level": "info", "application": "other"}, "no application 'other' runs; there are: "),
        ({"level": "info", "application": ["x"]}, "no application"),
    ],
)
async def test_what_cannot_be_is_refused(request_: dict[str, object], complaint: str) -> None:
    async with running_server(application=Telling(NoSettings())) as server:
        with pytest.raises(ControlError) as refused:
            await status_commands(server.status)["log level"](request_)
    assert str(refused.value).startswith(complaint)
