"""Load processes: each runs one function, which talks to the benchmark over a pipe."""

import multiprocessing
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from benchmarks.server_process import cpu_seconds
from benchmarks.wire import LoadError

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_SPAWN = multiprocessing.get_context("spawn")
_STOP_LIMIT = 5.0


@dataclass(slots=True)
class Ready:
    """Tells the benchmark that a load process has reached its next step."""


@dataclass(slots=True)
class Failed:
    """Tells the benchmark that a load process has failed, and where."""

    trace: str


class Worker:
    """A load process; it is killed when its block is left."""

    def __init__(
        self,
        work: Callable[Concatenate[Connection, Arguments], None],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_run, args=(work, theirs, *args), kwargs=kwargs, daemon=True
        )
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def tell(self, command: object) -> None:
        """Send a command; one that has failed tells so when it is expected to answer."""
        with suppress(BrokenPipeError):
            self._pipe.send(command)

    def expect(self, kind: type[Answer], patience: float = 120.0) -> Answer:
        """Wait, so many seconds, for an answer; raises LoadError when none or another comes."""
        if not self._pipe.poll(patience):
            raise LoadError(f"no answer within {patience:.0f} s")
        try:
            answer: object = self._pipe.recv()
        except EOFError:
            raise LoadError("a load process ended") from None
        if isinstance(answer, Failed):
            raise LoadError(answer.trace)
        if not isinstance(answer, kind):
            raise LoadError(f"an unexpected answer: {answer}")
        return answer

    def ask(self, command: object, kind: type[Answer]) -> Answer:
        """Send a command and wait for its answer."""
        self.tell(command)
        return self.expect(kind)

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has taken."""
        return cpu_seconds(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join(_STOP_LIMIT)


def _run(
    work: Callable[Concatenate[Connection, Arguments], None],
    pipe: Connection,
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> None:
    try:
        work(pipe, *args, **kwargs)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass
    except Exception as error:
        # Whoever waits for the answer shows the trace.
        pipe.send(Failed(traceback.format_exc()))
        raise SystemExit(1) from error
