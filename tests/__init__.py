"""Tests that mirror the package; real builds are in integration/."""
