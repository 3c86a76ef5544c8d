"""Check every byte of a version: of what the store holds, or of a folder that claims to be it.

Without DIR every object is read from the store and verified, and nothing is kept. With DIR the folder is compared
with the version: other bytes, missing and additional files are listed, and the exit code is 1 if there are any.
"""

import argparse
import sys

from modelberth.cli.access import Access
from modelberth.cli.arguments import add_place, add_workers, address
from modelberth.cli.display import showing, size
from modelberth.cli.errors import CommandError
from modelberth.cli.session import Place, session_access
from modelberth.transfer.fetch import Fetcher
from modelberth.transfer.load import check_complete
from modelberth.transfer.progress import Progress
from modelberth.transfer.urls import UrlPages
from modelberth.transfer.verify import compare_folder, verify_stored

_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=address)
    parser.add_argument("folder", metavar="DIR", nargs="?", help="compare this folder instead of reading the store")
    parser.add_argument("--desired", action="store_true", help="take what the alias should stand for, served or not")
    add_workers(parser)
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Verify."""
    place = Place.of(arguments)
    with place.connect() as cluster:
        namespace = arguments.address.namespace or place.namespace or cluster.namespace
        with session_access(cluster, place, namespace, "Pull") as access:
            digest = access.digest_of(arguments.address, desired=arguments.desired)
            print(_verify(access, digest, arguments), file=sys.stderr)
    return 0


def _verify(access: Access, digest: str, arguments: argparse.Namespace) -> str:
    tree = access.client.tree(digest)
    layout = access.client.layout(digest)
    check_complete(tree, layout)
    progress = Progress()
    if arguments.folder is not None:
        with showing(progress, quiet=arguments.quiet):
            differences = compare_folder(tree, layout, arguments.folder, workers=arguments.workers, progress=progress)
        if differences:
            shown = "\n".join(f"  {difference}" for difference in differences[:_SHOWN])
            more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise CommandError(f"{arguments.folder} is not {digest}:\n{shown}{more}")
        return f"{arguments.folder} is {digest}: {tree.file_count} files, {size(tree.size_bytes)}"
    urls = UrlPages(access.client, digest, range(len(layout.objects)))
    fetcher = Fetcher(access.http, urls, layout, patience=access.client.patience, arrived=progress.add)
    with showing(progress, quiet=arguments.quiet):
        verify_stored(fetcher, layout, workers=arguments.workers, progress=progress)
    return f"{digest} is intact: {len(layout.objects)} objects, {size(layout.stored_bytes)}"
