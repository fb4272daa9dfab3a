"""Check, before anything is built, that the files a config names exist and hold the arrays it names."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError, DataError
from trtbuild.base.files import stray_link
from trtbuild.base.text import did_you_mean, printable
from trtbuild.core.spec import BuildSpec, Variant
from trtbuild.core.spec.data import VALIDATION, DataSource
from trtbuild.core.tracing import Tree
from trtbuild.store import Store
from trtbuild.store.tracking import MODELS_FILE

ONE_FILE = frozenset({"model.data.slices", "latency.baseline", "target.timing_cache"})  # others may name a folder


class SourceFiles:
    """The files of one workspace that configs name; each is looked at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checked: set[tuple[str, str, str]] = set()
        self._arrays: dict[str, list[str]] = {}
        self._tree: Tree[None] = Tree()

    def check(self, variant: Variant) -> None:
        """Check by names only: of files, and of arrays in an archive's directory.

        A file that is recorded in ``models.dvc`` but not here yet is pulled by the build, and checked then.

        Raises:
            ConfigError: a missing file, a folder where a file is needed, or a link out of the workspace.
            DataError: no array for an input or the labels.  WorkspaceError: the checkout is incomplete.
        """
        self._tree.result(variant, lambda seen, _: self._check(seen.spec))

    def _check(self, spec: BuildSpec) -> None:
        for where, path in _named(spec):
            needs = "a file" if where in ONE_FILE else ""
            if where == "model.source.path":
                needs = "a folder" if spec.model.source.kind == "saved_model" else "a file"
            if (where, path, needs) not in self._checked:
                self._check_file(where, path, needs)
                self._checked.add((where, path, needs))
        task = spec.model.validation.task
        for name, source in _data(spec):
            labels = [task.labels] if task is not None and name == VALIDATION else []
            if isinstance(source, str):
                self._check_arrays(source, [*spec.model.inputs, *labels])

    def _check_file(self, where: str, path: str, needs: str) -> None:
        store = self._store
        if not _to_be_pulled(path, store):
            whole(store.root / path, path)
        if not (store.root / path).exists() and not _to_be_pulled(path, store):
            whole(store.root / MODELS_FILE, MODELS_FILE)
            parent = (store.root / path).parent
            beside = sorted(found.name for found in parent.iterdir()) if parent.is_dir() else []
            near = did_you_mean(Path(path).name, beside) if beside else ""
            remedy = near if near.startswith("did you mean") else "check the path, which is relative to the workspace"
            raise ConfigError("no such file or folder", where=path, hint=f"{where} names it; {remedy}")
        here = store.root / path
        if needs and here.exists() and here.is_dir() != (needs == "a folder"):
            what = "it is a folder" if here.is_dir() else "it is a file"
            raise ConfigError(what, where=path, hint=f"{where} names it, and needs {needs}")
        _check_links(where, path, store)

    def _check_arrays(self, source: str, wanted: list[str]) -> None:
        if source not in self._arrays:
            self._arrays[source] = _arrays(self._store.root / source)
        names = self._arrays[source]
        for name in wanted:
            if names and name not in names:
                raise DataError(f"no array '{name}'", where=source, hint=did_you_mean(name, names))


def _check_links(where: str, path: str, store: Store) -> None:
    """Links may lead to other places of the workspace and into DVC's cache: what is elsewhere is not recorded."""
    stray = stray_link(store.root / path, store.root, store.workspace.cache)
    if stray is not None:
        shown = printable(stray.relative_to(store.root).as_posix())
        hint = f"{where} names it; copy its target here, or keep DVC's cache there (dvc cache dir, cache.type symlink)"
        raise ConfigError("a link that leads out of the workspace", where=shown, hint=hint)


def _named(spec: BuildSpec) -> Iterator[tuple[str, str]]:
    path = getattr(spec.model.source, "path", None)
    if path is not None:
        yield "model.source.path", path
    for name, source in _data(spec):
        if isinstance(source, str):
            yield f"model.data.{name if name in (VALIDATION, 'calibration') else f'inspection.{name}'}", source
    if spec.model.data.slices is not None:
        yield "model.data.slices", spec.model.data.slices
    if spec.latency.measure and spec.latency.baseline is not None:
        yield "latency.baseline", spec.latency.baseline
    if spec.target.timing_cache is not None:
        yield "target.timing_cache", spec.target.timing_cache


def _data(spec: BuildSpec) -> Iterator[tuple[str, DataSource]]:
    """The sets that this variant reads; only int8 is calibrated."""
    if spec.precision.calibrated and spec.model.data.calibration is not None:
        yield "calibration", spec.model.data.calibration
    yield from spec.model.data.sets.items()


def _to_be_pulled(path: str, store: Store) -> bool:
    tracked = store.models.tracked_by(path)
    return tracked is not None and not (store.root / tracked).exists()


def _arrays(path: Path) -> list[str]:
    """Names in an archive, or in a folder of arrays; none if it is not here yet, or not an archive."""
    try:
        if path.is_dir():
            return [file.stem for file in path.glob("*.npy")]
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return []  # the step that reads it reports what is wrong
