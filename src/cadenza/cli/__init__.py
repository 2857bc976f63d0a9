"""The command line: parse, call, print. Everything else lives below.

A command is defined where its module is imported; the help lists them in that order.
"""

from cadenza.cli import (
    composing,
    evaluating,
    judging,
    listening,
    originality,
    serving,
    training,
    verdicts,
)
from cadenza.cli.shell import app, main

__all__ = [
    "app",
    "composing",
    "evaluating",
    "judging",
    "listening",
    "main",
    "originality",
    "serving",
    "training",
    "verdicts",
]
