"""Push and pull of a plan's artifacts: the result as lines, a document and an exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from trtbuild.base.errors import ConfigError
from trtbuild.building.planned import Planned
from trtbuild.building.states import variant_states
from trtbuild.loader.signature import PrivateKey, PublicKey
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.remote.remotes import Remote, open_remote
from trtbuild.remote.transferresult import amount, document, lines
from trtbuild.store.usage import in_use
from trtbuild.workers.status import short_name

_DONE = {"push": "pushed", "pull": "pulled"}


def move(
    verb: Literal["push", "pull"], p: Planned, name: str, *, as_json: bool = False,
    key: PrivateKey | PublicKey | None = None,
) -> int:  # fmt: skip
    """Exit status 0, or that of the worst failure; a step that measures another device is not a failure.

    ``key``: the private one signs what is pushed, the public one is required of what is pulled.
    """

    @cache
    def opened(named: str) -> Remote:
        return open_remote(p.workspace, named)

    remote = opened(name)
    with in_use(p.workspace):
        if verb == "push":
            result = push(p.plan.steps, p.store, remote, opened, key if isinstance(key, PrivateKey) else None)
        else:
            result = pull(p.plan.steps, p.store, remote, opened, key if isinstance(key, PublicKey) else None)
    for line in lines(result, verb, [short_name(entry.step) for entry in result.entries]):
        print(line, file=sys.stderr)
    for line in _not_passed(p) if verb == "push" else ():
        print(line, file=sys.stderr)
    here = sum(entry.state == "here" for entry in result.entries)
    where = "to" if verb == "push" else "from"
    count = f"{result.objects} object{'s' * (result.objects != 1)}, {amount(result.bytes)}"
    rest = f"; {here} of {len(result.entries)} steps needed nothing" if here else ""
    signed = "" if key is None else f"; {'signed by' if verb == 'push' else 'all signed by'} key {key.id[:16]}…"
    print(f"{_DONE[verb]} {count} {where} {remote}{rest}{'' if result.failures else signed}", file=sys.stderr)
    if as_json:
        print(json.dumps(document(result, str(remote)), indent=1))
    return max((error.exit_status for error in result.failures), default=0)


def required_key(p: Planned) -> PublicKey:
    """The key that conf/config.yaml names.

    Raises:
        ConfigError: it names none, or the file does not hold one.
    """
    named = _named_key(p)
    if named is None:
        hint = "name it in conf/config.yaml: public_key: keys/release.pub.pem"
        raise ConfigError("needs the key that attestations are signed with", where="--require-signed", hint=hint)
    return PublicKey(named)


def signing_key(p: Planned, path: Path) -> PrivateKey:
    """The private key in a file.

    Raises:
        ConfigError: it is not one, or not the private half of the key that conf/config.yaml names.
    """
    key, named = PrivateKey(path), _named_key(p)
    if named is not None and PublicKey(named).id != key.id:
        what = f"it is not the private half of the workspace's public_key ({named.relative_to(p.workspace.root)})"
        raise ConfigError(what, where=str(path), hint="nobody who requires that key would accept what it signs")
    return key


def _named_key(p: Planned) -> Path | None:
    named = next((variant.public_key for variant in p.plan.specs.values()), None)
    return None if named is None else p.workspace.inside(named, where="public_key")


def _not_passed(p: Planned) -> Iterator[str]:
    """Notes on variants that did not pass: they are pushed anyway, and whoever deploys them must know."""
    for name, state in variant_states(p).items():
        if state.word in ("fail", "unjudged"):
            what = "is unjudged" if state.word == "unjudged" else "fails its thresholds"
            yield f"note   {name} {what}: pushed anyway"
