import numpy as np
import pytest

from cadenza.engine.constraints import Constraints, parse_key, parse_pitch, parse_range
from cadenza.errors import CadenzaError


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("C", {0, 2, 4, 5, 7, 9, 11}),
        ("c major", {0, 2, 4, 5, 7, 9, 11}),
        ("A minor", {9, 11, 0, 2, 4, 5, 7, 8}),
        ("Am", {9, 11, 0, 2, 4, 5, 7, 8}),
        ("F# major", {6, 8, 10, 11, 1, 3, 5}),
        ("Bb", {10, 0, 2, 3, 5, 7, 9}),
        ("b minor", {11, 1, 2, 4, 6, 7, 9, 10}),
        ("D dorian", {2, 4, 5, 7, 9, 11, 0}),
        ("E natural minor", {4, 6, 7, 9, 11, 0, 2}),
    ],
)
def test_keys(text: str, classes: set[int]) -> None:
    assert parse_key(text) == classes


@pytest.mark.parametrize("text", ["H major", "C mnior", "", "major", "C#b", "12"])
def test_no_such_key(text: str) -> None:
    with pytest.raises(CadenzaError, match=r"no (key|scale)"):
        parse_key(text)


def test_pitches_and_ranges() -> None:
    assert [parse_pitch(p) for p in ("C4", "A0", "C8", "Bb3", "f#2", "60", "C-1")] == [
        60,
        21,
        108,
        58,
        42,
        60,
        0,
    ]
    assert parse_range("C3-C6") == (48, 84)
    assert parse_range("48 - 84") == (48, 84)
    assert parse_range("A0–C8") == (21, 108)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no range ''"),
        ("C3-" + "9" * 5000, "no pitch"),
        ("C3", "no range"),
        ("C6-C3", "goes down"),
        ("x-y", "no (range|pitch)"),
        ("C3-H4", "no pitch"),
    ],
)
def test_no_such_range(text: str, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        parse_range(text)


def test_mask_holds_exactly_the_pitches_of_key_and_range() -> None:
    constraints = Constraints.parse("C major", "60-67")
    assert (np.flatnonzero(constraints.pitches) + 21).tolist() == [60, 62, 64, 65, 67]
    assert Constraints().pitches.all()


def test_a_key_and_a_range_that_share_no_pitch() -> None:
    with pytest.raises(CadenzaError, match="no pitch from 61 to 61 is in the key"):
        Constraints.parse("C major", "61-61")
    with pytest.raises(CadenzaError, match="no piano key lies from 1 to 9"):
        Constraints.parse(None, "1-9")


def test_an_empty_word_is_a_mistake_and_not_a_wish_left_out() -> None:
    with pytest.raises(CadenzaError, match="no key ''"):
        Constraints.parse("", None)
    with pytest.raises(CadenzaError, match="no range ''"):
        Constraints.parse(None, "")
