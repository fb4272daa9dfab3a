"""A library's own int8 of an ONNX file, run by path in an environment that has it: ``LIBRARY METHOD MODEL DATA OUT``.

The operations to quantise, symmetric int8, Q/DQ pairs, weights by channel where the library can, and the same samples.
"""

from __future__ import annotations

import sys
from typing import Any

OPERATIONS = ["Conv", "ConvTranspose", "MatMul", "Gemm"]


def main(library: str, method: str, model: str, data: str, out: str) -> None:
    import numpy as np
    import onnx

    name = onnx.load(model, load_external_data=False).graph.input[0].name
    samples = np.load(data)[name].astype(np.float32)
    {"onnxruntime": _onnxruntime, "modelopt": _modelopt}[library](method, model, name, samples, out)


def _onnxruntime(method: str, model: str, name: str, samples: Any, out: str) -> None:
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self.left, None)
            return None if sample is None else {name: sample[None]}

    quantization.quantize_static(
        model, out, Reader(), quant_format=quantization.QuantFormat.QDQ, op_types_to_quantize=OPERATIONS,
        per_channel=True, activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
        calibrate_method=getattr(quantization.CalibrationMethod, method),
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
    )  # fmt: skip


def _modelopt(method: str, model: str, name: str, samples: Any, out: str) -> None:
    from modelopt.onnx.quantization import quantize

    quantize(
        model, quantize_mode="int8", calibration_data={name: samples}, calibration_method=method,
        calibration_eps=["cpu"], op_types_to_quantize=OPERATIONS, high_precision_dtype="fp32", output_path=out,
        log_level="ERROR",
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
