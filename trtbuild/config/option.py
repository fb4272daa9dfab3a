"""The content of one option of a group, read from its file, or composed where that takes Hydra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.config.composing import composed_option
from trtbuild.config.groups import conf_folders, options, unknown
from trtbuild.core.parse import parse
from trtbuild.core.spec import Precision
from trtbuild.store.tracking import parse_yaml

_MIXED = {"base", "scopes"}


def content(root: Path, group: str, name: str, overrides: Sequence[str] = ()) -> object:
    """One option, as plain YAML says.

    Raises:
        ConfigError: an unknown option, or a file that is not readable.
    """
    have = options(root, group)
    if name not in have:
        raise unknown(group, name, have, f"{group}={name}")
    if overrides:
        return composed_option(root, group, name, overrides)
    path = next(p for folder in conf_folders(root) if (p := folder / group / f"{name}.yaml").is_file())
    text = path.read_bytes()
    found = parse_yaml(text, str(path))
    if not isinstance(found, dict) or "defaults" in found or b"${" in text:
        return composed_option(root, group, name)
    return found


def precision(root: Path, found: object, where: str) -> Precision:
    """The content of an option of conf/precision, with the options that it names in ``base`` and ``scopes``.

    What is not quantised in a scope computes in the floating-point type of the base.

    Raises:
        ConfigError: it is not a precision, or names one that there is not, or that cannot be part of a mixed one.
    """
    if not isinstance(found, Mapping) or not _MIXED & found.keys():
        return parse(Precision, found, where)
    if surplus := sorted(found.keys() - _MIXED):
        hint = "name the base in 'base', and give it its own file where it is not an option yet"
        raise ConfigError(f"'{surplus[0]}' does not go with base and scopes", where=where, hint=hint)
    if "base" not in found:
        raise ConfigError("missing key 'base'", where=where, hint="the precision of everything outside the scopes")
    scopes = found.get("scopes") or {}
    if not isinstance(scopes, Mapping):
        raise ConfigError("expected a mapping", where=f"{where}.scopes", hint="SCOPE: PRECISION")
    base = _part(root, found["base"], f"{where}.base")
    for scope in scopes:
        _check_scope(scope, f"{where}.scopes")
    parts = {scope: _part(root, name, f"{where}.scopes.{scope}") for scope, name in scopes.items()}
    outside = base.form(str(found["base"])).float_type
    for scope, part in parts.items():
        if part.lowering == "none" and part.tf32 != base.tf32:
            what = f"'{scopes[scope]}' differs from '{found['base']}' in TF32, which is one switch for a whole engine"
            raise ConfigError(what, where=f"{where}.scopes.{scope}", hint="name the other float32 precision")
    forms = {}
    for scope, part in parts.items():
        form = part.form(str(scopes[scope]))
        forms[scope] = asdict(replace(form, rest=outside) if form.quantised else form)
    return parse(Precision, {**asdict(base), "base": str(found["base"]), "scopes": forms}, where)


def _check_scope(scope: object, where: str) -> None:
    """One scope has one way to be written: two would leave open which of them decides."""
    if not isinstance(scope, str):
        raise ConfigError(f"the scope {scope} is not text", where=where, hint=f"write '{scope}' in quotes")
    parts = [part for part in scope.split("/") if part.strip()]
    if not parts or "/".join(parts) != scope:
        hint = f"write '{'/'.join(part.strip() for part in parts)}'" if parts else "'base' is for everything else"
        raise ConfigError(f"'{scope}' is not a scope", where=where, hint=hint)


def _part(root: Path, name: object, where: str) -> Precision:
    if not isinstance(name, str):
        raise ConfigError("expected the name of a precision", where=where, hint="an option of conf/precision")
    have = options(root, "precision")
    if name not in have:
        raise unknown("precision", name, have, where)
    found = content(root, "precision", name)
    if isinstance(found, Mapping) and _MIXED & found.keys():
        raise ConfigError(f"'{name}' is itself mixed", where=where, hint="name a precision without scopes")
    return parse(Precision, found, f"precision={name}")
