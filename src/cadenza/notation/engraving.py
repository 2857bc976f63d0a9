"""Sheets as engraved pages: SVG, by Verovio."""
from __future__ import annotations
from typing import Any


def svg_pages(xml: bytes, options: dict[str, Any] | None = None) -> list[str]:
    """Pages as SVG."""
    import verovio

    verovio.enableLog(verovio.LOG_WARNING)
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions({"footer": "none", "adjustPageHeight": True, "scale": 40, **(options or {})})
    toolkit.loadData(xml.decode())
    return [toolkit.renderToSVG(i + 1) for i in range(toolkit.getPageCount())]
