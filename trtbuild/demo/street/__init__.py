"""The parts of a street scene, one module each; `trtbuild.demo.scenes` puts them together."""
