"""What a command needs to reach content, however it got there: a pod's token or a user's session."""

from dataclasses import dataclass

from modelberth.content.addresses import Address
from modelberth.content.collections import CollectionFamily, Family
from modelberth.transfer.http import Http
from modelberth.transfer.registry_client import RegistryClient


@dataclass(frozen=True, slots=True)
class Named:
    """The content that an address stands for, and whose it is."""

    digest: str
    family: Family


@dataclass(frozen=True, slots=True)
class Access:
    """A registry, and the connections to its store.

    Attributes:
        client: the registry, for one namespace.
        http: trusts the store's certificates.
        reports_progress: whether the registry wants to hear how far a load is (it does from pods).
    """

    client: RegistryClient
    http: Http
    reports_progress: bool = False

    def find(self, address: Address, *, desired: bool, family: CollectionFamily | None) -> Named:
        """What an address stands for; one that names its digest is not asked about where the family is known."""
        if address.digest and family is not None:
            return Named(address.digest, family)
        found = self.client.resolve(address.whole, desired=desired, family=family)
        return Named(found.digest, found.family)
