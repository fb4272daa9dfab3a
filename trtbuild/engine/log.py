"""A build's log -> the document of its engine, in the form of ``trtexec --exportLayerInfo``; pure.

The builder writes it if its logger keeps the lowest level and profiling_verbosity is DETAILED; trtexec does with
--verbose or --dumpLayerInfo.  Lines of the section that are not understood are in the document, too, under Unread.
"""

from __future__ import annotations

import re
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.engine import oneline
from trtbuild.engine.oneline import NotUnderstood

SECTION = "Layers:"
_SHORT_SECTION = "Engine Layer Information:"
_ENDS = ("Bindings:", "I/O Tensors:", "Engine Metadata:")
_PREFIX = re.compile(
    r"^(?:\[[^\]]*\] ?)*(?:\[[VIWEX]\]|\[TRT\]|\[TensorRT\] [A-Z]+:|Severity\.[A-Z_]+)(?: ?\[TRT\])? ?"
)
# Key of the document -> line of the log; versions before RTX and 10 leave "bytes" out.
MEMORY: dict[str, re.Pattern[str]] = {
    "activation": re.compile(r"Total Activation Memory: (\d+)(?: bytes)?$"),
    "weights": re.compile(r"Total Weights Memory: (\d+)(?: bytes)?$"),
    "scratch": re.compile(r"(?:Max Scratch Memory|Total Scratch Memory): (\d+)(?: bytes)?$"),
    "host_persistent": re.compile(r"Total (?:per-runner )?host persistent memory(?: is|:) (\d+)(?: bytes)?$", re.I),
    "device_persistent": re.compile(r"Total (?:per-runner )?device persistent memory(?: is|:) (\d+)(?: bytes)?$", re.I),
}  # fmt: skip
_HEADING = re.compile(rf"^[^\"{{}}]*(?:{SECTION}|{_SHORT_SECTION})\r?$", re.MULTILINE)
HINT = "it is there with profiling verbosity 'detailed' and a logger that keeps the lowest level (trtexec --verbose)"


def is_wanted(message: str) -> bool:
    """Whether one message of TensorRT's logger is worth keeping: the section of layers, or a line on memory."""
    return message.startswith((SECTION, _SHORT_SECTION)) or any(found.search(message) for found in MEMORY.values())


def is_log(text: str) -> bool:
    """Whether the first line has a logger's mark, which may begin like JSON, or a section of layers follows."""
    return _PREFIX.match(text.lstrip()) is not None or _HEADING.search(text) is not None


def document(text: str, where: str) -> dict[str, Any]:
    """``{"Layers": […], "Bindings": […], "I/O Tensors": […], "Memory": {…}, "Unread": […]}`` of a log.

    Raises:
        ConfigError: there is no section of layers, or there are the sections of several engines.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]  # never splitlines(): nodes are separated by U+001E
    sections: list[tuple[int, dict[str, Any]]] = []
    for i, line in enumerate(lines):
        message = _PREFIX.sub("", line)
        if message in (SECTION, _SHORT_SECTION):
            sections.append((i + 1, (_section if message == SECTION else _short_section)(lines, i + 1)))
    unread = next((one["Unread"][0] for _, one in sections if one["Unread"]), None)
    sections = _detailed(sections)
    if not sections and unread is not None:
        what = f"no layer of this log is understood; line {unread['line']}: {unread['why']}"
        raise ConfigError(what, where=where, hint="report it, with the log")
    if not sections:
        raise ConfigError("there is no section 'Layers:' in this log", where=where, hint=HINT)
    section = sections[-1][1]
    if any(other["Layers"] != section["Layers"] for _, other in sections):
        what = f"the log has sections of several engines, at lines {', '.join(str(line) for line, _ in sections)}"
        raise ConfigError(what, where=where, hint="give the log of one of them")
    return section | {"Memory": memory(text)}


def _detailed(sections: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """The most detailed sections: an engine may be logged in several forms."""
    full = [one for one in sections if one[1]["Layers"]]
    return [one for one in full if any(isinstance(la, dict) and "StreamId" in la for la in one[1]["Layers"])] or full


def _section(lines: list[str], start: int) -> dict[str, Any]:
    """The section from line ``start`` to the next line with the logger's mark, or to the end."""
    section: dict[str, Any] = {"Layers": [], "Bindings": [], "Unread": []}
    part, names = SECTION, []
    for i in range(start, len(lines)):
        line = lines[i]
        if _PREFIX.match(line):
            break
        if line.strip() in _ENDS:
            part = line.strip()
        elif not line.strip():
            continue
        elif part == SECTION and not line.startswith("Name: "):
            names.append((i + 1, line))
        else:
            _entry(section, part, line, i + 1)
    if names and not section["Layers"]:  # profiling verbosity LAYER_NAMES_ONLY
        section["Layers"] = [name for _, name in names]
    else:
        section["Unread"] += [_unread(number, line, "it does not begin with Name") for number, line in names]
    section["Unread"].sort(key=lambda entry: entry["line"])
    return section


def _entry(section: dict[str, Any], part: str, line: str, number: int) -> None:
    try:
        if part == SECTION:
            section["Layers"].append(oneline.layer(line))
        elif part == "Bindings:":
            section["Bindings"].append(line.strip())
        elif part == "I/O Tensors:":
            tensor = _binding(line.strip())
            section.setdefault("I/O Tensors", []).append(tensor)
            section["Bindings"].append(tensor["Name"])
        else:
            key, colon, value = line.strip().partition(": ")
            if not colon:
                raise NotUnderstood("it is not 'KEY: VALUE'")
            section.setdefault("Engine Metadata", {})[key] = value
    except NotUnderstood as error:
        section["Unread"].append(_unread(number, line, str(error)))


_SHAPES = re.compile(r"(Min|Opt|Max)Shape: \[([-\d, ]*)\]")


def _binding(line: str) -> dict[str, Any]:
    """``Name: x, …, ProfileInfo: [ { MinShape: […], … }, …]``, with the shapes as one mapping for each profile."""
    head, found, tail = line.partition(", ProfileInfo: ")
    tensor = oneline.record(head)
    if found:
        profiles = [{f"{k}Shape": [int(n) for n in v.split(",") if n] for k, v in _SHAPES.findall(part)}
                    for part in tail.split("}, {")]  # fmt: skip
        tensor["ProfileInfo"] = profiles
    return tensor


def _short_section(lines: list[str], start: int) -> dict[str, Any]:
    section: dict[str, Any] = {"Layers": [], "Bindings": [], "Unread": []}
    for i in range(start, len(lines)):
        message = _PREFIX.sub("", lines[i])
        if not message.startswith("Layer("):
            if message.strip():
                break
            continue
        try:
            section["Layers"].append(oneline.short_layer(message))
        except NotUnderstood as error:
            section["Unread"].append(_unread(i + 1, lines[i], str(error)))
    return section


def memory(text: str) -> dict[str, int]:
    """Bytes by the keys of :data:`MEMORY`; the last line of each counts, since a builder may try more than once."""
    sizes: dict[str, int] = {}
    for line in text.split("\n"):
        if "emory" in line:
            sizes |= {key: int(at[1]) for key, pattern in MEMORY.items() if (at := pattern.search(line))}
    return sizes


def _unread(line: int, text: str, why: str) -> dict[str, Any]:
    return {"line": line, "text": text, "why": why}
