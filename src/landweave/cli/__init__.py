"""The command line: thin shells over the stage functions."""

from __future__ import annotations

from landweave.cli.app import main

__all__ = ["main"]
