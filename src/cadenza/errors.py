"""The one kind of error that a user is meant to read."""


class CadenzaError(Exception):
    """A mistake in what the user gave: one line that says what, where and what to do.

    The command line prints it and ends with status 2; a traceback means a bug of ours instead.
    """


class MidiError(CadenzaError):
    """A file that is not MIDI, or MIDI that cannot be understood. Raised only by `cadenza.midi`."""
