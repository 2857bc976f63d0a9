"""The corpora: what they are, where they come from, and how each of their pieces is read.

A corpus is a list of items; an item is a file (or an entry of a file) that reads as one Score. Nothing is
read before it is asked for, so items can be handed to other processes. Known corpora stand in `CORPORA`;
any folder of MIDI files is one too. Those with an `archive` are downloaded by `fetch`, others by hand.

Splits. Pieces of one group (two versions of a tune, two songs that share their melody) always fall on the
same side; so do files whose notes are the same up to transposition, whatever they are called. The side
follows from a hash of the notes, so no piece moves when files are added or renamed, unless what is added
belongs to its group. Sets with a published split keep it.
"""

from cadenza.corpus.finding import Fetched, data_folders, excerpt, fetch, find_corpus
from cadenza.corpus.items import SPLITS, Corpus, Item, Split, midi_items, read_midi_item
from cadenza.corpus.registry import CORPORA
from cadenza.corpus.sets import score_of_frames
from cadenza.corpus.splits import content_hash, split_of, tune_hash

__all__ = [
    "CORPORA",
    "SPLITS",
    "Corpus",
    "Fetched",
    "Item",
    "Split",
    "content_hash",
    "data_folders",
    "excerpt",
    "fetch",
    "find_corpus",
    "midi_items",
    "read_midi_item",
    "score_of_frames",
    "split_of",
    "tune_hash",
]
