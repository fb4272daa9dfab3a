"""A folder with everything that a maintainer of TensorRT asks for, and nothing of the user's."""
