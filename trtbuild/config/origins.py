"""Where each value of a composed config comes from: the command line, a file, or the schema's default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trtbuild.base.packaged import packaged_conf
from trtbuild.config.composing import compose_config
from trtbuild.config.groups import GROUPS, check_choices, conf_folders
from trtbuild.core.explain import flat
from trtbuild.core.parse import parse
from trtbuild.store.tracking import parse_yaml

COMMAND_LINE, DEFAULT, COMPUTED = "command line", "default", "computed"
_PACKAGED = "packaged conf"


@dataclass(frozen=True)
class Setting:
    """A dotted key, its value, and where it was set: a file relative to the workspace, or one of the words above."""

    key: str
    value: object
    origin: str


def settings(root: Path, overrides: Sequence[str]) -> list[Setting]:
    """The chosen option of every group and, after each, its values; in the order of the schema.

    Raises:
        ConfigError: the overrides do not compose, or a group does not parse.
    """
    check_choices(root, overrides)
    config, choices = compose_config(root, overrides)
    words = {word.partition("=")[0].lstrip("+~") for word in overrides}
    defaults = _choices_of_config(root)
    found: list[Setting] = []
    for group, cls in GROUPS.items():
        if config.get(group) is None:
            continue
        choice = str(choices[group])
        chosen_by = COMMAND_LINE if group in words else defaults.get(group, DEFAULT)
        found.append(Setting(group, choice, chosen_by))
        composed, files = flat(config[group]), _with_main_file(root, group, list(chain(root, group, choice)))
        for key, value in _values(parse(cls, config[group], group), composed):
            found.append(Setting(f"{group}.{key}", value, _origin(root, group, key, composed, files, words)))
    return found


def _values(parsed: object, composed: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The composed values in their order, then the schema's defaults for keys that no file has."""
    yield from composed.items()
    for key, value in flat(asdict(parsed)).items():  # type: ignore[call-overload]  # every group is a dataclass
        known = any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in composed)
        if not known and value not in (None, {}, ()):
            yield key, list(value) if isinstance(value, tuple) else value


def _origin(
    root: Path, group: str, key: str, composed: Mapping[str, object], files: Sequence[tuple[Path, dict[str, object]]],
    words: set[str],
) -> str:  # fmt: skip
    whole = f"{group}.{key}"
    if any(whole == word or ("." in word and whole.startswith(f"{word}.")) for word in words):
        return COMMAND_LINE
    if key not in composed:
        return DEFAULT
    setting = [path for path, content in files if key in content and content[key] == composed[key]]
    if setting:
        return shown(root, setting[-1])
    return next((f"{shown(root, path)}, computed" for path, content in files if key in content), COMPUTED)


def _with_main_file(
    root: Path, group: str, files: list[tuple[Path, dict[str, object]]]
) -> list[tuple[Path, dict[str, object]]]:
    """The files of a group's option and config.yaml, if that has keys of the group, in the order of its defaults."""
    path = conf_folders(root)[0] / "config.yaml"
    content = _content(path)
    own = content.get(group)
    if not isinstance(own, dict):
        return files
    entries = _entries(content)
    after = [i for i, entry in enumerate(entries) if isinstance(entry, dict) and group in entry]
    first = "_self_" in entries and bool(after) and entries.index("_self_") < after[0]
    return [(path, flat(own)), *files] if first else [*files, (path, flat(own))]


def _choices_of_config(root: Path) -> dict[str, str]:
    """Group -> the config.yaml whose defaults choose its option."""
    found: dict[str, str] = {}
    for folder in reversed(conf_folders(root)):
        path = folder / "config.yaml"
        for entry in _entries(_content(path)) if path.is_file() else ():
            found |= {str(group).split()[-1]: shown(root, path) for group in entry} if isinstance(entry, dict) else {}
    return found


def chain(root: Path, group: str, name: str, seen: tuple[Path, ...] = ()) -> Iterator[tuple[Path, dict[str, object]]]:
    """The files that an option is made from, what they hold flattened; a later one overrides the earlier ones."""
    folders = conf_folders(root)
    path = next((p for folder in folders if (p := folder / group / f"{name}.yaml").is_file()), None)
    if path is None or path in seen:
        return
    content = _content(path)
    for entry in _entries(content):
        other = entry if isinstance(entry, str) else next((str(v) for v in dict(entry).values()), "")
        if other and other != "_self_":
            place, _, option = other.removesuffix(".yaml").strip("/").rpartition("/")
            yield from chain(root, place or group, option, (*seen, path))
    yield path, flat({key: value for key, value in content.items() if key != "defaults"})


def _content(path: Path) -> dict[str, object]:
    content = parse_yaml(path.read_bytes(), str(path))
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def _entries(content: Mapping[str, object]) -> list[str | dict[str, object]]:
    defaults = content.get("defaults")
    return [entry for entry in defaults if isinstance(entry, (str, dict))] if isinstance(defaults, list) else []


def shown(root: Path, path: Path) -> str:
    """A config file as it is shown: relative to the workspace, or to the packaged defaults."""
    for folder, name in ((root.resolve(), ""), (packaged_conf().resolve(), _PACKAGED)):
        if path.resolve().is_relative_to(folder):
            return f"{name}/{path.resolve().relative_to(folder)}".lstrip("/")
    return str(path)
