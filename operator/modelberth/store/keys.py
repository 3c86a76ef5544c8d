"""Where things lie in the bucket. Every key is made here, out of parts that cannot climb out of their folder.

modelberth.json
spaces/<id>/space.json
spaces/<id>/data/<hh>/<hex>/<ulid>                       one object per upload, never reused
spaces/<id>/trees/<hex>          spaces/<id>/layouts/<hex>
spaces/<id>/records/versions/<artifact>/<version>        written once
spaces/<id>/records/digests/<artifact>/<tree hex>        written once
spaces/<id>/records/aliases/<model>/<alias>/<20 digits>  appended
"""

import re

from modelberth.content.addresses import is_digest
from modelberth.content.errors import FormatError
from modelberth.store.types import Space

BUCKET_FORMAT = "modelberth.json"
PROBE = "probe/"
"""What the probe at start writes lies here, outside of every space."""
FIRST_ENTRY = 1

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def tree(space: Space, digest: str) -> str:
    """The tree's text."""
    return f"{space.prefix}trees/{_hex(digest)}"


def layout(space: Space, digest: str) -> str:
    """The layout's text: its presence says that the content is committed."""
    return f"{space.prefix}layouts/{_hex(digest)}"


def data(space: Space) -> str:
    """The folder of all objects."""
    return f"{space.prefix}data/"


def uploads(space: Space, hex_digest: str) -> str:
    """The folder of all uploads of one content."""
    return f"{data(space)}{hex_digest[:2]}/{hex_digest}/"


def space_record(space: Space) -> str:
    """Whose space it is."""
    return f"{space.prefix}space.json"


def versions(space: Space, artifact: str) -> str:
    """The folder of an artifact's version records."""
    return f"{space.prefix}records/versions/{_name('artifact', artifact)}/"


def version(space: Space, artifact: str, number: str) -> str:
    """The record of one version."""
    return f"{versions(space, artifact)}{_name('version', number)}"


def digest_of_artifact(space: Space, artifact: str, digest: str) -> str:
    """The record of which version of the artifact has this content."""
    return f"{space.prefix}records/digests/{_name('artifact', artifact)}/{_hex(digest)}"


def alias_history(space: Space, model: str, alias: str) -> str:
    """The folder of an alias' history."""
    return f"{space.prefix}records/aliases/{_name('model', model)}/{_name('alias', alias)}/"


def alias_entry(space: Space, model: str, alias: str, sequence: int) -> str:
    """One entry of the history."""
    return f"{alias_history(space, model, alias)}{sequence:020d}"


def last_part(key: str) -> str:
    """What stands behind the last slash."""
    return key.rpartition("/")[2]


def _name(what: str, text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise FormatError(f"{what} {text[:80]!a} is no name: lower case letters, digits, '-' and '.'")
    return text


def _hex(digest: str) -> str:
    if not is_digest(digest):
        raise FormatError(f"digest {digest[:80]!a} is not sha256:<64 lower-case hex digits>")
    return digest.removeprefix("sha256:")
