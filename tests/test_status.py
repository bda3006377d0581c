"""The figures of a server that runs, and applications that fail to tell theirs."""

from collections.abc import Iterable, Mapping

from sylk.application import Application
from sylk.application import NoSettings as Nothing
from sylk.room_status import RoomStatus
from sylk.status import RATE_SPAN, SAMPLE_INTERVAL
from tests.peers import running_server


class Telling(Application):
    name = "telling"

    def status(self) -> Mapping[str, float]:
        return {"guests": 3}

    def rooms(self) -> Iterable[RoomStatus]:
        return [RoomStatus(address=f"sip:{name}@x", people=1, participants=2) for name in "ba"]


class Broken(Telling):
    name = "broken"

    def status(self) -> Mapping[str, float]:
        raise RuntimeError("no figures")

    def rooms(self) -> Iterable[RoomStatus]:
        raise RuntimeError("no rooms")


async def test_a_server_tells_its_figures_and_those_of_its_application() -> None:
    async with running_server(application=Telling(Nothing())) as server:
        told = server.status.describe()
        assert told["sessions"] == 0
        assert told["applications"] == {"telling": {"guests": 3}}
        assert [room.address for _, room in server.status.rooms()] == ["sip:a@x", "sip:b@x"]
        assert server.status.gauges().memory > 0


async def test_an_application_that_fails_to_tell_hides_nothing_else() -> None:
    async with running_server(application=Broken(Nothing())) as server:
        told = server.status.describe()
        assert told["applications"] == {"broken": {}}
        assert told["subscriptions"] == 0
        assert server.status.rooms() == []


async def test_rates_are_those_of_the_last_minute() -> None:
    async with running_server(application=Telling(Nothing())) as server:
        status, endpoint = server.status, server.endpoint
        start = 1_000_000.0
        for number in range(40):
            endpoint.messages_received += 10 if number < 20 else 50
            status.sample(start + number * SAMPLE_INTERVAL)
        now = start + 39 * SAMPLE_INTERVAL
        assert status.rates(now)["sip_received"] == 50 / SAMPLE_INTERVAL
        # Nothing has come since.
        assert status.rates(now + RATE_SPAN)["sip_received"] == 50 / SAMPLE_INTERVAL / 2
        assert status.rates(now)["sip_sent"] == 0
