"""``trtbuild toolchain list | install | remove | path``: manage the TensorRT versions declared in conf/tensorrt."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild import config, toolchains
from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.base.text import did_you_mean
from trtbuild.cli import words
from trtbuild.config import named
from trtbuild.toolchains.request import ToolchainRequest


@dataclass(frozen=True)
class Entry:
    """One line of the list; ``state``: "here" (in this environment), "installed", "missing" or "broken" (config)."""

    name: str
    flavour: str
    version: str
    state: str
    python: str = ""
    why: str = ""


GROUP = "share"
HELP = "list, install, remove or locate TensorRT versions"
EXAMPLES = """\
  trtbuild toolchain list
  trtbuild toolchain install rtx-1.6
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="", metavar="|".join(_ACTIONS), help="what to do")
    parser.add_argument("names", nargs="*", metavar="VERSION", help="a name in conf/tensorrt, or an exact version")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Do one action; a version that fails does not stop the others, and the worst exit status is returned.

    Raises:
        ConfigError: an unknown action or version.  ToolchainError: ``path`` of a version that is not installed.
    """
    action, names, as_json = args.action, args.names, args.json
    if action not in _ACTIONS:
        hint = did_you_mean(action, _ACTIONS) if action else "one of " + ", ".join(_ACTIONS)
        raise ConfigError(f"unknown action '{action}'" if action else "expects an action", where="toolchain", hint=hint)
    root = named.root_here()
    if action != "list" and not names:
        have = ", ".join(config.options(root, "tensorrt"))
        raise ConfigError("expects one or more versions", where=f"toolchain {action}", hint=f"available: {have}")
    if action == "path" and len(names) != 1:
        raise ConfigError("expects one version", where="toolchain path")
    if as_json and action in ("install", "remove"):
        raise ConfigError(f"'{action}' prints no document", where="--json", hint="ask toolchain list --json afterwards")
    return _ACTIONS[action](root, names, as_json)


def _wanted(root: Path, name: str) -> ToolchainRequest:
    """The version by its name in the config, or by its exact version, which is what a recorded step names."""
    declared = config.options(root, "tensorrt")
    for option in [name] if name in declared else declared:
        spec = named.toolchain(root, option)
        if name in (option, spec.version):
            return ToolchainRequest(spec.flavour, spec.version, spec.requirements, option)
    raise ConfigError(f"unknown version '{name}'", where="toolchain", hint=did_you_mean(name, declared))


def _list(root: Path, names: Sequence[str], as_json: bool) -> int:
    entries = [_entry(root, name) for name in names or config.options(root, "tensorrt")]
    if as_json:
        print(json.dumps({"toolchains": [vars(entry) for entry in entries]}, indent=1))
    else:
        width = max((len(entry.name) for entry in entries), default=0)
        for entry in entries:
            what = f"{entry.flavour} {entry.version}".strip()
            print("  ".join(filter(None, (f"{entry.name:<{width}}  {entry.state:<9}", what, entry.python, entry.why))))
    return 0


def _entry(root: Path, name: str) -> Entry:
    if name not in config.options(root, "tensorrt"):
        _wanted(root, name)  # an exact version, or an error
    try:
        want = _wanted(root, name)
    except ConfigError as error:
        return Entry(name, "", "", "broken", why=str(error))
    if toolchains.in_this_environment(want)[0]:
        return Entry(want.name, want.flavour, want.version, "here", sys.executable)
    broken = toolchains.flaw(want)
    if broken is None:
        return Entry(want.name, want.flavour, want.version, "missing", "")
    state, why = ("broken", f"it {broken}; run: {want.command}") if broken else ("installed", "")
    return Entry(want.name, want.flavour, want.version, state, str(want.folder / "bin" / "python"), why)


def _install(root: Path, names: Sequence[str], as_json: bool) -> int:
    def install(want: ToolchainRequest) -> str:
        if toolchains.in_this_environment(want)[0]:
            return "is already in this environment"
        made = not toolchains.installed(want) and toolchains.make(want, _tell)
        return "installed" if made else "is already installed"

    return _each(root, names, install)


def _remove(root: Path, names: Sequence[str], as_json: bool) -> int:
    def remove(want: ToolchainRequest) -> str:
        if toolchains.remove(want):
            return "removed"
        own = toolchains.in_this_environment(want)[0]
        return "is part of this environment, which is left alone" if own else "is not installed"

    return _each(root, names, remove)


def _each(root: Path, names: Sequence[str], do: Callable[[ToolchainRequest], str]) -> int:
    worst = 0
    for want in [_wanted(root, name) for name in names]:
        try:
            _tell(f"{want.name}: {do(want)}")
        except ToolchainError as error:
            _tell(f"trtbuild: {want.name}: {error}")
            worst = max(worst, error.exit_status)
    return worst


def _path(root: Path, names: Sequence[str], as_json: bool) -> int:
    path = toolchains.interpreter(_wanted(root, names[0]), install=False)
    print(json.dumps({"path": str(path)}, indent=1) if as_json else path)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_ACTIONS: Mapping[str, Callable[[Path, Sequence[str], bool], int]] = {
    "list": _list, "install": _install, "remove": _remove, "path": _path,
}  # fmt: skip
