#!/usr/bin/env python3
"""Build an image of this repository: `images.py build TAG --file Dockerfile --context DIR -o image.tar`.

With Docker or buildah, whichever works on this machine; the archive loads into a cluster with
`localkind load image-archive image.tar`. The same inputs give the cached archive at once.
"""

import argparse
import sys
from pathlib import Path

# The package stands in the folder above this script.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from localkind import imagebuild
from localkind.host import LocalkindError, say


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    build = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("build", help="build one image")
    build.add_argument("tag", help="the image's name, as pods will call it")
    build.add_argument("--file", type=Path, required=True, help="the Dockerfile")
    build.add_argument("--context", type=Path, required=True, help="the folder that COPY lines are relative to")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="value of an ARG line")
    build.add_argument("-o", "--output", type=Path, required=True, help="archive to write")
    options = parser.parse_args()
    arguments = dict(argument.partition("=")[::2] for argument in options.build_arg)
    try:
        imagebuild.build(options.tag, options.file, options.context.resolve(), arguments, options.output)
    except LocalkindError as error:
        say(f"ERROR: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
