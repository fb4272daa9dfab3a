"""The parts of a street scene, one module each; `trtbuild.demo.scenes` assembles them."""
