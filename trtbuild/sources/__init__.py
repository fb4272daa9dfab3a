"""TensorFlow models and their export to ONNX."""
