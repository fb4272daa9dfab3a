"""``trtbuild verify``: whether a bundle is what its manifest says, offline and without running anything of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from trtbuild.base.errors import BundleError
from trtbuild.base.text import printable
from trtbuild.cli import words
from trtbuild.loader.bundle import Bundle, check_statement, open_bundle

GROUP = "deploy"
HELP = "check a bundle: signature, manifest, every file; offline"
EXAMPLES = """\
  trtbuild verify segnet-int8 --key release.pub.pem
  trtbuild verify segnet-int8.tar --json
"""
_SIGNATURE = {
    "valid": "valid, by the given key",
    "not checked": "not checked (--key PUBLIC.pem checks it): digests find damage, not a forger",
    "none": "the bundle is not signed: digests find damage, not a forger",
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder, or its tar archive")
    parser.add_argument("--key", metavar="PUBLIC.pem", help="the Ed25519 key that it must be signed with")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Raises BundleError: what is wrong first."""
    key = None if args.key is None else Path(args.key)
    try:
        bundle = open_bundle(args.bundle, key)
        stated = check_statement(bundle, key)
    except BundleError as error:  # of several bundles, which one
        inner = error.where not in {"", "archive", args.bundle, str(Path(args.bundle))}
        error.where = printable(f"{args.bundle}: {error.where}" if inner else args.bundle)
        raise
    found = document(bundle, stated)
    if args.json:
        print(json.dumps({"schema_version": 1, **found}, indent=1))
        return 0
    engine = bundle.manifest.engine
    capabilities = ", ".join(engine.compute_capabilities) + (" and later" if engine.or_later else "")
    lines = [
        f"{args.bundle}: {bundle.manifest.name}: all {found['files']} files are what the manifest lists",
        f"  signature: {_SIGNATURE[bundle.signature]}",
        f"  provenance: {'about this engine' if stated else 'none'}",
        f"  runs on: {engine.flavour} {engine.version}, compute capability {capabilities}",
        f"  verdict: {found['verdict']}; executed: {'yes' if found['executed'] else 'no'}",
    ]
    lines += [f"  forced: {found['forced']}"] if found["forced"] else []
    print("\n".join(printable(line) for line in lines))
    return 0


def document(bundle: Bundle, stated: bool) -> dict[str, object]:
    validation = bundle.document.get("validation")
    validation = validation if isinstance(validation, dict) else {}
    verdict = validation.get("verdict")
    return {
        "bundle": str(bundle.path.absolute()), "name": bundle.manifest.name, "signature": bundle.signature,
        "key_id": bundle.manifest.key_id, "files": len(bundle.manifest.files),
        "bytes": sum(facts.size for facts in bundle.manifest.files.values()), "provenance": stated,
        "executed": validation.get("executed") is True,
        "verdict": verdict.get("word") if isinstance(verdict, dict) else None,
        "forced": bundle.document.get("forced"),
    }  # fmt: skip
