"""TensorRT: networks, builds and refusals; what differs between versions is in ``api.py``."""
