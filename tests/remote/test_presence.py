"""What is asked of a remote to know which objects it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import pytest

from trtbuild.remote.presence import presence
from trtbuild.remote.remotes import Remote

T = TypeVar("T")
THERE = {f"files/md5/ab/{i:030x}": i for i in range(40)}
NAMES = [f"ab{i:030x}" for i in range(20, 60)]  # the first half of them is there


@dataclass
class Requests:
    """A remote that counts its requests."""

    lists: bool = True
    made: list[str] = field(default_factory=list)

    def size(self, path: str) -> int | None:
        self.made.append(path)
        return THERE.get(path)

    def sizes(self, folder: str) -> dict[str, int]:
        self.made.append(folder)
        return {path.rpartition("/")[2]: size for path, size in THERE.items() if path.startswith(f"{folder}/")}

    def each(self, items: Iterable[T], work: Callable[[T], None]) -> None:
        for item in items:
            work(item)


@pytest.mark.parametrize(
    ("lists", "asked", "requests"), [(True, 40, 1), (True, 3, 3), (False, 40, 40)], ids=["many", "few", "http"]
)
def test_many_objects_of_a_folder_take_one_request(lists: bool, asked: int, requests: int) -> None:
    remote = Requests(lists)
    sizes = presence(NAMES[:asked], cast(Remote, remote))
    assert sizes == {name: THERE.get(f"files/md5/ab/{name[2:]}") for name in NAMES[:asked]}
    assert len(remote.made) == requests
