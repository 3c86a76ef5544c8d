"""Bring a version into a folder, verified byte by byte before the folder is visible.

ADDRESS is [namespace/]name[:alias | :v4 | :1.1 | @sha256:…][#folder]. An alias means what it currently stands for;
with #folder only that folder of the version is loaded. A folder that is intact already is left alone; a load that was
stopped goes on where it was.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from modelberth.cli.access import Access, Named
from modelberth.cli.arguments import add_family, add_place, add_workers, address, family_of
from modelberth.cli.display import showing, size
from modelberth.cli.pod import is_loader, pod_access
from modelberth.content.addresses import Address
from modelberth.content.collections import CollectionFamily
from modelberth.transfer.errors import TransferError
from modelberth.transfer.load import Loaded, load
from modelberth.transfer.progress import Progress, Reporter

_POST_SECONDS = 2.0
_TERMINATED = 128 + signal.SIGTERM


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=address, help="such as handwriting:v1, digits:production")
    parser.add_argument("folder", metavar="DIR", help="made by this command; the folders above it are made, too")
    parser.add_argument(
        "--desired",
        action="store_true",
        help="of an alias: the version that its spec asks for, also while another one still answers",
    )
    parser.add_argument("--replace", action="store_true", help="replace a folder that holds something else")
    add_family(parser)
    add_workers(parser)
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Load, with the pod's token in a loader that the operator made, else with the user's kubeconfig."""
    progress = Progress()
    if is_loader():
        # The first process of a container ignores SIGTERM unless it says otherwise; what is staged is used again.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
    with (
        _access(arguments) as (access, found),
        _reporting(access, found.digest, progress),
        showing(progress, quiet=arguments.quiet),
    ):
        loaded = load(
            access.client,
            access.http,
            found.digest,
            arguments.folder,
            workers=arguments.workers,
            progress=progress,
            # A loader's volume is its own: what a start before it left damaged is mended.
            replace=arguments.replace or access.reports_progress,
            folder=arguments.address.folder,
            family=found.family,
        )
    print(_summary(loaded), file=sys.stderr)
    return 0


def _summary(loaded: Loaded) -> str:
    how = f"{size(loaded.fetched_bytes)} fetched" if loaded.fetched_bytes else "intact, nothing fetched"
    files = f"{loaded.file_count} file{'' if loaded.file_count == 1 else 's'}"
    return f"{loaded.path}: {loaded.digest}, {files}, {size(loaded.size_bytes)} ({how})"


@contextmanager
def _access(arguments: argparse.Namespace) -> Iterator[tuple[Access, Named]]:
    address, family = arguments.address, family_of(arguments)
    if is_loader() and not arguments.kubeconfig:
        with pod_access(address.namespace or arguments.namespace) as access:
            # Loaders of models name a digest and no family.
            yield access, access.find(address, desired=arguments.desired, family=family or _family_of_digest(address))
        return
    from modelberth.cli.reading import reading
    from modelberth.cli.session import Place

    place = Place.of(arguments)
    with (
        place.connect() as cluster,
        reading(cluster, place, address, desired=arguments.desired, family=family) as found,
    ):
        yield found


def _family_of_digest(address: Address) -> CollectionFamily | None:
    return "models" if address.digest else None


def _reporting(access: Access, digest: str, progress: Progress) -> "Reporter | nullcontext[None]":
    """Post the progress every two seconds: a roll that loads is not a roll that hangs."""
    if not access.reports_progress:
        return nullcontext()

    def post() -> None:
        phase, done, total = progress.read()
        if phase:
            with suppress(TransferError):  # the next post comes soon, and the load itself says what is wrong
                access.client.post_progress(digest, done, total)

    return Reporter(post, seconds=_POST_SECONDS)
