"""Compositions of a sweep combined from options that are each read once; what cannot be combined is left to Hydra.

An option is combined if it decides about its own group only: plain YAML, or a chain of options of that group in its
``defaults``.  A word is combined if it chooses an option, or sets a plain value below a group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, cast

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.files import is_inside
from trtbuild.config.composed import Composed, Composition, Config, reading
from trtbuild.config.groups import GROUPS, OPTIONAL, conf_folders
from trtbuild.store.tracking import parse_yaml

if TYPE_CHECKING:
    from yaml import SafeLoader

_CHOICE = re.compile(r"\w[\w.+-]*")
_SETTING = re.compile(r"(?:\+\+)?([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)")
# What makes a file depend on more than itself: Hydra's directives, values of other keys, other places to look in.
_REACHING = re.compile(r"^\s*#\s*@|\$\{|searchpath", re.M)


class Combiner:
    """Combines compositions of one workspace; ``extra``: the keys that config.yaml may have besides its groups."""

    def __init__(self, root: Path, extra: Sequence[str], composed: Composed | None = None) -> None:
        self._folders, self._extra, self._composed = conf_folders(root), extra, composed
        self._contents: dict[tuple[str, str], Config | None] = {}
        self._files: dict[tuple[str, str], list[str]] = {}  # an option, and all that it is made from
        self._parts: dict[tuple[str, str, tuple[str, ...]], Config | None] = {}
        self._words: dict[str, tuple[str, str] | None] = {}

    def combine(self, overrides: Sequence[str]) -> Composition | None:
        """The composition of these words, as Hydra makes it; None if only Hydra can say what it is.

        Parts that several compositions share are the same objects.
        """
        if self._base is None:
            return None
        plain, defaults = self._base
        choices: dict[str, object] = dict(defaults)
        chosen: set[str] = set()
        settings: dict[str, tuple[str, ...]] = {}
        for word in overrides:
            if word not in self._words:
                self._words[word] = _kind(word)
            known = self._words[word]
            if known is None:
                return None
            group, option = known
            if not option:
                settings[group] = (*settings.get(group, ()), word)
            elif group in chosen:
                return None
            else:
                chosen.add(group)
                choices[group] = option
        config = dict(plain)
        for group, chosen_option in choices.items():
            if chosen_option is None:
                if group in settings:
                    return None
                continue
            part = self._part(group, str(chosen_option), settings.get(group, ()))
            if part is None:
                return None
            config[group] = part
        return config, choices

    @cached_property
    def _base(self) -> tuple[Config, dict[str, str | None]] | None:
        """The other keys of config.yaml, and the option that it chooses of every group; None if it does more."""
        content = self._load(self._folders[0] / "config.yaml")
        entries = content.pop("defaults", None) if content is not None else None
        if content is None or not isinstance(entries, list) or not content.keys() <= set(self._extra):
            return None
        choices: dict[str, str | None] = {}
        for entry in entries:
            if entry == "_self_":
                continue
            if not isinstance(entry, dict) or len(entry) != 1:
                return None
            (group, option), = entry.items()
            if group not in GROUPS or group in choices or not (option is None or _is_choice(option)):
                return None
            choices[group] = option
        return content, {**choices, **{group: "default" for group in OPTIONAL if group not in choices}}

    def _part(self, group: str, option: str, settings: tuple[str, ...]) -> Config | None:
        key = (group, option, settings)
        if key not in self._parts:
            content = self._content(group, option)
            self._parts[key] = content if content is None or not settings else _set(group, content, settings)
        return self._parts[key]

    def _content(self, group: str, option: str, above: tuple[str, ...] = ()) -> Config | None:
        """An option with what its ``defaults`` name in the same group."""
        key = (group, option)
        if key not in self._contents:
            found = [folder / group / f"{option}.yaml" for folder in self._folders]
            path = next((path for path in found if path.is_file()), None)
            content = None if path is None else self._load(path)
            self._files[key] = [option]
            if content is not None and "defaults" in content:
                content = self._chained(group, option, content, above)
            self._contents[key] = content
        return self._contents[key]

    def _load(self, path: Path) -> Config | None:
        read = set[str]()
        with reading(read):
            content = _load(path)
        if self._composed is not None:
            self._composed.depends_on(read)
        return content

    def _chained(self, group: str, option: str, content: Config, above: tuple[str, ...]) -> Config | None:
        """The options that ``defaults`` names, merged in their order; ``_self_`` must say where the file itself is."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        entries = content.pop("defaults")
        if not isinstance(entries, list) or entries.count("_self_") != 1:
            return None
        merged, files = OmegaConf.create(), self._files[group, option]
        for entry in entries:
            if not _is_choice(entry) or entry in (*above, option):
                return None
            part = content if entry == "_self_" else self._content(group, entry, (*above, option))
            if part is None:
                return None
            files += [] if entry == "_self_" else self._files[group, entry]
            try:
                merged.merge_with(OmegaConf.create(part))
            except OmegaConfBaseException:
                return None
        return cast(Config, OmegaConf.to_container(merged)) if len({*files}) == len(files) else None


def _kind(word: str) -> tuple[str, str] | None:
    """The group of a word, with the option if it chooses one, else ""; None if only Hydra knows what it does."""
    key, equals, value = word.partition("=")
    if equals and key in GROUPS and _is_choice(value):
        return key, value
    setting = _SETTING.fullmatch(key)
    if not equals or setting is None or setting[1] not in GROUPS or "$" in value:
        return None
    return setting[1], ""


def _is_choice(option: object) -> bool:
    return isinstance(option, str) and _CHOICE.fullmatch(option) is not None and is_inside(option)


def _load(path: Path) -> Config | None:
    """A config file as Hydra reads it; None if it is not there, or reaches beyond itself."""
    try:
        text = path.read_text("utf-8")
        loaded = None if _REACHING.search(text) else parse_yaml(text.encode(), str(path), _yaml_loader())
    except (OSError, ValueError, WorkspaceError):
        return None
    if loaded is None and not text.strip():
        return {}
    return loaded if isinstance(loaded, dict) and _is_plain(loaded) else None


@cache
def _yaml_loader() -> type[SafeLoader]:
    """OmegaConf's loader over libyaml's parser: a tenth of the time."""
    import yaml
    from omegaconf._utils import get_yaml_loader
    from yaml.constructor import SafeConstructor
    from yaml.resolver import Resolver

    loader: type[SafeLoader] = get_yaml_loader()
    if not yaml.__with_libyaml__:
        return loader
    from yaml.cyaml import CParser

    class Loader(CParser, loader):  # type: ignore[misc]
        def __init__(self, stream: bytes) -> None:
            CParser.__init__(self, stream)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return Loader


def _is_plain(value: object) -> bool:
    """Whether OmegaConf would keep the value as it is."""
    if isinstance(value, dict):
        return all(isinstance(key, (str, int, float)) and _is_plain(inner) for key, inner in value.items())
    return all(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, (str, int, float, NoneType))


def _set(group: str, content: Config, settings: Sequence[str]) -> Config | None:
    """An option with values set by words, as Hydra does it; None if Hydra has to say what is wrong."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config = OmegaConf.create({group: content})
    OmegaConf.set_struct(config, True)
    try:
        for override in OverridesParser.create().parse_overrides(list(settings)):
            if override.is_sweep_override() or override.package is not None:
                return None
            OmegaConf.update(
                config, override.key_or_group, override.value(), merge=True, force_add=override.is_force_add()
            )
        plain = OmegaConf.to_container(config[group], resolve=True)
    except (HydraException, OmegaConfBaseException, ValueError):
        return None
    return cast(Config, plain) if isinstance(plain, dict) else None
