"""The in-training conversion checker under the name that a training script imports: trtbuild.checker itself."""

import sys

import trtbuild.checker

sys.modules[__name__] = trtbuild.checker
