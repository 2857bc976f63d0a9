"""Staff notation of scores: MusicXML, which notation programs read, and engraved pages as SVG.

```
Score ─► hands ─► quantised notes ─► spelling, voices, note values, marks ─► Sheet ─► MusicXML ─► SVG
```

`writing.notate` makes the sheet, a plain value, with NumPy alone; music21 writes it as MusicXML and Verovio
engraves that. Both come with the extra `notation`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.notation.engraving import HEIGHT, WIDTH, svg_page, svg_pages, svg_passage
from cadenza.notation.musicxml import compressed, musicxml
from cadenza.notation.sheet import Sheet
from cadenza.notation.writing import notate
from cadenza.score import Score

SUFFIXES: Final = (".musicxml", ".mxl", ".svg")
"""Of files that `write_notation` writes."""


@dataclass(frozen=True)
class Engraving:
    """Sheet music in the two forms that it is kept and shown in."""

    musicxml: bytes
    """A MusicXML file."""
    pages: tuple[str, ...]
    """An SVG document a page."""


def engrave(
    score: Score, *, title: str = "", page_width: int = WIDTH, page_height: int = HEIGHT
) -> Engraving:
    """A score as MusicXML and as pages, whose sizes are in tenths of a millimetre (100 to 60,000).

    Raises CadenzaError where the extra `notation` is not installed, and as `notate` does.
    """
    check_installed()
    xml = musicxml(notate(score, title=title))
    return Engraving(xml, svg_pages(xml, page_width, page_height))


def write_notation(score: Score, path: str | os.PathLike[str], *, title: str = "") -> None:
    """Writes a score as MusicXML (.musicxml, compressed .mxl) or as one tall SVG (.svg), whole or not at all.

    Raises CadenzaError for other names, for more bars than one SVG has room for (about 700), where the extra
    `notation` is not installed or the file cannot be written, and as `notate` does.
    """
    kind = Path(path).suffix.lower()
    if kind not in SUFFIXES:
        raise CadenzaError(f"{path}: the name should end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    content = notation_bytes(score, kind, title=title)
    with atomic_path(path) as beside:
        beside.write_bytes(content)


def notation_bytes(score: Score, kind: str, *, title: str = "") -> bytes:
    """What `write_notation` writes into a file of a kind, one of SUFFIXES.

    Raises CadenzaError where the extra `notation` is not installed, for more than fits into one SVG, and as
    `notate` does.
    """
    check_installed()
    xml = musicxml(notate(score, title=title))
    return compressed(xml) if kind == ".mxl" else svg_page(xml).encode() if kind == ".svg" else xml


def engraved_passage(sheet: Sheet, first: int, last: int, width: int, scale: int) -> str:
    """The bars of a sheet from one index up to another as SVG for a page of the web (see `svg_passage`).

    Raises CadenzaError where the extra `notation` is not installed.
    """
    check_installed()
    return svg_passage(musicxml(sheet.passage(first, last)), width, scale, seed=first + 1)


def check_installed() -> None:
    """Raises CadenzaError where what sheet music needs is not installed."""
    if not (find_spec("music21") and find_spec("verovio")):
        raise CadenzaError("sheet music needs an extra: pip install 'cadenza[notation]'")
