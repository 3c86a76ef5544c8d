"""What a command needs to reach content, however it got there: a pod's token or a user's session."""

from dataclasses import dataclass

from modelberth.content.addresses import Address
from modelberth.transfer.http import Http
from modelberth.transfer.registry_client import RegistryClient


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

    def digest_of(self, address: Address, *, desired: bool) -> str:
        """The digest that an address stands for; one that names its digest is not asked about."""
        if address.digest:
            return address.digest
        return self.client.resolve(str(address), desired=desired).digest
