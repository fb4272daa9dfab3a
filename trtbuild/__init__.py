"""trtbuild: a declarative build system for TensorRT engines made from TensorFlow models.

    conf/*.yaml --compose--> mapping --parse--> BuildSpec --plan--> Plan --build--> artifacts --collect--> report

config.py composes, core/ parses and plans (pure), builder.py runs what is stale, store.py and tracking.py
record it in DVC's own formats, steps/ holds one file per step kind, reports/ turns artifacts into pages.
"""

__version__ = "0.1.0"
