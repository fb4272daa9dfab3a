"""What the answer of a build or a plan depends on, and keeping it for the next run (noop.py)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trtbuild.base import packaged
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import Planned
from trtbuild.cli import noop
from trtbuild.config import composed
from trtbuild.core.step import File
from trtbuild.machine.gpu import DRIVER_FILES


def remember(
    p: Planned, argv: tuple[str, ...], signatures: noop.Signatures, answer: noop.Answer, later: Iterable[str] = ()
) -> None:
    """Keep the answer for the next run, unless it depends on what was read before it was signed.

    ``later``: files and folders that are signed now, since a build has just written them.
    """
    if p.other_configs is None or not set(p.other_configs) <= signatures.keys():
        return  # the next build will sign them
    noop.remember(str(p.workspace.root), argv, signatures, later, answer)


def configuration(root: Path) -> list[str]:
    """Files and folders that configure a build: config, templates, and DVC's own files at the top."""
    paths = [
        packaged.packaged_conf(),
        root / "conf",
        root / "reports_templates",
        root / "models.dvc",
        root / ".dvcignore",
    ]
    paths += [root / ".dvc" / "config", root / ".dvc" / "config.local"]
    paths += [path.parent for path in packaged.templates(root).values()]
    paths += [Path(file) for file in DRIVER_FILES]
    return sorted({*map(str, paths), *composed.watched(Workspace(root).private)})


def watched(p: Planned) -> list[str]:
    """Every file and folder that the steps read or write; what they read from each other is in their folders."""
    steps = p.plan.steps
    sources = {source.path for step in steps for source in step.inputs.values() if isinstance(source, File)}
    return sorted(f"{p.workspace.root}/{path}" for path in {*sources, *(step.folder for step in steps)})
