"""The conversion checker against the same conversion by hand, and what it adds to the memory of a training."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.measure import run, say

RUNS = 3
MODELS = {"mobilenet_v2": ("MobileNetV2", 224), "inception_v3": ("InceptionV3", 299)}

# Each runs as a process of its own, which has TensorFlow, tf2onnx and the model before the clock starts.
MODEL = """
import os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, keras, tf2onnx
import numpy as np
application, size = sys.argv[1], int(sys.argv[2])
model = getattr(keras.applications, application)(weights=None)
"""
BY_HAND = (
    MODEL
    + """
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tf2onnx import tf_loader
started = time.perf_counter()
specs = [tf.TensorSpec([None, size, size, 3], tf.float32, name="image")]
function = tf.function(lambda image: model(image, training=False)).get_concrete_function(*specs)
frozen = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
graph_def = frozen.graph.as_graph_def(add_shapes=True)
inputs, outputs = [t.name for t in frozen.inputs], [t.name for t in frozen.outputs]
onnx_model, _ = tf2onnx.convert.from_graph_def(graph_def, input_names=inputs, output_names=outputs, opset=17)
onnx_bytes = onnx_model.SerializeToString()
converted = time.perf_counter()
os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"
from polygraphy.backend.trt import CreateConfig, Profile, engine_bytes_from_network, network_from_onnx_bytes
shape = lambda n: (n, size, size, 3)
profile = Profile().add(inputs[0], min=shape(1), opt=shape(4), max=shape(8))
network = network_from_onnx_bytes(onnx_bytes, strongly_typed=True)
engine = engine_bytes_from_network(network, config=CreateConfig(profiles=[profile]))
assert len(bytes(engine)) > 1_000_000
print(time.perf_counter() - started, converted - started)
"""
)
CHECKED = (
    MODEL
    + """
import trt_checker
trt_checker.register_input(model.inputs)
trt_checker.register_output(model.outputs)
started = time.perf_counter()
result = trt_checker.check_conversion()
seconds = time.perf_counter() - started
assert result, str(result)
print(seconds)
"""
)
# 1 GB of float32 in 64 matrices; the peak is polled, since the system's own high-water mark knows no beginning.
MEMORY = """
import os, threading, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf, keras, tf2onnx
import trt_checker
inputs = x = keras.Input((2048,))
for i in range(64):
    x = keras.layers.Dense(2048, activation="relu")(x)
model = keras.Model(inputs, x)
trt_checker.check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))  # code that is loaded once
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
peak, going = [0], [True]
def watch():
    while going[0]:
        peak[0] = max(peak[0], resident())
        time.sleep(0.002)
before = resident()
watcher = threading.Thread(target=watch); watcher.start()
started = time.perf_counter()
result = trt_checker.check(model)
seconds = time.perf_counter() - started
going[0] = False; watcher.join()
assert result, str(result)
print(peak[0] - before, seconds, sum(4 * w.shape.num_elements() for w in model.trainable_variables))
"""
IMPORT = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import sys, time, tensorflow
started = time.perf_counter()
import trt_checker
print(time.perf_counter() - started)
"""


def measure(root: Path) -> None:
    python = [sys.executable, "-c"]

    def numbers(script: str, *words: str) -> list[float]:
        environment = {"PYTHONPATH": str(root)}
        return [
            float(word) for word in run([*python, script, *words], root, environment).output.splitlines()[-1].split()
        ]

    for name, (application, size) in MODELS.items():
        ours, theirs = [], []
        for _ in range(RUNS):  # in turns
            theirs.append(numbers(BY_HAND, application, str(size))[0])
            ours.append(numbers(CHECKED, application, str(size))[0])
        a, b = statistics.median(ours), statistics.median(theirs)
        say(f"check_conversion(), {name}", f"{a:.2f} s (median of {RUNS}, max {max(ours):.2f})", "")
        say("  freeze, tf2onnx, parse, build by hand", f"{b:.2f} s", f"ratio {a / b:.2f} (bar 1.3)")
    extra, seconds, weights = numbers(MEMORY)
    say(f"check of {weights / 1e9:.2f} GB of weights", f"{extra / 1e6:.0f} MB more, {seconds:.2f} s", "bar 300 MB")
    imports = [numbers(IMPORT)[0] for _ in range(RUNS)]
    say("import trt_checker, TensorFlow loaded", f"{statistics.median(imports) * 1000:.0f} ms", "bar 100 ms")
