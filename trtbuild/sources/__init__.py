"""TensorFlow models and their way to ONNX."""
