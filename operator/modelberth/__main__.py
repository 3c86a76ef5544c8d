"""`python -m modelberth …` is the command line."""

import sys

from modelberth.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
