"""One file for each runtime: ``open_session(model, runtime)`` gives a session, which maps feeds to named outputs.

``runtime`` is what the recipe says about it (core/recipes.py: session_options).  ``open_timed`` gives a session to
measure; one with ``time_us(feeds)`` has a clock of its own.  ``profile_nodes`` and ``count_kernels`` look inside.
"""
