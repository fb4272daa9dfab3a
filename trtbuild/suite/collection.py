"""Every case there is: the packaged ones and those of a workspace's ``suite/*.py``; loads no tool."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from trtbuild.base.errors import ConfigError
from trtbuild.suite.case import PACKAGED, Case, Family

OWN = "suite"  # the folder of a workspace's own cases
ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


def collect(root: Path | None) -> dict[str, Case]:
    """Cases by id, in the order of files and lines; ``root`` is the workspace, if there is one.

    Raises:
        ConfigError: a file cannot be imported, an id is invalid, or two cases have the same one.
    """
    found: dict[str, Case] = {}
    for case in _all(root):
        _check(case)
        if case.id in found:
            what = f"the case '{case.id}' is defined twice, there and in {found[case.id].place}"
            raise ConfigError(what, where=case.place, hint="give one of them another id")
        found[case.id] = case
    return found


def own_folder(root: Path | None) -> Path | None:
    folder = None if root is None else root / OWN
    return folder if folder is not None and folder.is_dir() else None


def files(root: Path | None) -> list[Path]:
    """The Python files that define cases."""
    own = own_folder(root)
    return [path for folder in (PACKAGED, own) if folder is not None for path in sorted(folder.glob("*.py"))]


def _all(root: Path | None) -> Iterator[Case]:
    for path in files(root):
        if path.name == "__init__.py":
            continue
        for family in families(_load(path)):
            yield from family.cases


def families(module: ModuleType) -> list[Family]:
    """A module's families by line; an imported one belongs to the file it comes from."""
    here = getattr(module, "__file__", None)
    own = [f for f in vars(module).values() if isinstance(f, Family) and f.cases and str(f.cases[0].file) == here]
    return sorted(own, key=lambda family: family.cases[0].line)


def _load(path: Path) -> ModuleType:
    if path.parent == PACKAGED:
        return importlib.import_module(f"trtbuild.suite.cases.{path.stem}")
    name = f"trtbuild_own_suite_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # a file of cases may import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        said = (str(error).splitlines() or [""])[0]
        what = f"this file of cases cannot be imported: {type(error).__name__}: {said}"
        raise ConfigError(what, where=str(path)) from error
    return module


def _check(case: Case) -> None:
    """Raise ConfigError for a case that could not be run or recorded."""
    if not ID.fullmatch(case.id):
        hint = "use lower-case letters, digits, '.', '_' and '-'"
        raise ConfigError(f"invalid id '{case.id}'", where=case.place, hint=hint)
    try:
        case.lowering  # noqa: B018
    except ConfigError as error:
        raise ConfigError(f"'{case.id}': {error.what}", where=case.place, hint=error.hint) from None
    if case.onnx is not None and not case.onnx.is_file():
        raise ConfigError(f"'{case.id}': there is no file {case.onnx.name}", where=case.place)
    for name, spec in case.inputs.items():
        fits = len(spec.profile) in (0, 3) and bool(spec.profile) == (None in spec.shape)
        fits = fits and all(
            len(point) == len(spec.shape)
            and all(have in (None, size) for have, size in zip(spec.shape, point, strict=True))
            for point in spec.profile
        )
        if not fits:
            what = (
                f"'{case.id}': input '{name}' needs a profile of three shapes for its dynamic dimensions, and only then"
            )
            raise ConfigError(what, where=case.place, hint="profile=[(1, 8), (4, 8), (16, 8)] for a shape (None, 8)")


def choose(cases: Iterable[Case], expression: str = "", categories: Sequence[str] = ()) -> list[Case]:
    """Cases that an expression matches, of some categories (default: all).

    Raises:
        ConfigError: the expression is not one, or a category has no case.
    """
    from trtbuild.base.text import did_you_mean
    from trtbuild.suite.expression import matcher

    cases = list(cases)
    there = {case.category for case in cases}
    for category in categories:
        if category not in there:
            raise ConfigError(f"no case is of category '{category}'", where="--category",
                              hint=did_you_mean(category, sorted(there)))  # fmt: skip
    matches = matcher(expression) if expression else lambda words: True
    return [case for case in cases if (not categories or case.category in categories) and matches(words_of(case))]


def words_of(case: Case) -> str:
    """What an expression is matched against."""
    return " ".join((case.id, case.title, case.category, case.precision, *case.issues, *case.needs)).lower()
