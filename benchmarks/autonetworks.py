"""Small seeded networks for ``python -m benchmarks auto``: convolutions in a row, some residual, in ONNX.

At most six groups and four precisions.  Widths, strides and the device decide where a lower precision pays; weights
decide where it hurts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx

    Floats = npt.NDArray[np.float32]

SIDE, CHANNELS, CLASSES, VALIDATION, CALIBRATION = 8, 16, 16, 128, 32
WIDTHS = (16, 64, 128, 256)
OUTLIER = 64.0  # how much larger the weights that read one channel become; that channel shrinks as much
# Base, candidates, most groups: at most 81 assignments, all of which are compiled.
SETTINGS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("fp16", ("int8",), 6),
    ("fp16", ("int8", "fp8"), 4),
    ("fp32", ("fp16", "int8"), 4),
    ("fp32", ("bf16", "fp16", "int8"), 3),
)
DEVICES = {"l4": "sm89", "rtx-4090": "sm89", "rtx-pro-6000": "sm120"}


@dataclass(frozen=True)
class Network:
    """``outlier``: the convolution with one, counted from 0; None: none has."""

    seed: int
    base: str
    candidates: tuple[str, ...]
    device: str
    batch: int
    widths: tuple[int, ...]
    outlier: int | None = None

    @classmethod
    def seeded(cls, seed: int) -> Network:
        random = Random(seed)
        base, candidates, most = SETTINGS[seed % len(SETTINGS)]
        widths = tuple(random.choice(WIDTHS) for _ in range(random.randint(3, most) - 1))
        device = random.choice(sorted(DEVICES))
        return cls(seed, base, candidates, device, random.choice((256, 1024)), widths)

    @classmethod
    def planted(cls, seed: int) -> Network:
        """Wide, so that int8 costs less everywhere, with an outlier in any convolution but the first."""
        random = Random(seed)
        widths = tuple(random.choice((256, 320)) for _ in range(random.randint(3, 4)))
        return cls(seed, "fp16", ("int8",), "l4", 1024, widths, random.randrange(1, len(widths)))

    @property
    def words(self) -> tuple[str, ...]:
        return (
            "model=m", "tensorrt=rtx-1.7", f"device={self.device}", f"target={DEVICES[self.device]}", "latency=off",
            "layers=off", f"auto.base={self.base}", f"auto.candidates=[{','.join(self.candidates)}]",
        )  # fmt: skip

    def model(self) -> onnx.ModelProto:
        """Convolutions with ReLU, some of equal width residual, then a dense layer."""
        from onnx import TensorProto, checker, helper, numpy_helper

        rng, random = np.random.default_rng(self.seed), Random(self.seed)
        nodes: list[onnx.NodeProto] = []
        constants: dict[str, Floats] = {}
        tensor, channels = "x", CHANNELS
        shape: list[str | int | None] = ["n", CHANNELS, SIDE, SIDE]
        weights = self._weights(rng)
        for i, (kernel, bias) in enumerate(weights[:-1]):
            scope = f"net/conv{i}"
            constants |= {f"{scope}/kernel": kernel, f"{scope}/bias": bias}
            pads = [kernel.shape[2] // 2] * 4
            nodes.append(
                helper.make_node(
                    "Conv",
                    [tensor, f"{scope}/kernel", f"{scope}/bias"],
                    [f"{scope}/conv"],
                    f"{scope}/Conv2D",
                    pads=pads,
                )
            )
            made = f"{scope}/conv"
            if self.outlier is None and kernel.shape[0] == channels and i > 0 and random.random() < 0.4:
                nodes.append(helper.make_node("Add", [made, tensor], [f"{scope}/sum"], f"{scope}/Add"))
                made = f"{scope}/sum"
            nodes.append(helper.make_node("Relu", [made], [f"{scope}/relu"], f"{scope}/Relu"))
            tensor, channels = f"{scope}/relu", kernel.shape[0]
        kernel, bias = weights[-1]
        constants |= {"net/dense/kernel": kernel, "net/dense/bias": bias}
        nodes += [
            helper.make_node("GlobalAveragePool", [tensor], ["net/pool"], "net/pool/Mean"),
            helper.make_node("Flatten", ["net/pool"], ["net/flat"], "net/pool/Flatten"),
            helper.make_node("Gemm", ["net/flat", "net/dense/kernel", "net/dense/bias"], ["y"], "net/dense/MatMul"),
        ]
        graph = helper.make_graph(
            nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        checker.check_model(model)
        return model

    def _weights(self, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
        """Kernel and bias of each convolution and of the dense layer; tails differ, so that int8 hurts differently."""
        made, channels = [], CHANNELS
        for width in self.widths:
            size = 1 if rng.random() < 0.25 and self.outlier is None else 3
            tail = rng.uniform(3, 30) if self.outlier is None else 30.0  # degrees of freedom: 3 has long tails
            kernel = rng.standard_t(tail, (width, channels, size, size)) * np.sqrt(2 / (channels * size * size))
            made.append((kernel.astype(np.float32), rng.normal(0, 0.1, width).astype(np.float32)))
            channels = width
        if self.outlier is not None:
            (before, offset), (after, _) = made[self.outlier - 1], made[self.outlier]
            before[0] /= OUTLIER
            offset[0] /= OUTLIER
            after[:, 0] *= OUTLIER
        dense = (rng.normal(size=(channels, CLASSES)) * np.sqrt(1 / channels)).astype(np.float32)
        return [*made, (dense, np.zeros(CLASSES, np.float32))]

    def workspace(self, folder: Path) -> Path:
        """A workspace with this network as model ``m``."""
        import onnx
        import onnxruntime as ort

        from trtbuild.base.packaged import packaged_conf

        for name in (".git", ".dvc", "models", "conf/model"):
            (folder / name).mkdir(parents=True)
        (folder / ".dvc" / "config").write_text("")
        (folder / "conf" / "config.yaml").write_bytes((packaged_conf() / "config.yaml").read_bytes())
        model = self.model()
        onnx.save(model, folder / "models" / "m.onnx")
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        counts = {"calibration": CALIBRATION, "validation": VALIDATION if self.outlier is None else VALIDATION // 4}
        for name, count in counts.items():
            images = self._images(count, len(name))
            labels = session.run(["y"], {"x": images})[0].argmax(-1)
            np.savez(folder / "models" / f"{name}.npz", label=labels, x=images)
        (folder / "conf" / "model" / "m.yaml").write_text(
            "source: {kind: onnx, path: models/m.onnx}\n"
            f"inputs: {{x: {{dtype: float32, shape: [null, {CHANNELS}, {SIDE}, {SIDE}], "
            f"profile: {{min: 1, opt: {self.batch}, max: {self.batch}}}}}}}\n"
            "data: {calibration: models/calibration.npz, validation: models/validation.npz}\n"
            "validation: {task: {metric: top1, labels: label, max_drop: 0.01}}\n"
        )
        return folder

    def _images(self, count: int, seed: int) -> Floats:
        rng = np.random.default_rng((self.seed, seed))
        coarse = rng.normal(size=(count, CHANNELS, SIDE // 2, SIDE // 2)).repeat(2, 2).repeat(2, 3)
        return (coarse + 0.3 * rng.normal(size=coarse.shape)).astype(np.float32)
