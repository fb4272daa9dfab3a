"""What a build tells people while it runs: live lines on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from trtbuild.base.errors import TrtbuildError
from trtbuild.base.text import printable
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
    def tick(self) -> None: ...
    def close(self) -> None: ...


def short_name(step: Step) -> str:
    """``segnet/export-opset17``: the folder without build/ and the digest."""
    return step.folder.removeprefix("build/").rpartition("-")[0]


class SilentStatus(Status):
    """Says nothing: the caller reads the outcome."""


STILL_S = 60.0  # until a running step is mentioned again
Detail = Literal["quiet", "usual", "every"]


class PlainStatus(Status):
    """One line for each event; fresh steps in a row are counted in one line.

    ``detail``: "quiet" reports failures only, "every" also each fresh step.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, detail: Detail = "usual") -> None:
        self._stream, self._clock, self._detail = stream, clock, detail
        self._fresh = 0  # steps that were fresh, and not reported yet
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self._lines: dict[str, tuple[str, float]] = {}  # of running steps: the name, and when to say that it runs

    def tick(self) -> None:
        """Say once a minute, then at twice the time, which steps are still running."""
        for key, (name, at) in list(self._lines.items()):
            if key not in self._since:
                del self._lines[key]
            elif (ran := self._clock() - self._since[key]) >= at:
                self._lines[key] = (name, 2 * at)
                self._event(f"still running  {name}  {ran:.0f} s")

    def started(self, step: Step, why: str) -> None:
        self._since[step.key] = self._clock()
        self._lines[step.key] = (short_name(step), STILL_S)
        self._event(f"run    {short_name(step)}  ({why})")

    def finished(self, step: Step, how: str) -> None:
        since = self._since.pop(step.key, None)
        took = f"  {self._clock() - since:.1f} s" if since is not None else ""
        if how == "fresh" and self._detail != "every":
            self._fresh += 1
        else:
            self._event(f"{how:<6} {short_name(step)}{took}")

    def failed(self, step: Step, error: TrtbuildError) -> None:
        self._since.pop(step.key, None)
        self._count_fresh()
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
        self._event(f"skip   {', '.join(short_name(step) for step in steps)}")

    def note(self, line: str) -> None:
        self._event(line)

    def close(self) -> None:
        self._count_fresh()
        with contextlib.suppress(BrokenPipeError):
            self._stream.flush()

    def _event(self, line: str) -> None:
        self._count_fresh()
        if self._detail != "quiet":
            self._say(line)

    def _count_fresh(self) -> None:
        if self._fresh and self._detail != "quiet":
            self._say(f"fresh  {self._fresh} step{'s' * (self._fresh > 1)}")
        self._fresh = 0

    def _say(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever listened has left; the build goes on
            print(printable(line), file=self._stream, flush=True)


class LiveStatus(PlainStatus):
    """The same lines, with a spinner line for each running step underneath."""

    def __init__(self, stream: TextIO, detail: Detail = "usual") -> None:
        super().__init__(stream, detail=detail)
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
        self._console.print(printable(line), markup=False, soft_wrap=True)

    def close(self) -> None:
        self._live.stop()
        super().close()


def make_status(stream: TextIO | None = None, detail: Detail = "usual") -> Status:
    stream = stream or sys.stderr
    live = stream.isatty() and detail != "quiet"
    return LiveStatus(stream, detail) if live else PlainStatus(stream, detail=detail)
