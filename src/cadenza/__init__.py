"""Cadenza composes piano music: `generate` invents it, `continue_` goes on where a piece stops.

The names below are imported when they are first used, so that `import cadenza` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadenza.compose import Wish, continue_, generate, load_model
    from cadenza.engine.constraints import Constraints
    from cadenza.engine.sampler import Sampling
    from cadenza.errors import CadenzaError
    from cadenza.midi import read_midi, write_midi
    from cadenza.score import Score

__version__ = "0.1.0"

__all__ = [
    "CadenzaError",
    "Constraints",
    "Sampling",
    "Score",
    "Wish",
    "__version__",
    "continue_",
    "generate",
    "load_model",
    "read_midi",
    "write_midi",
]

_HOMES = {
    "CadenzaError": "cadenza.errors",
    "Constraints": "cadenza.engine.constraints",
    "Sampling": "cadenza.engine.sampler",
    "Score": "cadenza.score",
    "Wish": "cadenza.compose",
    "continue_": "cadenza.compose",
    "generate": "cadenza.compose",
    "load_model": "cadenza.compose",
    "read_midi": "cadenza.midi",
    "write_midi": "cadenza.midi",
}


def __getattr__(name: str) -> object:
    """A public name, from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
