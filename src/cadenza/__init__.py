"""Cadenza composes piano music: `generate` invents it, `continue_` goes on where a piece stops.

The names below are imported when they are first used, so that `import cadenza` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadenza.compose import (
        Wish,
        accompany,
        continue_,
        expressed,
        generate,
        harmonise,
        infill,
        load_model,
        score_of,
        vary,
    )
    from cadenza.engine.constraints import Constraints
    from cadenza.engine.sampler import Sampling
    from cadenza.errors import CadenzaError
    from cadenza.expression import Expression
    from cadenza.midi import read_midi, write_midi
    from cadenza.parts import Part
    from cadenza.plans import Form
    from cadenza.score import Score
    from cadenza.steering import Asked

__version__ = "0.1.0"

__all__ = [
    "Asked",
    "CadenzaError",
    "Constraints",
    "Expression",
    "Form",
    "Part",
    "Sampling",
    "Score",
    "Wish",
    "__version__",
    "accompany",
    "continue_",
    "expressed",
    "generate",
    "harmonise",
    "infill",
    "load_model",
    "read_midi",
    "score_of",
    "vary",
    "write_midi",
]

_HOMES = {
    "Asked": "cadenza.steering",
    "CadenzaError": "cadenza.errors",
    "Constraints": "cadenza.engine.constraints",
    "Expression": "cadenza.expression",
    "Form": "cadenza.plans",
    "Part": "cadenza.parts",
    "Sampling": "cadenza.engine.sampler",
    "Score": "cadenza.score",
    "Wish": "cadenza.compose",
    "accompany": "cadenza.compose",
    "continue_": "cadenza.compose",
    "expressed": "cadenza.compose",
    "generate": "cadenza.compose",
    "harmonise": "cadenza.compose",
    "infill": "cadenza.compose",
    "load_model": "cadenza.compose",
    "read_midi": "cadenza.midi",
    "score_of": "cadenza.compose",
    "vary": "cadenza.compose",
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
