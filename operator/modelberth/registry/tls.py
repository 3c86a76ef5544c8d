"""The serving certificate, renewed without a restart: new files go into the same context, for new connections."""

import asyncio
import logging
import ssl
from pathlib import Path

LOOK_SECONDS = 5.0

log = logging.getLogger(__name__)


class ServingCertificate:
    """A TLS context whose certificate follows two files.

    Args:
        cert_file: the certificate with its chain, PEM.
        key_file: its private key, PEM.

    Attributes:
        context: to serve with.

    Raises:
        OSError: a file cannot be read, or certificate and key do not belong together.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._loaded = self._read()
        self.context.load_cert_chain(cert_file, key_file)

    def refresh(self) -> bool:
        """Load the files again if they changed.

        While the kubelet swaps them certificate and key may not belong together: then the old ones stay, and the next
        look finds both.

        Returns:
            Whether new connections get another certificate now.
        """
        try:
            found = self._read()
            if found == self._loaded:
                return False
            # Tried elsewhere first: a context keeps a new certificate even when the key turns out not to fit.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert_file, self._key_file)
            self.context.load_cert_chain(self._cert_file, self._key_file)
        except OSError as error:
            log.warning("the serving certificate cannot be loaded again", extra={"why": type(error).__name__})
            return False
        self._loaded = found
        log.info("serving with a renewed certificate")
        return True

    async def follow(self) -> None:
        """Look at the files every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _read(self) -> tuple[bytes, bytes]:
        return self._cert_file.read_bytes(), self._key_file.read_bytes()
