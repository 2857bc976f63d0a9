"""Engraved pages of MusicXML, as SVG, by Verovio.

Verovio is imported by the function that needs it, never by this module. Sizes are in its units, tenths of a
millimetre of a page whose staves are 7.2 mm high.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cadenza.errors import CadenzaError

TALLEST: Final = 60_000
"""Verovio's largest page."""
WIDTH: Final = 2100
"""Of a page of A4, upright."""
HEIGHT: Final = 2970
SCALE: Final = 40
"""Pixels of a page, per cent of its units."""
MUSIC_FONT: Final = re.compile(r'<tspan font-family="Leipzig"[^>]*>\ueca5</tspan>')
"""A quarter note within text."""
STYLE: Final = re.compile(r"<style.*?</style>", re.DOTALL)
"""What a picture says of its own looks."""


def svg_pages(xml: bytes, width: int = WIDTH, height: int = HEIGHT) -> tuple[str, ...]:
    """Pages of some size, each an SVG document."""
    toolkit = _loaded(xml, {"pageWidth": width, "pageHeight": height})
    return tuple(toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount()))


def svg_page(xml: bytes, width: int = WIDTH, **options: Any) -> str:
    """All systems below each other on one page, as high as they need; `options` are Verovio's.

    Raises CadenzaError for more than there is room for, about 700 bars.
    """
    tall = {"pageWidth": width, "pageHeight": TALLEST, "adjustPageHeight": True}
    toolkit = _loaded(xml, tall | options)
    if toolkit.getPageCount() > 1:
        raise CadenzaError("it is too long to be engraved in one picture: write .musicxml instead")
    return str(toolkit.renderToSVG(1))


def svg_passage(xml: bytes, width: int, scale: int, seed: int) -> str:
    """All systems below each other for a page of the web: `width` in pixels, `scale` as SCALE.

    It asks for no music font: a note within text, as that of tempo marks, is one of Unicode. It has no style
    of its own, which pages may forbid. Passages of another seed have other ids, but for those of notes.
    """
    page = svg_page(xml, round(width * 100 / scale), scale=scale, xmlIdSeed=seed, smuflTextFont="none")
    return STYLE.sub("", MUSIC_FONT.sub('<tspan font-size="405px">♩</tspan>', page))


def _loaded(xml: bytes, options: dict[str, Any]) -> Any:
    """Verovio's toolkit with MusicXML laid out."""
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions({"footer": "none", "scale": SCALE, "xmlIdSeed": 1, **options})
    if not toolkit.loadData(xml.decode()):
        raise RuntimeError("Verovio cannot read the MusicXML that was written for it")
    return toolkit
