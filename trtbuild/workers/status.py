"""What a build tells people while it runs: live lines on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from trtbuild.base.errors import TrtbuildError
from trtbuild.core.step import Step

if TYPE_CHECKING:
    from rich.text import Text


class Status:
    """What a build tells of; each method is one event, and says nothing where a class does not say otherwise."""

    def started(self, step: Step, why: str) -> None: ...
    def finished(self, step: Step, how: str) -> None: ...
    def failed(self, step: Step, error: TrtbuildError) -> None: ...
    def blocked(self, steps: Sequence[Step]) -> None: ...
    def note(self, line: str) -> None: ...
    def close(self) -> None: ...


def short_name(step: Step) -> str:
    """``segnet/export-opset17``: the folder without build/ and the digest."""
    return step.folder.removeprefix("build/").rpartition("-")[0]


class SilentStatus(Status):
    """Says nothing: the caller reads the outcome."""


class PlainStatus(Status):
    """One line for each event."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def started(self, step: Step, why: str) -> None:
        self._since[step.key] = self._clock()
        self._say(f"run    {short_name(step)}  ({why})")

    def finished(self, step: Step, how: str) -> None:
        since = self._since.pop(step.key, None)
        took = f"  {self._clock() - since:.1f} s" if since is not None else ""
        self._say(f"{how:<6} {short_name(step)}{took}")

    def failed(self, step: Step, error: TrtbuildError) -> None:
        self._since.pop(step.key, None)
        if str(error) in self._told:  # one mistake in the config fails every step that reads it
            self._say(f"FAILED {short_name(step)}: for the same reason")
            return
        self._told.add(str(error))
        self._say(f"FAILED {short_name(step)}: {error}")
        for line in error.details[:20]:
            self._say(f"         {line}")
        if len(error.details) > 20:
            self._say(f"         … and {len(error.details) - 20} more in the log")

    def blocked(self, steps: Sequence[Step]) -> None:
        self._say(f"skip   {', '.join(short_name(step) for step in steps)}")

    def note(self, line: str) -> None:
        self._say(line)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stream.flush()

    def _say(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever listened has left; the build goes on
            print(line, file=self._stream, flush=True)


class LiveStatus(PlainStatus):
    """The same lines, with a spinner line for each running step underneath."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream, highlight=False)
        self._shown: dict[str, tuple[str, float]] = {}  # read by the refresh thread: replaced whole, never changed
        self._live = Live(get_renderable=self._running, console=self._console, refresh_per_second=8, transient=True)
        self._live.start()

    def _running(self) -> Text:
        from rich.text import Text

        now = self._clock()
        lines = [f"  ⋯ {name}  {now - since:.0f} s" for name, since in self._shown.values()]
        return Text("\n".join(lines), style="dim")

    def started(self, step: Step, why: str) -> None:
        self._since[step.key] = self._clock()
        self._shown = {**self._shown, step.key: (short_name(step), self._since[step.key])}

    def finished(self, step: Step, how: str) -> None:
        self._shown = {key: shown for key, shown in self._shown.items() if key != step.key}
        super().finished(step, how)

    def failed(self, step: Step, error: TrtbuildError) -> None:
        self._shown = {key: shown for key, shown in self._shown.items() if key != step.key}
        super().failed(step, error)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._live.stop()
        super().close()


def make_status(stream: TextIO | None = None) -> Status:
    stream = stream or sys.stderr
    return LiveStatus(stream) if stream.isatty() else PlainStatus(stream)
