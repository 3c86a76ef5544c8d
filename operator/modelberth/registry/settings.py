"""The registry's settings, from `MODELBERTH_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from modelberth.runtime.settings import LOG_LEVELS, EnvironmentReader, StoreSettings

_ON_OFF = ("ON", "OFF")


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What the registry is told from outside.

    Attributes:
        store: where bytes lie.
        port: where it listens, on all addresses.
        cert_file: the serving certificate with its chain, PEM; None for plain HTTP, which has to be asked for.
        key_file: its private key.
        ca_file: the CA of the registry's own certificate, by which replicas trust each other; None without peers.
        peers: a DNS name with the addresses of all replicas; None for a registry that stands alone.
        server_name: the name that every replica's certificate carries.
        lineage_memory_mib: what the indexes of lineage may take of memory, in MiB.
        log_level: of our own records.
    """

    store: StoreSettings
    port: int
    cert_file: Path | None
    key_file: Path | None
    ca_file: Path | None
    peers: str | None
    server_name: str
    lineage_memory_mib: int
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The registry's settings.

        Raises:
            SettingsError: variables are missing or wrong; all of them are named.
        """
        variables = EnvironmentReader(environment)
        with_tls = variables.choice("TLS", _ON_OFF, "ON") == "ON"
        namespace = variables.text("NAMESPACE", "modelberth")
        settings = cls(
            store=StoreSettings.read(variables),
            port=variables.integer("REGISTRY_PORT", 8443, at_least=0, at_most=65535),
            cert_file=variables.path("TLS_CERT_FILE") if with_tls else None,
            key_file=variables.path("TLS_KEY_FILE") if with_tls else None,
            ca_file=variables.optional_path("TLS_CA_FILE"),
            peers=variables.text("REGISTRY_PEERS", "") or None,
            server_name=f"{variables.text('REGISTRY_SERVICE', 'modelberth-registry')}.{namespace}.svc",
            lineage_memory_mib=variables.integer("LINEAGE_MEMORY_MIB", 400, at_least=1, at_most=1_000_000),
            log_level=variables.choice("LOG_LEVEL", LOG_LEVELS, "INFO"),
        )
        variables.check()
        return settings
