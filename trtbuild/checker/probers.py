"""What each TensorRT version says about a graph: all versions at once, each in its own process with a time limit."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from trtbuild import toolchains
from trtbuild.base.errors import TrtbuildError
from trtbuild.checker.options import Options
from trtbuild.core.spec import Toolchain
from trtbuild.toolchains import Note
from trtbuild.toolchains.request import ToolchainRequest
from trtbuild.workers.prober import Answer, Prober, Question

# y = Relu(x) of two floats: asked while the network is exported, so each process has loaded its TensorRT by then.
_RELU = bytes.fromhex(
    "08083a350a0e0a0178120179220452656c753a001201675a0f0a0178120a0a08080112040a020802620f0a0179120a0a08080112040a02080242"
    "040a001011"
)


class Probers:
    """Processes of several versions; they start when this is made.

    ``failed`` says, after the first answer, which versions could not be asked, and why.
    """

    def __init__(self, versions: Mapping[str, Toolchain], how: Options, *, note: Note) -> None:
        self.failed: dict[str, TrtbuildError] = {}
        self._stack = contextlib.ExitStack()
        self._pool = ThreadPoolExecutor(len(versions))
        self._limit_s, self._target = how.limit_s, how.target[1]
        self._probers: dict[str, Future[Prober]] = {
            name: self._pool.submit(self._start, name, spec, how.install, note) for name, spec in versions.items()
        }

    def _start(self, name: str, spec: Toolchain, install: bool, note: Note) -> Prober:
        want = ToolchainRequest(spec.flavour, spec.version, spec.requirements, name)
        interpreter = toolchains.interpreter(want, install=install, note=note)
        prober = Prober(
            interpreter, want.flavour, want.version, supported=spec.compute_capabilities, limit_s=self._limit_s,
            compute_capabilities=self._target.compute_capabilities,
        )  # fmt: skip
        self._stack.callback(prober.close)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(_RELU)
            file.flush()
            prober.ask(Question(Path(file.name), every=False))
        return prober

    def ask(self, question: Question) -> dict[str, Answer]:
        """Answers by version, without those that failed."""
        futures = {name: self._pool.submit(self.ask_one, name, question) for name in self._probers}
        answers = {}
        for name, future in futures.items():
            try:
                answers[name] = future.result()
            except TrtbuildError as error:
                self.failed[name] = error
        return answers

    def ask_one(self, name: str, question: Question) -> Answer:
        return self._probers[name].result().ask(question)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()
