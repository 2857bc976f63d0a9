"""The one kind of error that a user is meant to read, and what they may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


class CadenzaError(Exception):
    """A mistake in what the user gave: one line that says what, where and what to do.

    The command line prints it and ends with status 2; a traceback means a bug of ours instead.
    """


class MidiError(CadenzaError):
    """A file that is not MIDI, or MIDI that cannot be understood. Raised only by `cadenza.midi`."""


def there_are(known: Iterable[str], instead_of: str) -> str:
    """The end of a message about an unknown name: the nearest of the known ones, if it is near, and all."""
    names = list(known)
    near = get_close_matches(instead_of, names, 1)
    return f"{f'did you mean {near[0]}? There' if near else 'there'} are {', '.join(names)}"
