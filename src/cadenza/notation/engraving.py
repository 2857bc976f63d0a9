"""Engraved pages of MusicXML, as SVG, by Verovio."""

from __future__ import annotations

from typing import Any, Final

TALLEST: Final = 60_000
"""Verovio's largest page, in its units."""
SCALE: Final = 40
"""Per cent: at this a staff is 7 mm high on a page of 2100 units, 210 mm."""


def svg_pages(xml: bytes, width: int, height: int) -> tuple[str, ...]:
    """Pages of some size in tenths of a millimetre."""
    toolkit = _loaded(xml, {"pageWidth": width * 100 // SCALE, "pageHeight": height * 100 // SCALE})
    return tuple(toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount()))


def svg_page(xml: bytes, width: int = 2100) -> str:
    """All systems below each other on one page, as high as they need."""
    options = {"pageWidth": width * 100 // SCALE, "pageHeight": TALLEST, "adjustPageHeight": True}
    return str(_loaded(xml, options).renderToSVG(1))


def _loaded(xml: bytes, options: dict[str, Any]) -> Any:
    """Verovio's toolkit with MusicXML laid out."""
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions({"footer": "none", "scale": SCALE, **options})
    if not toolkit.loadData(xml.decode()):
        raise RuntimeError("Verovio cannot read the MusicXML")
    return toolkit
