"""Whether a test is still the one that was answered, and if not, what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cadenza.listening.design import Design


def description(design: Design, digests: Mapping[str, str]) -> dict[str, Any]:
    """All that a listener meets, as JSON has it: the design, and a digest of each clip's file."""
    told = asdict(design) | {
        "clips": {clip.name: {"piece": clip.piece, "content": digests[clip.name]} for clip in design.clips},
        "questions": {question.key: asdict(question) for question in design.questions},
        "order": [question.key for question in design.questions],
        "background": {asked.key: asdict(asked) for asked in design.background},
        "piano": digests.get("piano", ""),
    }
    # As it comes back from a database: keys as text, tuples as lists.
    return json.loads(json.dumps(told))


def digest(described: Mapping[str, Any]) -> str:
    """Sixty-four hexadecimal digits that are others for another description."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def changes(before: Mapping[str, Any], after: Mapping[str, Any], where: str = "") -> list[str]:
    """What is not as it was, in words, such as `questions.quality.text` or `clip pop/3 is new`."""
    found: list[str] = []
    for key in sorted({*before, *after}):
        place = f"{where}.{key}" if where else key
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += changes(old, new, place)  # pyright: ignore[reportUnknownArgumentType]
        elif key not in before or key not in after:
            found.append(f"{place} is {'new' if key in after else 'gone'}")
        elif old != new:
            found.append(place)
    return found
