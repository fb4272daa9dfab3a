"""Tests of what may not leave: found, struck out, and not mistaken for ordinary words."""

from __future__ import annotations

import pytest

from trtbuild.bugreport import secrets
from trtbuild.bugreport.secrets import Secrets

HIDDEN = Secrets(("/home/zoe", "wayne-tower", "batnet"), (b"0123456789abcdef",))


def test_words_and_paths_are_struck_out() -> None:
    """Of this machine and of any other."""
    said = HIDDEN.scrub("wayne-tower: no /opt/lib/x.so in /home/zoe/ws for batnet_2 and batnet, [1/2] a/b")

    assert "wayne" not in said and "zoe" not in said and "/opt" not in said and "batnet," not in said
    assert "[1/2] a/b" in said


@pytest.mark.parametrize(
    ("files", "leaks"),
    [
        ({"a.txt": b"on wayne-tower"}, ["a.txt: wayne-tower"]),
        ({"a.bin": b"\x00\x010123456789abcdef\x02"}, ["a.bin: values of the model"]),
        ({"batnet.txt": b""}, ["batnet.txt: batnet"]),
        ({"a.txt": b"combatnetwork"}, []),
    ],
)
def test_a_leak_is_found_in_text_bytes_and_names(files: dict[str, bytes], leaks: list[str]) -> None:
    """A word inside another word is none."""
    assert HIDDEN.found(files) == leaks


def test_the_machines_own_names_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """But words that a report uses itself name nobody."""
    monkeypatch.setattr(secrets.socket, "gethostname", lambda: "wayne-tower")
    monkeypatch.setattr(secrets.getpass, "getuser", lambda: "root")
    found = secrets.gather(("batnet", "model", "abc")).words

    assert {"wayne-tower", "batnet"} <= set(found) and not {"root", "model", "abc"} & set(found)
