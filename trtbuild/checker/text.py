"""A result for people: lines for a terminal, a table for a notebook."""

from __future__ import annotations

from html import escape
from os import path

from trtbuild.base.text import printable
from trtbuild.checker.problem import Findings, Problem
from trtbuild.config import named

LISTED = 3  # how many further operations of a problem are named


def headline(result: Findings) -> str:
    """One line: does it convert, to what, and if not how many problems there are."""
    asked = ", ".join(result.outcomes) or "no version"
    if result.error:
        return f"not checked: {result.error}"
    precision = _precision(result)
    errors, rest = len(result.errors), len(result.problems) - len(result.errors)
    others = f" ({rest} warning{'s' if rest != 1 else ''})" if rest else ""
    if not errors:
        return f"converts to TensorRT {asked} in {precision}{others}"
    if result.late:
        return f"not known whether it converts to TensorRT {asked} in {precision}: not answered in time{others}"
    count = f"{errors} problem{'s' if errors != 1 else ''}"
    return f"does not convert to TensorRT {asked} in {precision}: {count}{others}"


def _precision(result: Findings) -> str:
    """Its name, and what that is where it is not as packaged: "mine (int8 for Conv)"."""
    lowering = result.lowering
    packaged = named.packaged_precisions()
    if lowering is None or str(packaged.get(lowering.precision)) == str(lowering):
        return result.precision
    return f"{result.precision} ({lowering})"


def text(result: Findings) -> str:
    lines = [headline(result)]
    if len(result.outcomes) > 1:
        width = max(map(len, result.outcomes))
        lines += [
            f"  {version:<{width}}  {result.outcomes[version]}"
            + (f"  ({count} problem{'s' if count != 1 else ''})" if (count := _errors(found)) else "")
            for version, found in result.by_version.items()
        ]
    for i, problem in enumerate(result.problems, 1):
        lines += ["", *_entry(i, problem, len(result.outcomes))]
    return "\n".join(printable(line) for line in lines)


def _errors(problems: tuple[Problem, ...]) -> int:
    return sum(problem.severity == "error" for problem in problems)


def _entry(number: int, problem: Problem, asked: int) -> list[str]:
    mark = "" if problem.severity == "error" else f"{problem.severity}, "
    versions = f", {', '.join(problem.versions)}" if problem.versions and len(problem.versions) < asked else ""
    kind = problem.op_type or problem.node_type
    lines = [f"{number}. {kind} {problem.op or problem.node}".rstrip() + f"  [{mark}{problem.stage}{versions}]"]
    if problem.also:
        lines.append(f"   also {_listed(problem.also)}")
    if problem.file:
        lines.append(f"   {_short(problem.file)}:{problem.line}" + (f"  {problem.code}" if problem.code else ""))
    elif problem.place_note:
        lines.append(f"   {problem.place_note}")
    lines.append(f"   {problem.words}")
    if problem.advice:
        lines.append(f"   -> {problem.advice}")
    return lines


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _short(file: str) -> str:
    """Relative to the current folder where that is shorter."""
    try:
        relative = path.relpath(file)
    except (ValueError, OSError):
        return file
    return relative if len(relative) < len(file) and not relative.startswith("..") else file


def html(result: Findings) -> str:
    """A heading and a table; no script, no style sheet of its own."""
    said = f"<p><b>{escape(headline(result))}</b></p>"
    if not result.problems:
        return said
    head = "".join(f"<th>{name}</th>" for name in ("", "TensorFlow operation", "where", "stage", "says", "advice"))
    rows = "".join(_row(i, problem, len(result.outcomes)) for i, problem in enumerate(result.problems, 1))
    return f"{said}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(number: int, problem: Problem, asked: int) -> str:
    kind, name = problem.op_type or problem.node_type, problem.op or problem.node
    where = f"{_short(problem.file)}:{problem.line}" if problem.file else problem.place_note
    stage = problem.stage + ("" if problem.severity == "error" else f" ({problem.severity})")
    if 0 < len(problem.versions) < asked:
        stage += f" {', '.join(problem.versions)}"
    also = f", also {_listed(problem.also)}" if problem.also else ""
    cells = (str(number), f"{kind} {name}{also}", where, stage, problem.words, problem.advice)
    return "<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in cells) + "</tr>"
