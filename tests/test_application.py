"""The base of every application: refuses everything, properly."""

import pytest

from sylk.application import Application, NoSettings
from tests.peers import Caller, assert_nothing_left, running_server


class Silent(Application):
    """An application that takes nothing."""

    name = "silent"


@pytest.mark.parametrize(
    ("method", "status"), [("SUBSCRIBE", 489), ("REFER", 405), ("MESSAGE", 405)]
)
async def test_what_an_application_does_not_handle_is_refused(method: str, status: int) -> None:
    async with (
        running_server(application=Silent(NoSettings())) as server,
        Caller(server) as caller,
    ):
        assert (await caller.ask(method, "Event: x")).status == status
        await assert_nothing_left(server)


async def test_calls_are_refused_too() -> None:
    async with (
        running_server(application=Silent(NoSettings())) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite()).status == 488
        await caller.acknowledge()
        await assert_nothing_left(server)


async def test_it_holds_its_settings_and_a_logger_of_its_name() -> None:
    settings = NoSettings()
    application = Silent(settings)
    assert application.settings is settings
    assert application.logger.application == "silent"
    async with application as started:
        assert started is application
