"""`python -m demo`, `python -m demo training` and `python -m demo down`."""

import sys

from demo import cluster, main
from demo.progress import Progress
from demo.shell import CommandError
from demo.training import story

STORIES = {(): main.show, ("training",): story.show}


def run(words: tuple[str, ...]) -> int:
    """Show a story, or clean up; returns the exit status."""
    progress = Progress()
    try:
        if words == ("down",):
            cluster.stop(progress)
        elif words in STORIES:
            progress.headline("A cluster")
            STORIES[words](cluster.start(progress), progress)
        else:
            progress.say("usage: python -m demo [training | down]")
            return 2
    except (CommandError, LookupError, TimeoutError) as error:
        progress.say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        progress.say("\nInterrupted. Run it again to go on, or `make demo-down` to remove everything.")
        return 130
    return 0


sys.exit(run(tuple(sys.argv[1:])))
