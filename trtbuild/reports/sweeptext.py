"""A sweep's summary for a merge request, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtbuild.base.text import printable
from trtbuild.reports.sweepcalibrations import named

MOST = 40  # lines of a list: people read merge requests


def markdown(page: Mapping[str, Any], symbols: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Counts, failures, matrix, best calibrations, changes since accepted baselines and between versions, warnings."""
    by_id = {v["id"]: v for v in page["variants"]}
    counts = [f"{symbols[state]} {count} {words[state]}" for state, count in page["counts"].items() if count]
    lines = [f"## Sweep: {', '.join(counts) or 'nothing'}", ""]
    broken = [by_id[i] for i in page["failures"] if by_id[i]["failed_checks"]]
    lines += [f"- {_failure(v, symbols, words)}" for v in broken[:MOST]] + _more(len(broken))
    lines += [f"- {_reason(group, symbols, words)}" for group in page["reasons"][:MOST]] + _more(len(page["reasons"]))
    unjudged = [v for v in page["variants"] if v["state"] == "unjudged"]
    lines += [f"- {_reason({**v, 'ids': [v['id']]}, symbols, words)}" for v in unjudged[:MOST]] + _more(len(unjudged))
    heads = [f"{cell(column['tensorrt'])} {cell(column['label'])}" for column in page["columns"]]
    lines += ["", f"| model | {' | '.join(heads)} |", f"|{'---|' * (len(heads) + 1)}"]
    for model in page["models"]:
        cells = ["<br>".join(_cell(by_id[i], symbols, words) for i in ids) or "–" for ids in model["cells"]]
        lines.append(f"| {cell(model['name'])} | {' | '.join(cells)} |")
    lines += _engines(page["engines"]["differences"])
    if page["calibrations"]:
        lines += ["", "### Best calibration", ""]
        lines += [f"- {cell(r['model'])} {cell(r['label'])}: **{cell(named(r['rows'][0]))}**, {cell(r['why'])}"
                  for r in page["calibrations"][:MOST]]  # fmt: skip
        lines += _more(len(page["calibrations"]))
    accepted = page["accepted"]
    if accepted["changed"] or accepted["same"]:
        lines += ["", f"### Against the accepted baseline ({len(accepted['same'])} unchanged)", ""]
        lines += [f"- {cell(i)}: {_phrases(by_id[i]['baseline_changes'])}" for i in accepted["changed"][:MOST]]
        lines += _more(len(accepted["changed"]))
    if page["versions"]["compared"]:
        changed = page["versions"]["changes"]
        lines += ["", f"### Between versions ({len(changed)} of {page['versions']['compared']} steps changed)", ""]
        lines += [f"- {cell(c['model'])} {cell(c['label'])}, since {cell(c['since'])}: {_phrases(c['what'])}"
                  for c in changed[:MOST]]  # fmt: skip
        lines += _more(len(changed))
    if page["warnings"]:
        lines += ["", "### Compare with care", "", *(f"- {cell(w)}" for w in page["warnings"][:MOST])]
        lines += _more(len(page["warnings"]))
    return "\n".join(lines).rstrip() + "\n"


def _engines(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    differing = [one for one in differences if one["says"]]
    if not differences:
        return []
    shown = [f"- {cell(one['model'])} {cell(one['label'])}, {cell(one['old'])} → {cell(one['new'])}: "
             f"{_phrases(one['says'])}" for one in differing[:MOST]]  # fmt: skip
    head = f"### Engines ({len(differing)} of {len(differences)} comparisons differ)"
    return ["", head, "", *shown, *_more(len(differing))]


def _more(count: int) -> list[str]:
    return [f"- and {count - MOST} more"] if count > MOST else []


def _phrases(said: list[str]) -> str:
    return cell("; ".join(said))


def _failure(v: Mapping[str, Any], symbols: Mapping[str, str], words: Mapping[str, str]) -> str:
    checks = [f"{cell(c['name'])} {_number(c['observed'])}, limit {_number(c['limit'])}" for c in v["failed_checks"]]
    first = f"; first bad layer {cell(v['first_bad']['path'])}" if v["first_bad"] else ""
    return f"{symbols[v['state']]} **{cell(v['id'])}** {words[v['state']]}: {'; '.join(checks)}{first}"


def _reason(group: Mapping[str, Any], symbols: Mapping[str, str], words: Mapping[str, str]) -> str:
    why = f": {cell(group['reason'])}" if group["reason"] else ""
    return f"{symbols[group['state']]} **{cell(', '.join(group['ids']))}** {words[group['state']]}{why}"


def _cell(v: Mapping[str, Any], symbols: Mapping[str, str], words: Mapping[str, str]) -> str:
    state = f"{symbols[v['state']]} {words[v['state']]}"
    return f"{state} {_number(v['p50_ms']['value'])} ms" if v["p50_ms"] else state


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def cell(text: str) -> str:
    r"""Text for a cell of a Markdown table, without control characters, and with Markdown and HTML markup escaped.

    >>> print(cell("a|b<script>*"))
    a\|b&lt;script&gt;\*
    """
    text = printable(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "|`*[]":
        text = text.replace(mark, f"\\{mark}")
    return text
