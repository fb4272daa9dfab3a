"""Latency: timing in turns, intervals, profiles and the flame graph."""
