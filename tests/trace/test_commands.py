"""What the control socket can ask of traces."""

from pathlib import Path

import pytest

from sylk.cli.control import objects
from sylk.control import ControlError, Json
from sylk.trace.commands import trace_commands
from sylk.trace.tracer import TraceOptions, Tracer
from sylk.trace.writer import Output
from tests.trace.messages import INVITE
from tests.trace.test_tracer import Transports, running
from tests.trace.test_writer import PATIENCE, Stuck


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(directory=tmp_path / "traces")


async def command(tracer: Tracer, name: str, **values: object) -> Json:
    return await trace_commands(tracer, PATIENCE)[name]({"command": name, **values})


async def test_on_status_off(output: Output) -> None:
    transports = Transports()
    async with running(TraceOptions(output=output), transports) as tracer:
        off: Json = {
            "traces": [],
            "directory": str(output.directory),
            "files": [],
            "lost": 0,
            "fault": "",
        }
        assert await command(tracer, "trace status") == off
        answer = await command(
            tracer, "trace on", filters=["user:alice@example.com"], seconds=60, pcap=True
        )
        (trace,) = objects([answer["trace"]])
        left = trace["seconds_left"]
        assert isinstance(left, float)
        assert 0 < left <= 60
        assert trace == {
            "filters": ["user:alice@example.com"],
            "pcap": True,
            "protocols": "SIP",
            "messages": 0,
            "seconds_left": left,
        }
        assert answer["files"] == [str(output.text_file), str(output.pcap_file)]
        # The answer came when the files were there.
        assert output.text_file.exists()
        assert output.pcap_file.exists()
        transports.receive(INVITE)
        status = await command(tracer, "trace status")
        assert "'messages': 1" in str(status["traces"])
        ended = await command(tracer, "trace off")
        assert "'messages': 1" in str(ended["ended"])
        assert ended["on_disk"] is True
        assert "sip:alice" in output.text_file.read_text(encoding="utf-8")
        assert {key: ended[key] for key in off} == off


async def test_msrp_is_asked_for(output: Output) -> None:
    transports = Transports()
    async with running(TraceOptions(output=output), transports) as tracer:
        answer = await command(tracer, "trace on", msrp=True)
        (trace,) = objects([answer["trace"]])
        assert trace["protocols"] == "SIP and MSRP"
        assert transports.msrp is not None


async def test_a_trace_of_the_settings_stays_on(output: Output) -> None:
    options = TraceOptions(output=output, from_start=())
    async with running(options, Transports()) as tracer:
        answer = await command(tracer, "trace off")
        assert answer["ended"] == []
        assert answer["traces"] == [
            {
                "filters": [],
                "protocols": "SIP",
                "pcap": False,
                "seconds_left": None,
                "messages": 0,
            }
        ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"filters": "user:alice"}, "must be a list"),
        ({"filters": [1]}, "must be text"),
        ({"filters": ["alice"]}, "the filter must be user:"),
        ({"filters": ["user:a"] * 40}, "filters at most"),
        ({"seconds": "60"}, "must be a number"),
        ({"seconds": True}, "must be a number"),
        ({"seconds": 0}, "1 second to 7 days"),
        ({"seconds": float("nan")}, "1 second to 7 days"),
        ({"seconds": 10**400}, "1 second to 7 days"),
    ],
)
async def test_what_cannot_be_traced_is_refused(
    output: Output, values: dict[str, object], words: str
) -> None:
    async with running(TraceOptions(output=output), Transports()) as tracer:
        with pytest.raises(ControlError, match=words):
            await command(tracer, "trace on", **values)
        assert tracer.traces == ()


async def test_a_trace_that_cannot_be_written_is_not_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = Output(directory=tmp_path / "file" / "traces")
    async with running(TraceOptions(output=output), Transports()) as tracer:
        with pytest.raises(ControlError, match=r"nothing is traced: .* Not a directory"):
            await command(tracer, "trace on")
        assert tracer.traces == ()


async def test_a_disk_that_hangs_is_told_and_stops_no_command(tmp_path: Path) -> None:
    disk = Stuck()
    options = TraceOptions(output=Output(directory=tmp_path, privacy=disk))
    transports = Transports()
    async with running(options, transports) as tracer:
        commands = trace_commands(tracer, 0.01)
        await command(tracer, "trace on")
        transports.receive(INVITE)
        with pytest.raises(ControlError, match="nothing is traced: the disk does not answer"):
            await commands["trace on"]({})
        (trace,) = tracer.traces
        assert trace.messages == 1
        assert (await commands["trace off"]({}))["on_disk"] is False
        with pytest.raises(ControlError, match="the disk has not taken the end"):
            await commands["trace on"]({})
        disk.let_go.set()
        assert (await command(tracer, "trace off"))["on_disk"] is True
        await command(tracer, "trace on")
