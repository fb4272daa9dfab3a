"""Push and pull of a plan's artifacts: the result as lines, a document and an exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Literal

from trtbuild.building.planned import Planned
from trtbuild.building.states import variant_states
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.remote.remotes import Remote, open_remote
from trtbuild.remote.transferresult import amount, document, lines
from trtbuild.store.usage import in_use
from trtbuild.workers.status import short_name

_DONE = {"push": "pushed", "pull": "pulled"}


def move(verb: Literal["push", "pull"], p: Planned, name: str, *, as_json: bool = False) -> int:
    """Exit status 0, or that of the worst failure; a step that measures another device is not a failure."""

    @cache
    def opened(named: str) -> Remote:
        return open_remote(p.workspace, named)

    remote = opened(name)
    with in_use(p.workspace):
        result = (push if verb == "push" else pull)(p.plan.steps, p.store, remote, opened)
    for line in lines(result, verb, [short_name(entry.step) for entry in result.entries]):
        print(line, file=sys.stderr)
    for line in _not_passed(p) if verb == "push" else ():
        print(line, file=sys.stderr)
    here = sum(entry.state == "here" for entry in result.entries)
    where = "to" if verb == "push" else "from"
    count = f"{result.objects} object{'s' * (result.objects != 1)}, {amount(result.bytes)}"
    rest = f"; {here} of {len(result.entries)} steps needed nothing" if here else ""
    print(f"{_DONE[verb]} {count} {where} {remote}{rest}", file=sys.stderr)
    if as_json:
        print(json.dumps(document(result, str(remote)), indent=1))
    return max((error.exit_status for error in result.failures), default=0)


def _not_passed(p: Planned) -> Iterator[str]:
    """Notes on variants that did not pass: they are pushed anyway, and whoever deploys them must know."""
    for name, state in variant_states(p).items():
        if state.word in ("fail", "unjudged"):
            what = "is unjudged" if state.word == "unjudged" else "fails its thresholds"
            yield f"note   {name} {what}: pushed anyway"
