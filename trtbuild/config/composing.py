"""Hydra's compose API behind one function: overrides -> a mapping; every mistake is a one-line error with a hint."""

from __future__ import annotations

import contextlib
import errno
import importlib.resources
import importlib.util
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean
from trtbuild.config.composed import Composition, reading
from trtbuild.config.environment import UNRECORDED, watching, withheld
from trtbuild.config.groups import GROUPS, OPTIONAL, check_choices, conf_folders, options
from trtbuild.config.mainfile import check_main_file
from trtbuild.core.explain import flat
from trtbuild.core.parse import keys, knows


def composed_option(root: Path, group: str, name: str, overrides: Sequence[str] = ()) -> object:
    """One option of a group with overrides of its keys, without a model (config/named.py reads plain ones itself).

    Raises:
        ConfigError: the option does not exist, or is not readable.
    """
    words = [f"{group}={name}", *overrides]
    check_choices(root, words)
    return compose_config(root, words)[0][group]


def default_option(root: Path, group: str) -> str:
    """The option of a group that the workspace's config.yaml chooses.

    Raises:
        ConfigError: it chooses none, or is not readable.
    """
    _, choices = compose_config(root, [])
    chosen = choices.get(group)
    if chosen is None:
        have = ", ".join(options(root, group))
        raise ConfigError(f"no {group} chosen", where="command line", hint=f"write {group}=NAME; available: {have}")
    return str(chosen)


def compose_config(root: Path, overrides: Sequence[str], read: set[str] | None = None) -> Composition:
    """Compose a config; the files it was composed from and the folders that were searched are added to ``read``."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    folders = conf_folders(root)
    overrides = [_quoted(word) for word in overrides]
    if not (folders[0] / "config.yaml").is_file():
        whole(folders[0] / "config.yaml", "conf/config.yaml")
        raise ConfigError("it has no config.yaml", where=str(folders[0]), hint="run: trtbuild init .")
    check_main_file(folders[0] / "config.yaml", str(_shown(folders, folders[0] / "config.yaml")))
    search = _search(folders)
    read = set() if read is None else read
    warnings.filterwarnings("ignore", "In '.*': Defaults list is missing `_self_`")  # which is then its end
    with reading(read), initialize_config_dir(str(folders[0]), version_base="1.3"):
        try:
            overrides = _with_unlisted(folders[0], search, overrides)
            try:
                config = compose("config", [*search, *overrides], return_hydra_config=True)
            except (HydraException, OmegaConfBaseException):
                if (known := _with_known_keys(search, overrides)) == overrides:
                    raise
                overrides = known
                config = compose("config", [*search, *overrides], return_hydra_config=True)
            values = {str(key): config[key] for key in config if key != "hydra"}
            with watching() as names:
                plain = {
                    key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
                    for key, value in values.items()
                }
            if names:
                plain = {
                    key: value if key == UNRECORDED else withheld(values[key], value, key)
                    for key, value in plain.items()
                }
            choices = {str(group): config.hydra.runtime.choices[group] for group in config.hydra.runtime.choices}
            _only_the_users(read, config.hydra.runtime.config_sources)
        except (HydraException, OmegaConfBaseException) as error:
            raise _one_line(error, folders, search, overrides) from error
        except RecursionError:
            hint = "look for an option whose defaults lead back to itself, or for brackets without end"
            what = "defaults go round in a circle, or a file is nested too deeply"
            raise ConfigError(what, where=str(folders[0]), hint=hint) from None
        except OSError as error:
            raise _too_long(error) from None
        except (YAMLError, UnicodeDecodeError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            where = str(folders[0]) if mark is None else f"{_shown(folders, Path(mark.name))}:{mark.line + 1}"
            message = " ".join(str(error if mark is None else getattr(error, "problem", None) or error).split())
            raise ConfigError(f"a config file is not readable: {message}", where=where) from error
    return plain, choices


def _search(folders: Sequence[Path]) -> list[str]:
    """The override that makes Hydra search the packaged folder, too, after those that config.yaml names."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not folders[1:]:
        return []
    own: list[object] = []
    if b"searchpath" in (content := (folders[0] / "config.yaml").read_bytes()):
        try:
            own = list(OmegaConf.select(OmegaConf.create(content.decode()), "hydra.searchpath", default=[]))
        except (OmegaConfBaseException, YAMLError, ValueError, TypeError):
            own = []  # composing will report what is wrong
    quoted = ("'" + str(path).replace("'", r"\'") + "'" for path in [*own, *(f"file://{f}" for f in folders[1:])])
    return [f"hydra.searchpath=[{','.join(quoted)}]"]


class _Source(Protocol):
    """An entry of Hydra's search path."""

    provider: str
    path: str
    schema: str


def _only_the_users(read: set[str], sources: Iterable[_Source]) -> None:
    """Remove Hydra's own files from those that were read, and add the folders that were searched."""
    import hydra

    own = str(Path(hydra.__file__).parent)
    read -= {path for path in read if path.startswith(own)}
    for source in sources:
        if source.schema == "file":
            read.add(str(Path(source.path).absolute()))
        elif source.schema == "pkg" and source.provider != "hydra":
            with contextlib.suppress(ImportError, TypeError, ValueError):  # composing has found nothing there either
                read.add(str(importlib.resources.files(source.path.replace("/", "."))))


def _with_unlisted(folder: Path, search: list[str], overrides: Sequence[str]) -> list[str]:
    """The overrides, preceded by a choice for every optional group that the workspace's defaults do not list.

    Hydra requires ``+group=option`` for such a group; the user writes ``group=option`` in every workspace.
    """
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    text = (folder / "config.yaml").read_text("utf-8", errors="replace")
    if all(re.search(rf"^ *- *{group} *:", text, re.M) for group in OPTIONAL):  # usually: no need to compose twice
        return list(overrides)
    # With the user's choices: the option that they replace need not be there, nor be readable.
    choosing = [word for word in overrides if word.partition("=")[0] in GROUPS]
    for words in ([word for word in choosing if word.partition("=")[0] not in OPTIONAL], choosing):
        try:
            listed = compose("config", [*search, *words], return_hydra_config=True).hydra.runtime.choices
            break
        except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError, ValueError, RecursionError):
            continue
    else:
        return list(overrides)  # the real composition will report what is wrong
    unlisted = [group for group in OPTIONAL if group not in listed]
    chosen = {key: word for word in overrides if (key := word.partition("=")[0].lstrip("+")) in unlisted}
    choices = [f"+{chosen.get(group, f'{group}=default').lstrip('+')}" for group in unlisted]
    return [*choices, *(word for word in overrides if word not in chosen.values())]


def _with_known_keys(search: list[str], overrides: Sequence[str]) -> list[str]:
    """The overrides, with ``++key=value`` for keys in the schema, which need not be in the file.

    Raises:
        ConfigError: the key would be below a plain value, which would be lost.
    """
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    named = [(word, word.partition("=")[0].lstrip("+")) for word in overrides]
    known = {word for word, key in named if "=" in word and _in_schema(key)}
    if not known:
        return list(overrides)
    try:
        there = flat(OmegaConf.to_container(compose("config", [*search, *(w for w in overrides if w not in known)])))
    except (HydraException, OmegaConfBaseException):
        return list(overrides)  # another word is wrong: composing again will report which
    for word, key in named:
        if word in known:
            above = next((parent for parent in _parents(key) if there.get(parent) not in (None, {})), None)
            if above is not None:
                hint = f"give all of it: {above}={{…}}"
                raise ConfigError(f"'{above}' is {there[above]!r}, which has no keys", where=word, hint=hint)
            value = word.partition("=")[2]
            if not value.startswith("{"):
                there[key] = value
    return [f"++{key}={word.partition('=')[2]}" if word in known else word for word, key in named]


def _in_schema(key: str) -> bool:
    group, *parts = key.split(".")
    return bool(parts) and group in GROUPS and knows(GROUPS[group], parts)


def _quoted(word: str) -> str:
    """A chosen option, quoted: Hydra would read 1e3 or 2024_06_01 as a number."""
    key, equals, value = word.partition("=")
    return f"{key}='{value}'" if key in GROUPS and equals and not value.startswith(("'", '"', "{", "[")) else word


def _one_line(error: Exception, folders: list[Path], search: list[str], overrides: Sequence[str]) -> ConfigError:
    """Hydra's message as an error with what, where and the nearest valid key."""
    from hydra import compose
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    message = _sentences(error)
    if (found := re.search(r"In '([^']+)': Could not find '([^']+)/([^'/]+)'", message)) is not None:
        file, group, name = found.groups()
        if not any(word.partition("=")[0].lstrip("+") == group for word in overrides):
            have = options(folders[0].parent, group)
            what = f"unknown {group} '{name}'" if have else f"unknown group '{group}'"
            hint = did_you_mean(name, have) if have else did_you_mean(group, GROUPS)
            return ConfigError(what, where=_defaults_entry(folders, file, group, name), hint=hint)
    try:
        compose("config", search)
    except (HydraException, OmegaConfBaseException, OSError) as failure:
        if _sentences(failure) == message:  # not a matter of the words
            return ConfigError(message, where=str(_shown(folders, folders[0] / "config.yaml")))
    for i, given in enumerate(overrides):
        word = given.removeprefix("++")
        if "=" not in word and not word.startswith("~"):
            return ConfigError("expected key=value", where=word)
        try:
            compose("config", [*search, *overrides[:i], given])
            continue
        except (HydraException, OmegaConfBaseException) as failure:
            message = _sentences(failure)
            if isinstance(failure, OverrideParseException):
                return ConfigError(message, where=word)
        except OSError as failure:
            return _too_long(failure)
        key = word.partition("=")[0].lstrip("+~")
        try:
            known = flat(OmegaConf.to_container(compose("config", [*search, *overrides[:i]])))
        except (HydraException, OmegaConfBaseException):
            known = {}
        groups = {part for name in known for part in [name, *_parents(name)]}
        groups |= {name for group, cls in GROUPS.items() for name in keys(cls, group)}
        if key not in groups:
            tail = [name for name in groups if name.endswith("." + key)]
            beside = {name for name in groups if name.rpartition(".")[0] == key.rpartition(".")[0]}
            hint = did_you_mean(key, groups)
            if tail or not hint.startswith("did"):  # a list of all keys would not help
                hint = f"did you mean '{min(tail, key=len)}'?" if tail else did_you_mean(key, beside or GROUPS)
            return ConfigError(f"unknown key '{key}'", where=word, hint=hint)
        return ConfigError(message, where=word)
    broken = next((f for f in folders if str(f) in message), None)
    return ConfigError(message, where=str(broken or folders[0]))


def _too_long(error: OSError) -> ConfigError:
    if error.errno != errno.ENAMETOOLONG:
        raise error
    name = Path(str(error.filename)).name
    return ConfigError("the name is too long for a file", where=f"{name[:40]}…", hint="shorten it")


def _defaults_entry(folders: Sequence[Path], file: str, group: str, name: str) -> str:
    """The file and line of an entry in a list of defaults, as Hydra names the file."""
    path = next((path for folder in folders if (path := folder / f"{file}.yaml").is_file()), folders[0])
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    said = [i for i, line in enumerate(lines, 1) if re.search(rf"{re.escape(group)}\b.*\b{re.escape(name)}\b", line)]
    return f"{_shown(folders, path)}:{said[0]}: defaults" if said else str(_shown(folders, path))


def _shown(folders: Sequence[Path], path: Path) -> Path:
    root = folders[0].parent
    return path.relative_to(root) if path.is_relative_to(root) else path


def _sentences(error: Exception) -> str:
    """The informative first lines of a message; what follows names internal objects."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("full_key", "object_type", "See ", "To append"))]
    cause = str(error.__cause__).splitlines()[:1] if error.__cause__ is not None else []
    return " ".join([*useful[:2], *(line for line in cause if line not in useful[:2])]) or type(error).__name__


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]
