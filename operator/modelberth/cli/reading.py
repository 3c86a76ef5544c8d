"""A user's way to the bytes that an address names, whichever family has them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from modelberth.cli.access import Access, Named
from modelberth.cli.cluster import Cluster
from modelberth.cli.errors import CommandError
from modelberth.cli.session import Place, session_access
from modelberth.content.addresses import Address
from modelberth.content.collections import CollectionFamily
from modelberth.content.errors import FormatError
from modelberth.content.versions import split_object_name
from modelberth.transfer.errors import HttpFailure


@contextmanager
def reading(
    cluster: Cluster, place: Place, address: Address, *, desired: bool = False, family: CollectionFamily | None = None
) -> Iterator[tuple[Access, Named]]:
    """Access to what an address stands for, by a session of its family.

    Any session may ask what an address is; reading it takes one of the right family, so there may be two.

    Args:
        cluster: as the user.
        place: where the registry is.
        address: its own namespace counts before the place's.
        desired: take what an alias is to stand for.
        family: where the name is looked up; None for wherever it is found.

    Raises:
        TransferError: the API server or the registry refused; the message has their words.
    """
    namespace = address.namespace or place.namespace or cluster.namespace
    with ExitStack() as asking:
        access, of = _any_session(asking, cluster, place, namespace, family)
        # A digest without a word of whose it is was always a model's.
        with _hint(address):
            found = access.find(address, desired=desired, family=family or ("models" if address.digest else None))
        if found.family == of:
            yield access, found
            return
    with session_access(cluster, place, namespace, "Pull", family=found.family) as access:
        yield access, found


@contextmanager
def _hint(address: Address) -> Iterator[None]:
    """A word for who wrote a version's object name where an address is meant."""
    try:
        yield
    except HttpFailure as error:
        meant = object_name_meant(address.name) if error.code == "NameNotFound" else ""
        if not meant:
            raise
        raise CommandError(f"{error}{meant}") from None


def object_name_meant(name: str) -> str:
    """`; is mnist:v4 meant?` of `mnist-v4`; nothing of what is no version's object name."""
    try:
        return "; is {}:{} meant?".format(*split_object_name(name))
    except FormatError:
        return ""


def _any_session(
    stack: ExitStack, cluster: Cluster, place: Place, namespace: str, family: CollectionFamily | None
) -> tuple[Access, CollectionFamily]:
    """A session of the family asked for, else of the first that the user may read."""
    first = family or "models"
    try:
        return stack.enter_context(session_access(cluster, place, namespace, "Pull", family=first)), first
    except HttpFailure as error:
        if family is not None or error.status != 403:
            raise
        try:
            return stack.enter_context(session_access(cluster, place, namespace, "Pull", family="datasets")), "datasets"
        except HttpFailure:
            raise error from None
