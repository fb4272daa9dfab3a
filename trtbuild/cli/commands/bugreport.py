"""``trtbuild bugreport``: reduce what fails, and write the folder and zip that a maintainer can work with."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.bugreport import folder, making, secrets
from trtbuild.cli.commands.reduce import limit_of
from trtbuild.core.spec import Toolchain
from trtbuild.reducing import casefile
from trtbuild.reducing.reduction import Reduced, here, reduced

if TYPE_CHECKING:
    from trtbuild.cli.main import Words


def note(line: str) -> None:
    print(f"bugreport: {line}", file=sys.stderr, flush=True)


def run(words: Words) -> int:
    """0: the folder and its zip are written.

    Raises:
        ConfigError: nothing fails, bad words, something is in the way, or values of the user would have to be in it.
    """
    limit_s = limit_of(words)
    given = words.options.get("--output", "")
    if given:
        folder.check_free(Path(given))
    install = "--no-install" not in words.options
    with reduced(words, note, cases=True, limit_s=limit_s) as found, tempfile.TemporaryDirectory() as scratch:
        name = words.options.get("--name") or _name(found)
        target = Path(given or f"bug_{name}")
        folder.check_free(target)
        keep = "--keep-weights" in words.options
        hidden = secrets.gather(found.subject.secrets, () if keep else _blobs(found))
        made = making.make(
            found, _versions(words, found.subject.versions), hidden, Path(scratch), install=install,
            keep_values=keep, say=note,
        )  # fmt: skip
        leaks = hidden.found(made.files)
        if leaks:
            # A word of the report's own may be a model's name as well: nobody but its owner can tell.
            what = f"the report would have a word that names this machine or model: {leaks[0]}"
            raise ConfigError(what, where="bugreport", hint="rename the file or model if the word is the report's own")
        folder.write(target, made.files)
    _say(words, target, made)
    return 0


def _name(found: Reduced) -> str:
    """Of the fault, not of the user's model."""
    ops = [node.op_type for node in found.model.graph.node]
    failure = found.small.failure
    public = found.subject.case is not None and found.subject.case.file.parent.name == "cases"
    return found.subject.name if public else casefile.case_id("-".join(ops[:1]) or "graph", failure)


def _versions(words: Words, asked: Mapping[str, Toolchain]) -> dict[str, Toolchain]:
    """Those that were named, when several were; else every one of the flavour."""
    if len(asked) > 1:
        return dict(asked)
    from trtbuild.reducing.subject import versions_of

    flavour = next(iter(asked.values())).flavour
    workspace = here()
    names = config.options(workspace.root if workspace else Path.cwd(), "tensorrt")
    every = versions_of(",".join(names))
    return {**{name: spec for name, spec in every.items() if spec.flavour == flavour}, **asked}


def _blobs(found: Reduced) -> Iterator[bytes]:
    """Bytes of the user's own weights that may not be found in a report: of each, some from its middle."""
    import onnx

    from trtbuild.reducing.weights import own_values, tensors

    if found.subject.case is not None:
        return
    graph: Any = found.subject.exported.graph
    every = list(tensors(graph))
    for place in own_values(found.subject.exported):
        content = (
            onnx.numpy_helper.to_array(every[place]).tobytes()
            if every[place].data_type != onnx.TensorProto.STRING
            else b""
        )
        if len(content) >= 32 and len(set(content)) > 8:
            middle = len(content) // 2 & ~7
            yield content[middle - 16 : middle + 16]


def _say(words: Words, target: Path, made: making.Made) -> None:
    reproduced = made.reproduced == 0
    document = {"folder": str(target), "zip": str(folder.archive_of(target)), "title": made.title,
                "reproduced": reproduced, "files": sorted(made.files)}  # fmt: skip
    if words.json:
        print(json.dumps(document, indent=1))
    else:
        print(re.sub(r"\s+", " ", made.title))
        print(f"wrote {target} and {folder.archive_of(target).name}: read report.md before you send it")
    if not reproduced:
        note(f"repro.py did not reproduce it here (status {made.reproduced}); the report says so")
