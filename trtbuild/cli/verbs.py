"""What each verb does: plain functions from parsed words to an exit status."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.building.loop import judge_plan
from trtbuild.building.planned import Planned, planned
from trtbuild.building.run import build_planned, exit_status
from trtbuild.building.summary import NOTHING_TO_DO, show_document, summarise
from trtbuild.cli import noop
from trtbuild.config import composed
from trtbuild.core import warning
from trtbuild.core.explain import nearest_difference
from trtbuild.core.record import params
from trtbuild.core.status import short_name
from trtbuild.core.step import Step
from trtbuild.machine.gpu import DRIVER_FILES
from trtbuild.store.tracking import read_yaml

if TYPE_CHECKING:
    from trtbuild.cli.main import Words


def build(words: Words) -> int:
    """Bring the variant up to date, then say its verdict."""
    root = find_workspace(Path.cwd()).root
    told_by = noop.sign(told_by_paths(root))
    p = planned(words)
    outcome = build_planned(p, install="--no-install" not in words.options)
    lines = summarise(p, outcome)
    if words.sweep:
        from trtbuild.pipeline import sweeppage

        at = len(lines) - (lines[-1] == NOTHING_TO_DO)
        lines.insert(at, f"sweep: {sweeppage.write(p, outcome)}")
    summary = "".join(line + "\n" for line in lines)
    document = json.dumps(show_document(p, outcome), indent=1) + "\n" if words.json else ""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(summary)
        sys.stderr.flush()
    sys.stdout.write(document)
    code = exit_status(p, outcome)
    if not outcome.failures:  # what is refused is so by the config, which is signed
        _remember(p, words, told_by, noop.Answer([document, _as_noop(summary)], code))
    return code


def _as_noop(summary: str) -> str:
    """The same words for the next time, when there will be nothing to do."""
    return summary if summary.endswith(f"{NOTHING_TO_DO}\n") else f"{summary}{NOTHING_TO_DO}\n"


def _remember(p: Planned, words: Words, told_by: noop.Signatures, answer: noop.Answer) -> None:
    """Keep the answer for the next time, if the workspace still is what it was given for."""
    root = str(p.workspace.root)
    if p.told_by is None or not set(p.told_by) <= told_by.keys():  # read before they were signed: the next build will
        return
    noop.remember(root, words.argv, told_by, watched(p), answer)
    if any(verdict.state != "fresh" for _, verdict in judge_plan(p.plan, p.store)):
        noop.forget(root, words.argv)  # something changed between the build and its signature


def told_by_paths(root: Path) -> list[str]:
    """What a build is told by: config, templates, DVC's own files at the top."""
    paths = [
        packaged.packaged_conf(),
        root / "conf",
        root / "reports_templates",
        root / "models.dvc",
        root / ".dvcignore",
    ]
    paths += [root / ".dvc" / "config", root / ".dvc" / "config.local"]
    paths += [path.parent for path in packaged.templates(root).values()]
    paths += [Path(file) for file in DRIVER_FILES]
    return sorted({*map(str, paths), *composed.watched(Workspace(root).private)})


def watched(p: Planned) -> list[str]:
    """Every file and folder that the steps read and write."""
    root = p.workspace.root
    paths: list[Path] = []
    for step in p.plan.steps:
        paths.append(root / step.folder)
        paths += [root / source.path for source in step.inputs.values()]
    return sorted({str(path) for path in paths})


def plan(words: Words) -> int:
    """What would run, without running it."""
    p = planned(words)
    judged = judge_plan(p.plan, p.store)
    if words.json:
        entries = [
            {
                "kind": step.kind, "folder": step.folder, "state": verdict.state, "why": verdict.why,
                "inputs": {name: source.path for name, source in step.inputs.items()},
            }
            for step, verdict in judged
        ]  # fmt: skip
        print(json.dumps({"steps": entries}, indent=1))
    else:
        for step, verdict in judged:
            print(f"{verdict.state:<8} {short_name(step)}  {verdict.why if verdict.state != 'fresh' else ''}".rstrip())
    return 0


def explain(words: Words) -> int:
    """Why each step is in its state, and what sets a new step apart from recorded ones of its kind."""
    p = planned(words)
    entries = []
    for step, verdict in judge_plan(p.plan, p.store):
        nearest = nearest_difference(step, _recorded_params(p.workspace, step)) if verdict.state == "missing" else ""
        inputs = {name: source.path for name, source in step.inputs.items()}
        entries.append(
            {
                "kind": step.kind, "folder": step.folder, "state": verdict.state, "why": verdict.why,
                "nearest": nearest, "inputs": inputs, "recipe": params(step),
            }
        )  # fmt: skip
    if words.json:
        print(json.dumps({"steps": entries}, indent=1))
        return 0
    for entry in entries:
        print(f"{entry['folder']}\n  {entry['state']}: {entry['why']}")
        if entry["nearest"]:
            print(f"  {entry['nearest']}")
        for name, path in entry["inputs"].items():  # type: ignore[attr-defined]
            print(f"  reads {name}: {path}")
    return 0


def _recorded_params(workspace: Workspace, step: Step) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for path in sorted((workspace.root / step.folder).parent.glob(f"{step.kind}-*/params.yaml")):
        content = read_yaml(path)
        if isinstance(content, dict) and content.get("kind") == step.kind:
            found[path.parent.name] = content
    return found


def show(words: Words) -> int:
    """What there is: folders, states, outputs, verdict, metrics."""
    p = planned(words)
    document = show_document(p)
    if words.json:
        print(json.dumps(document, indent=1))
        return 0
    for entry in document["variants"]:
        why = f": {entry['unjudged']}" if entry["unjudged"] else ""
        print(f"{entry['id']}: {entry['verdict'] or 'not built'}{why}")
        for said in warning.lines(entry["warnings"]):
            print(f"  {said}")
        for kind, step in entry["steps"].items():
            print(f"  {kind:<12} {step['state']:<8} {step['folder']}")
        for output, numbers in (entry["metrics"].get("deviation") or {}).items():
            shown = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if isinstance(v, float))
            print(f"  {output}: {shown}")
    return 0


def rerun(words: Words) -> int:
    from trtbuild.building import rerun as by_hand

    if len(words.arguments) != 1:
        raise ConfigError("expects one step folder", where="rerun", hint="trtbuild rerun build/MODEL/STEP")
    return by_hand.rerun(Path(words.arguments[0]))


def step(words: Words) -> int:
    from trtbuild.building import rerun as by_hand

    if len(words.arguments) != 1:
        raise ConfigError("expects one step kind", where="step")
    return by_hand.run_here(words.arguments[0], Path.cwd())


def init(words: Words) -> int:
    from trtbuild.building import newworkspace

    if len(words.arguments) != 1:
        raise ConfigError("expects one directory", where="init", hint="trtbuild init DIRECTORY --from MODEL")
    newworkspace.init(Path(words.arguments[0]), words.options, words.lists.get("--shape", ()))
    return 0


def flamegraph(words: Words) -> int:
    from trtbuild.cli.commands import flamegraph as command

    return command.run(words.arguments, words.options, words.lists, as_json=words.json)


def accept(words: Words) -> int:
    from trtbuild.pipeline import comparison

    return comparison.accept(planned(words, files=False), force="--force" in words.options, as_json=words.json)


def diff(words: Words) -> int:
    """Two reports by name, or the variant of the overrides against its accepted baseline."""
    from trtbuild.pipeline import comparison

    if words.arguments and (words.overrides or words.sweep):
        hint = "trtbuild diff OLD NEW, or trtbuild diff key=value …"
        raise ConfigError(
            f"reports and overrides do not go together: {' '.join(words.overrides) or '-m'}", where="diff", hint=hint
        )
    if words.arguments or not words.overrides:
        made, code = comparison.diff_sides(words.arguments, Path.cwd()), 0
    else:
        made, code = comparison.diff_accepted(planned(words, files=False))
    comparison.say(made, as_json=words.json, several=words.sweep)
    return code


def upgrade(words: Words) -> int:
    from trtbuild.pipeline import upgrade as command

    return command.run(words)


def bisect(words: Words) -> int:
    from trtbuild.pipeline import bisect as command

    return command.run(words)


def check(words: Words) -> int:
    from trtbuild.cli.commands import check as verb

    return verb.run(words)


def reduce(words: Words) -> int:
    from trtbuild.cli.commands import reduce as verb

    return verb.run(words)


def bugreport(words: Words) -> int:
    from trtbuild.cli.commands import bugreport as verb

    return verb.run(words)


def push(words: Words) -> int:
    from trtbuild.pipeline import transfer

    return transfer.run("push", words)


def pull(words: Words) -> int:
    from trtbuild.pipeline import transfer

    return transfer.run("pull", words)


def toolchain(words: Words) -> int:
    from trtbuild.cli.commands import toolchain as command

    return command.run(words.arguments, as_json=words.json)


def suite(words: Words) -> int:
    from trtbuild.cli.commands import suite as command

    return command.run(words)


VERBS: Mapping[str, Callable[[Words], int]] = {
    "build": build, "plan": plan, "explain": explain, "show": show, "rerun": rerun, "step": step, "init": init,
    "flamegraph": flamegraph, "accept": accept, "diff": diff, "push": push, "pull": pull,
    "toolchain": toolchain, "upgrade": upgrade, "bisect": bisect, "check": check,
    "reduce": reduce, "bugreport": bugreport,
    "suite": suite,
}  # fmt: skip
