"""How much of a piece is copied from others: the longest run that it shares with any of them.

`passages` says what a shared run is, `index` and `search` find them among millions of notes, `yardstick` says
what is usual among people, `library` keeps all this for some corpora, `report` puts it into words.

What was there before. Yin, Reuben, Stepney and Collins, "Measuring when a music generation algorithm copies
too much: the originality report, cardinality score, and symbolic fingerprinting by geometric hashing", SN
Computer Science 3, 2022, measure the share of a window's notes that are also in the best translation of a
piece, and compare models with the spread of the same score among held-out pieces; fingerprints of note
triples (Arzt, Böck and Widmer, "Fast identification of piece and score position via symbolic fingerprinting",
ISMIR 2012) make that fast. The yardstick here is theirs in kind. The figure is another, the length of the
longest run instead of the share of a fixed window, since what a musician fears is a passage, however long the
piece is.
"""

from cadenza.originality.index import TEXTURES, Index, Source, Texture, index_of
from cadenza.originality.library import Library, open_library, why_missing
from cadenza.originality.passages import Passage, Run, heard, passage_of, why_too_little
from cadenza.originality.report import (
    TEXTURE_NAMES,
    Finding,
    Report,
    Summary,
    as_json,
    examine,
    panels_of,
    span,
    summary,
    summary_json,
)
from cadenza.originality.search import Match, Translation, find
from cadenza.originality.yardstick import FEWEST_PEOPLE, Person, Usual, usual

__all__ = [
    "FEWEST_PEOPLE",
    "TEXTURES",
    "TEXTURE_NAMES",
    "Finding",
    "Index",
    "Library",
    "Match",
    "Passage",
    "Person",
    "Report",
    "Run",
    "Source",
    "Summary",
    "Texture",
    "Translation",
    "Usual",
    "as_json",
    "examine",
    "find",
    "heard",
    "index_of",
    "open_library",
    "panels_of",
    "passage_of",
    "span",
    "summary",
    "summary_json",
    "usual",
    "why_missing",
    "why_too_little",
]
