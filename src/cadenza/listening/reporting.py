"""An analysis as files: one HTML page that needs nothing else, report.json, and a CSV for each table."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from html import escape
from pathlib import Path
from typing import Any

from cadenza.errors import CadenzaError
from cadenza.files import all_or_none, atomic_path
from cadenza.listening import figures
from cadenza.listening.analysis import ABOUT, Analysis, Section, Table
from cadenza.listening.trials import Ratings

PAGE = "report.html"
NUMBERS = "report.json"

UNKNOWN = "–"
"""Stands for what is no number."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #22223b; background: #fff; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-size: .875rem; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #d9dce3; white-space: nowrap; }
.name { text-align: left; }
.scroll { overflow-x: auto; }
.how, figcaption { color: #565b69; font-size: .875rem; margin: 0; }
figure { margin: 1rem 0 1.5rem; }
img { max-width: 100%; }
.caution { border-left: 4px solid #d55e00; padding-left: .75rem; }
"""


def write_report(analysis: Analysis, folder: Path) -> tuple[Path, ...]:
    """Writes the page, the numbers and the tables into a folder, all or none; gives back the files.

    The folder is made where it is not there. Tables of a report that lay there before are gone afterwards;
    other files stay. Raises CadenzaError where it cannot be written.
    """
    texts = {PAGE: html(analysis), NUMBERS: json.dumps(numbers(analysis), indent=1) + "\n"}
    for name, table in _named_tables(analysis):
        texts[f"{name}.csv"] = csv_of(table)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CadenzaError(f"{folder}: not written: {(error.strerror or str(error)).lower()}") from error
    before = _tables_before(folder)
    with all_or_none():
        for name, text in texts.items():
            with atomic_path(folder / name) as beside:
                beside.write_text(text, encoding="utf-8", newline="")
    for name in before - texts.keys():
        (folder / name).unlink(missing_ok=True)
    return tuple(folder / name for name in texts)


def _tables_before(folder: Path) -> set[str]:
    """The tables of the report that lies in a folder, by its report.json; none where that is no report's."""
    try:
        told = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        tables = {
            f"{question}-{name}.csv"
            for question, section in told["questions"].items()
            for name in ABOUT
            if section.get(name)
        }
        if told["correlations"]:
            tables.add("correlations.csv")
        # A report names files of its own folder; in another program's report.json anything may stand.
        return {name for name in tables if Path(name).name == name and (folder / name).is_file()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def numbers(analysis: Analysis) -> dict[str, Any]:
    """All tables as JSON has them; null where nothing can be said."""
    return {
        "title": analysis.title,
        "listeners": analysis.listeners,
        "left_out": [asdict(rule) for rule in analysis.left_out],
        "cautions": list(analysis.cautions),
        "questions": {section.question.key: _numbers(section) for section in analysis.sections},
        "correlations": [_known(asdict(row)) for row in analysis.together.rows],
    }


def _numbers(section: Section) -> dict[str, Any]:
    tables = {table.name: [_known(asdict(row)) for row in table.rows] for table in section.tables}
    return {
        "text": section.question.text,
        "kind": section.question.kind,
        "findings": list(section.findings),
        "cautions": list(section.cautions),
    } | tables


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """A row without numbers that JSON does not have."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _named_tables(analysis: Analysis) -> Iterator[tuple[str, Table]]:
    """Every table that has rows, by the name of its file."""
    for section in analysis.sections:
        yield from ((f"{section.question.key}-{t.name}", t) for t in section.tables if t.rows)
    if analysis.together.rows:
        yield analysis.together.name, analysis.together


def csv_of(table: Table) -> str:
    """A table as CSV; a cell is empty where nothing can be said."""
    text = io.StringIO()
    written = csv.writer(text)
    written.writerow(field.name for field in fields(table.rows[0]))
    for row in table.rows:
        written.writerow("" if v is None else v for v in _known(asdict(row)).values())
    return text.getvalue()


def cells(row: Any) -> dict[str, str]:
    """A row of a table in words and few digits, by its columns; an interval stands with what it is of.

    Where an interval is not known, the figure stands alone.
    """
    found: dict[str, str] = {}
    last = low = ""
    for field in fields(row):
        text = _cell(field.name, getattr(row, field.name))
        if field.name.endswith("low"):
            low = text
        elif field.name.endswith("high"):
            if (low, text) != (UNKNOWN, UNKNOWN):
                found[last] += f" ({low} to {text})"
        else:
            last = field.name.replace("_", " ")
            found[last] = text
    return found


def _cell(name: str, value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if not math.isfinite(value):
            return UNKNOWN
        case float() if name in ("p", "holm"):
            return f"{value:.3f}" if value >= 0.001 else "< 0.001"
        case float():
            return f"{value:.2f}"
        case _:
            return str(value)


def html(analysis: Analysis) -> str:
    """The whole page."""
    out = [rule for rule in analysis.left_out if rule.listeners]
    counted = [f"Listeners who count: {analysis.listeners}."]
    counted += [f"{len(rule.listeners)} left out: {rule.rule}." for rule in out]
    rules = "; ".join(rule.rule for rule in analysis.left_out) or "broke a rule; there is none"
    body = [
        f"<h1>{escape(analysis.title)}</h1>",
        _paragraphs(counted),
        f'<p class="how">A listener is left out who {escape(rules)}.</p>',
        _paragraphs(analysis.cautions, "caution"),
        *_aspects(analysis),
        *map(_section, analysis.sections),
        _table(analysis.together) if analysis.together.rows else "",
    ]
    head = f'<meta charset="utf-8"><title>{escape(analysis.title)}</title><style>{STYLE}</style>'
    phones = '<meta name="viewport" content="width=device-width">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}{phones}</head><body>\n{_joined(body)}</body></html>\n'
    )


def _joined(parts: list[str]) -> str:
    return "".join(f"{part}\n" for part in parts if part)


def _paragraphs(texts: Any, kind: str = "") -> str:
    opening = f'<p class="{kind}">' if kind else "<p>"
    return "".join(f"{opening}{escape(text)}</p>" for text in texts)


def _section(section: Section) -> str:
    """What follows from one question."""
    asked = section.question
    found = "".join(f"<li>{escape(text)}</li>" for text in section.findings)
    body = [
        f"<h2>{escape(asked.text)}</h2>",
        _paragraphs(section.cautions, "caution"),
        f"<ul>{found}</ul>" if found else "",
        *_pictures(section),
        *(_table(table) for table in section.tables if table.rows),
    ]
    return _joined(body)


def _pictures(section: Section) -> Iterator[str]:
    """The pictures of one question."""
    data = section.data
    if not isinstance(data, Ratings):
        yield _picture(
            figures.win_matrix(data), "Share of the votes in which the row was preferred to the column"
        )
        return
    if data.yes_no:
        yield _picture(figures.answer_bars(data), "Who said yes and who said no, a bar for each clip")
    else:
        yield _picture(figures.rating_histogram(data), "How often each rating was given")
    yield _picture(figures.vote_matrix(data), "Mean answer of each listener, a row each, to each system")


def _aspects(analysis: Analysis) -> Iterator[str]:
    """Means of the questions that share a scale, side by side."""
    rated = [s for s in analysis.sections if isinstance(s.data, Ratings)]
    scales = {(s.data.lowest, s.data.highest): s for s in rated if isinstance(s.data, Ratings)}
    for ends in scales:
        own = [s for s in rated if isinstance(s.data, Ratings) and (s.data.lowest, s.data.highest) == ends]
        rows = [section.tables[0].rows for section in own]
        drawn = figures.means_with_intervals([s.question.key for s in own], rows, ends)
        yield _picture(drawn, "Means by question and system, with 95 % intervals")


def _picture(svg: str, caption: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    image = f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(table: Table) -> str:
    """A table under its title, with what its figures are."""
    rows = [cells(row) for row in table.rows]
    named = [isinstance(value, str) for value in asdict(table.rows[0]).values()]
    head = "".join(f'<th scope="col"{mark}>{escape(name)}</th>' for mark, name in _marked(rows[0], named))
    body = "".join(
        f"<tr>{''.join(f'<td{mark}>{escape(text)}</td>' for mark, text in _marked(row.values(), named))}</tr>"
        for row in rows
    )
    return (
        f'<h3>{escape(table.title)}</h3><p class="how">{escape(table.how)}</p>'
        f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
    )


def _marked(texts: Iterable[str], named: Sequence[bool]) -> Iterator[tuple[str, str]]:
    """Texts with the mark of those that are names, which stand at the left; names come first."""
    return ((' class="name"' if name else "", text) for name, text in zip(named, texts, strict=False))
