"""`python -m cadenza` is the command `cadenza`."""

from cadenza.cli import main

if __name__ == "__main__":
    main()
