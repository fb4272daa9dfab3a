"""Signals as a terminal would give them to a child process."""

from __future__ import annotations

import signal


def interruptible() -> None:
    """For ``preexec_fn``: a shell's background jobs ignore SIGINT, and their children would, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
