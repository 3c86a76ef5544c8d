"""Where things lie in the bucket. Every key is made here, out of parts that cannot climb out of their folder.

modelberth.json
spaces/<id>/space.json
spaces/<id>/data/<hh>/<hex>/<ulid>                       one object per upload, never reused
spaces/<id>/trees/<hex>          spaces/<id>/layouts/<hex>
spaces/<id>/records/versions/<artifact>/<version>        written once
spaces/<id>/records/digests/<artifact>/<tree hex>        written once
spaces/<id>/records/datasets/<dataset>/<version>         written once
spaces/<id>/records/dataset-digests/<dataset>/<tree hex> written once
spaces/<id>/records/families/<family>/<tree hex>         an empty mark
spaces/<id>/records/runs/<run>/<uid>/attempts/<number>   written once
spaces/<id>/records/runs/<run>/<uid>/result              written once
spaces/<id>/records/runs/<run>/<uid>/content/<tree hex>  an empty mark
spaces/<id>/records/run-keys/<key>/<20 digits>           appended
spaces/<id>/records/aliases/<model>/<alias>/<20 digits>  appended
"""

import re

from modelberth.content.addresses import is_digest
from modelberth.content.collections import Collection, CollectionFamily, Family
from modelberth.content.errors import FormatError
from modelberth.store.run_types import RunId
from modelberth.store.types import Space

BUCKET_FORMAT = "modelberth.json"
PROBE = "probe/"
"""What the probe at start writes lies here, outside of every space."""
SPACES = "spaces/"
"""Every space is a folder in it."""
FIRST_ENTRY = 1

MODEL_VERSIONS = "records/versions/"
DATASET_VERSIONS = "records/datasets/"
RUNS = "records/runs/"
ALIASES = "records/aliases/"
RECORD_FOLDERS = (MODEL_VERSIONS, DATASET_VERSIONS, RUNS, ALIASES)
"""The folders, within a space, of everything that lineage is made of."""

_VERSIONS: dict[CollectionFamily, str] = {"models": "versions", "datasets": "datasets"}
_DIGESTS: dict[CollectionFamily, str] = {"models": "digests", "datasets": "dataset-digests"}
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


def versions(space: Space, collection: Collection) -> str:
    """The folder of a collection's version records."""
    return f"{space.prefix}records/{_VERSIONS[collection.family]}/{_name(collection.field, collection.name)}/"


def version(space: Space, collection: Collection, number: str) -> str:
    """The record of one version."""
    return f"{versions(space, collection)}{_name('version', number)}"


def version_of_digest(space: Space, collection: Collection, digest: str) -> str:
    """The record of which version of the collection has this content."""
    folder = f"{space.prefix}records/{_DIGESTS[collection.family]}/"
    return f"{folder}{_name(collection.field, collection.name)}/{_hex(digest)}"


def family_mark(space: Space, family: Family, digest: str) -> str:
    """The mark that content is a family's."""
    return f"{space.prefix}records/families/{family}/{_hex(digest)}"


def runs(space: Space) -> str:
    """The folder of all runs' records."""
    return f"{space.prefix}{RUNS}"


def runs_of_name(space: Space, name: str) -> str:
    """The folder of the records of all runs that ever had this name."""
    return f"{runs(space)}{_name('run', name)}/"


def run_attempt(space: Space, run: RunId, number: int) -> str:
    """The record of one attempt."""
    return f"{runs_of_name(space, run.name)}{_name('uid', run.uid)}/attempts/{number:d}"


def run_result(space: Space, run: RunId) -> str:
    """The record of how a run ended."""
    return f"{runs_of_name(space, run.name)}{_name('uid', run.uid)}/result"


def run_content(space: Space, run: RunId, digest: str) -> str:
    """The mark that a run itself has sent this content."""
    return f"{runs_of_name(space, run.name)}{_name('uid', run.uid)}/content/{_hex(digest)}"


def run_key(space: Space, key: str) -> str:
    """The folder of what is known of a run key, in hex."""
    return f"{space.prefix}records/run-keys/{_name('key', key)}/"


def run_key_entry(space: Space, key: str, generation: int) -> str:
    """One generation of what is known of a run key; the last one counts."""
    return f"{run_key(space, key)}{generation:020d}"


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
