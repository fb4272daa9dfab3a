"""The console script and ``python -m trtbuild``: until the command answers Ctrl-C, it waits.

An import that is interrupted ends in a traceback.  What comes before the first line here (Python's own start, and that
of the installed script) is not ours: Ctrl-C ends it as it ends any Python program.
"""

from _signal import SIG_BLOCK, SIGINT, pthread_sigmask  # type: ignore[import-not-found]  # signal.py takes 5 ms


def main() -> None:
    """Block SIGINT; cli/main.py receives it."""
    pthread_sigmask(SIG_BLOCK, [SIGINT])
    from trtbuild.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
