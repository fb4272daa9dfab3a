"""Tests of one remote: its configuration, its errors, and transfers that break off."""

from __future__ import annotations

import threading

import pytest
from dvc.fs import LocalFileSystem

from trtbuild.base.errors import RemoteError
from trtbuild.remote.remotes import Remote, answers, open_remote
from trtbuild.store import Store


@pytest.mark.parametrize(
    ("config", "name", "said"),
    [
        ("", "", "no default remote is configured; run: dvc remote add -d NAME URL"),
        ("['remote \"r\"']\nurl = /x\n", "", "run: dvc remote default NAME or name one with --remote (r)"),
        ("['remote \"store\"']\nurl = /x\n", "stor", "there is no remote 'stor'; did you mean 'store'?"),
        ("['remote \"r\"']\nurl = s3://b\nversion_aware = true\n", "r", "trtbuild[s3]|is cloud-versioned"),
        ("['remote \"r\"']\nurl = /x\nnonsense = 1\n", "r", "config file error"),
    ],
)
def test_a_remote_that_is_not_configured_is_one_line(here: Store, config: str, name: str, said: str) -> None:
    """What is wrong, in which file, and what to run."""
    (here.root / ".dvc" / "config").write_text(config, "utf-8")

    with pytest.raises(RemoteError) as raised:
        open_remote(here.workspace, name)
    assert any(part in str(raised.value) for part in said.split("|"))
    assert str(here.root) in str(raised.value)


def test_passwords_in_urls_are_not_shown(here: Store) -> None:
    """Lines of errors end up in logs."""
    url = "https://user:secret@host/path"
    (here.root / ".dvc" / "config").write_text(f"['remote \"r\"']\nurl = {url}\n", "utf-8")

    assert str(open_remote(here.workspace, "r")) == "remote 'r' (https://user@host/path)"


def test_the_first_error_stops_the_rest() -> None:
    """A remote that went away is not asked for every object."""
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 3:
            raise RemoteError("gone")

    with pytest.raises(RemoteError, match="gone"):
        Remote("r", "/r", LocalFileSystem(jobs=1), "/r").each(range(100), work)
    assert done == [0, 1, 2, 3]


def test_a_transfer_in_which_nothing_moves_is_given_up() -> None:
    """A network that broke without a word."""
    stuck = threading.Event()

    def work(item: int) -> None:
        stuck.wait()

    with pytest.raises(RemoteError, match=r"nothing was transferred for 0\.1 s"):
        Remote("r", "/r", LocalFileSystem(jobs=1), "/r").each([1], work, silence_s=0.1)
    stuck.set()


def test_a_remote_that_says_nothing_is_not_waited_for(here: Store) -> None:
    """A build asks once, with a limit."""
    asleep = threading.Event()

    class Asleep(Remote):
        def there(self) -> bool:
            return asleep.wait()

    with pytest.raises(RemoteError, match=r"no answer within 0\.05 s"):
        answers(Asleep("r", "ssh://x", None, "/"), 0.05)
    asleep.set()
