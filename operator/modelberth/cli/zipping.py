"""A version as one zip file: verified like any load, the same bytes each time, there as a whole or not at all."""

import os
import shutil
import zipfile
from collections.abc import Iterator

from modelberth.cli.cluster import Cluster
from modelberth.cli.display import showing
from modelberth.cli.errors import CommandError
from modelberth.cli.reading import reading
from modelberth.cli.session import Place
from modelberth.content.addresses import Address
from modelberth.content.collections import CollectionFamily
from modelberth.transfer.load import load
from modelberth.transfer.progress import Progress
from modelberth.transfer.workers import default_workers

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format knows: versions have none, and the same version is the same zip."""
_FOLDER_MODE = 0o40755 << 16 | 0x10


def save_zip(cluster: Cluster, place: Place, address: Address, file: str, *, family: CollectionFamily | None) -> str:
    """Write what an address stands for into a zip file; returns its digest.

    Args:
        cluster: as the user.
        place: where the registry is.
        address: of a version, or of a folder of one.
        file: the zip; must not be there.
        family: where the name is looked up; None for wherever it is found.

    Raises:
        CommandError: there is something of that name.
        TransferError: something was refused, damaged or could not be reached; nothing became visible.
        OSError: the disk is full or may not be written.
    """
    target = os.path.abspath(file)
    if os.path.lexists(target):
        raise CommandError(f"{file} is there already: choose another name")
    staging = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.partial")
    os.makedirs(staging, exist_ok=True)
    content, packed = os.path.join(staging, "content"), os.path.join(staging, "zip")
    progress = Progress()
    with reading(cluster, place, address, family=family) as (access, found), showing(progress, quiet=False):
        load(
            access.client,
            access.http,
            found.digest,
            content,
            workers=default_workers(),
            progress=progress,
            replace=True,
            folder=address.folder,
            family=found.family,
        )
    _pack(content, packed)
    os.rename(packed, target)
    shutil.rmtree(staging)
    return found.digest


def _pack(folder: str, target: str) -> None:
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(_entries(folder)):
            location = os.path.join(folder, path)
            if os.path.isdir(location):
                entry = zipfile.ZipInfo(f"{path}/", _EPOCH)
                entry.external_attr = _FOLDER_MODE
                archive.writestr(entry, b"")
                continue
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (os.stat(location).st_mode & 0o777 | 0o100000) << 16
            entry.file_size = os.path.getsize(location)  # beyond 4 GiB the format takes another form from the start
            with open(location, "rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 1024 * 1024)


def _entries(folder: str) -> Iterator[str]:
    """The paths of all files and of the empty folders, with slashes."""
    for parent, folders, files in os.walk(folder):
        inside = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        yield from (f"{prefix}{name}" for name in files)
        if prefix and not folders and not files:
            yield prefix[:-1]
