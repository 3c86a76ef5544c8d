"""What is being done, for whoever waits."""

import sys


def say(text: str) -> None:
    """A line on stderr."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
