"""The command `cadenza`, also as `python -m cadenza`."""

import os
import signal
from types import FrameType


def main() -> None:
    """Runs the command line. From here on Ctrl-C ends it quietly, also while it is still being imported."""
    signal.signal(signal.SIGINT, _stop)
    # The matrices of one note are too small to be shared: threads that wait for each other cost several times
    # the work. Set before NumPy is imported, and only where the user has not.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cadenza.cli import main as run

    signal.signal(signal.SIGINT, _interrupt)
    run()


def _interrupt(number: int, frame: FrameType | None) -> None:
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # what is still told to processes that end goes nowhere
    signal.default_int_handler(number, frame)


def _stop(*_: object) -> None:
    # Not by an exception: a package half-way through its import may swallow it, or turn it into another.
    os.write(2, b"cadenza: stopped\n")
    os._exit(130)


if __name__ == "__main__":
    main()
