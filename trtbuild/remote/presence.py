"""Which objects a remote has, at which sizes: a few are asked about one by one; of many, folders are listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from trtbuild.remote.remotes import Remote
from trtbuild.remote.resolve import object_file

# Each request takes a round trip.  A listing takes one for a thousand objects (S3), ours or not, so that it is fewer
# requests from here on unless the remote has more than some four million objects in its 256 folders.
_LISTED = 16  # objects of one folder


def presence(names: Iterable[str], remote: Remote) -> dict[str, int | None]:
    """The size of each object on the remote, by md5; None if it is not there.

    Raises RemoteError: the remote cannot be used.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for md5 in names:
        folders[object_file(md5).rpartition("/")[0]].append(md5)
    sizes: dict[str, int | None] = {}

    def one(item: tuple[str, list[str]]) -> None:
        folder, wanted = item
        if remote.lists and len(wanted) >= _LISTED:
            listed = remote.sizes(folder)
            sizes.update({md5: listed.get(object_file(md5).rpartition("/")[2]) for md5 in wanted})
        else:
            sizes.update({md5: remote.size(object_file(md5)) for md5 in wanted})

    remote.each(folders.items(), one)
    return sizes
