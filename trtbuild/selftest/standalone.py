"""``python selftest-MODEL.zip``: executes the archive that this program lies in, and writes one result file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from trtbuild.base.errors import TrtbuildError
from trtbuild.base.files import check_output, write_atomic
from trtbuild.documents.selftest import SCHEMA_VERSION, SelftestModel, SelftestResult
from trtbuild.selftest import execution
from trtbuild.selftest.archive import Archive


def main(archive: str, argv: Sequence[str]) -> int:
    """0: every execution succeeded and was within its limits; 1: one was not; otherwise as trtbuild's own status."""
    parser = argparse.ArgumentParser(prog=f"python {Path(archive).name}", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("selftest-result.json"), help="the result file")
    parser.add_argument("--on", choices=execution.CHOICES, default="auto", help="what executes (default: the engine)")
    parser.add_argument("--precision", default="", metavar="P,P", help="only these")
    parser.add_argument("--batch", type=_batches, default=[], metavar="N,N", help="only these batch sizes")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of one measurement of time")
    args = parser.parse_args(argv)
    try:
        choice = execution.Choice(args.on, [p for p in args.precision.split(",") if p], args.batch, args.seconds)
        result = run([Path(archive)], choice, args.output)
    except KeyboardInterrupt:
        print(f"trtbuild: interrupted; what was executed until then is in {args.output}", file=sys.stderr)
        return 130
    except (TrtbuildError, OSError) as error:
        print(f"trtbuild: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, TrtbuildError) else 3
    print(f"result: {args.output}; please send it back", file=sys.stderr)
    return status(result)


def _batches(text: str) -> list[int]:
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"expected batch sizes such as 1,32, found '{text}'")
    return [int(size) for size in sizes]


def run(
    archives: Sequence[Path], choice: execution.Choice, output: Path,
    note: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> SelftestResult:  # fmt: skip
    """Execute archives one after another; ``output`` is written after each execution, so that a crash loses none."""
    result: SelftestResult = {"schema_version": SCHEMA_VERSION, "device": execution.this_device(), "models": []}

    def keep(model: SelftestModel) -> None:
        if not result["models"] or result["models"][-1] is not model:
            result["models"].append(model)
        write_atomic(output, f"{json.dumps(result, indent=1)}\n".encode())

    check_output(output)
    for archive in [Archive(path) for path in archives]:
        execution.execute(archive, choice, note, keep)
    return result


def status(result: SelftestResult) -> int:
    executions = [e for model in result["models"] for e in model["executions"]]
    return int(any(e["failed"] or e["within"] is False for e in executions))
