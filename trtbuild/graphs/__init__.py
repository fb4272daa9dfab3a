"""ONNX graphs: read, rewritten, mapped back to TensorFlow's scopes."""
