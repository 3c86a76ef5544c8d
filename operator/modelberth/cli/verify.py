"""Check every byte of a version: of what the store holds, or of a folder that claims to be it.

Without DIR every object is read from the store and verified, and nothing is kept. With DIR the folder is compared
with the version: other bytes, missing and additional files are listed, and the exit code is 1 if there are any.
ADDRESS may end with #folder: then it is about that folder of the version.
"""

import argparse
import sys

from modelberth.cli.access import Access, Named
from modelberth.cli.arguments import add_family, add_place, add_workers, address, family_of
from modelberth.cli.display import showing, size
from modelberth.cli.errors import CommandError
from modelberth.cli.reading import reading
from modelberth.cli.session import Place
from modelberth.transfer.fetch import Fetcher
from modelberth.transfer.load import check_complete, part_of
from modelberth.transfer.progress import Progress
from modelberth.transfer.urls import UrlPages
from modelberth.transfer.verify import compare_folder, objects_of, verify_stored

_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", metavar="ADDRESS", type=address, help="such as handwriting:v1, digits:production")
    parser.add_argument("folder", metavar="DIR", nargs="?", help="compare this folder instead of reading the store")
    parser.add_argument(
        "--desired",
        action="store_true",
        help="of an alias: the version that its spec asks for, also while another one still answers",
    )
    add_family(parser)
    add_workers(parser)
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Verify."""
    place = Place.of(arguments)
    with (
        place.connect() as cluster,
        reading(cluster, place, arguments.address, desired=arguments.desired, family=family_of(arguments)) as (
            access,
            found,
        ),
    ):
        print(_verify(access, found, arguments), file=sys.stderr)
    return 0


def _verify(access: Access, found: Named, arguments: argparse.Namespace) -> str:
    whole = access.client.tree(found.digest, family=found.family)
    layout = access.client.layout(found.digest, family=found.family)
    check_complete(whole, layout)
    part = arguments.address.folder
    tree = whole if part is None else part_of(whole, part)
    digest = found.digest if part is None else f"{found.digest}#{part}"
    progress = Progress()
    if arguments.folder is not None:
        with showing(progress, quiet=arguments.quiet):
            differences = compare_folder(tree, layout, arguments.folder, workers=arguments.workers, progress=progress)
        if differences:
            shown = "\n".join(f"  {difference}" for difference in differences[:_SHOWN])
            more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise CommandError(f"{arguments.folder} is not {digest}:\n{shown}{more}")
        return f"{arguments.folder} is {digest}: {_counted(tree.file_count, 'file')} of {size(tree.size_bytes)}"
    urls = UrlPages(access.client, found.digest, range(len(layout.objects)), family=found.family)
    fetcher = Fetcher(access.http, urls, layout, patience=access.client.patience, arrived=progress.add)
    needed = objects_of(tree, layout)
    with showing(progress, quiet=arguments.quiet):
        verify_stored(fetcher, layout, needed, workers=arguments.workers, progress=progress)
    stored = sum(layout.objects[number].size for number in needed)
    files, objects = _counted(tree.file_count, "file"), _counted(len(needed), "object")
    return f"{digest} is intact: {files} of {size(tree.size_bytes)}, in {objects} of the store with {size(stored)}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
