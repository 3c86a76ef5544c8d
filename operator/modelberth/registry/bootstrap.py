"""`python -m modelberth store-bootstrap`: bucket, user and policy in the chart's own MinIO. Safe to run again.

Reads `MODELBERTH_STORE_ENDPOINT`, `…_BUCKET`, `…_REGION`, `…_CA_FILE`; the files named by `…_ROOT_ACCESS_KEY_FILE` and
`…_ROOT_SECRET_KEY_FILE` (MinIO's root account) and by `…_ACCESS_KEY_FILE` and `…_SECRET_KEY_FILE` (the user to make).
"""

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from modelberth.runtime.logging import configure_logging
from modelberth.runtime.settings import EnvironmentReader, SettingsError, StoreSettings
from modelberth.store.administration import Setup, set_up
from modelberth.store.connection import Endpoint, KeyFiles
from modelberth.store.errors import StoreError, StoreUnavailable

_ATTEMPTS = 60
_WAIT_SECONDS = 2.0

log = logging.getLogger(__name__)


def main() -> int:
    """Set MinIO up, waiting for up to two minutes until it answers. Returns the exit status."""
    configure_logging("INFO")
    try:
        setup = read_setup()
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"modelberth store-bootstrap: {error}\n")
        return 2
    except StoreError as error:
        sys.stderr.write(f"modelberth store-bootstrap: {error}\n")
        return 1
    return run(setup)


def read_setup(environment: Mapping[str, str] | None = None) -> Setup:
    """What the environment asks for.

    Raises:
        SettingsError: variables are missing or wrong.
        ValueError: the endpoint is no address of a store.
        StoreUnavailable: a file of credentials is missing or empty.
    """
    variables = EnvironmentReader(environment)
    store = StoreSettings.read(variables)
    root_user = variables.path("STORE_ROOT_ACCESS_KEY_FILE")
    root_password = variables.path("STORE_ROOT_SECRET_KEY_FILE")
    variables.check()
    return Setup(
        endpoint=Endpoint(store.endpoint),
        bucket=store.bucket,
        region=store.region,
        root=KeyFiles(Path(root_user), Path(root_password))(),
        user=KeyFiles(store.access_key_file, store.secret_key_file)(),
        ca_file=store.ca_file,
    )


def run(setup: Setup, *, attempts: int = _ATTEMPTS, wait_seconds: float = _WAIT_SECONDS) -> int:
    """Set up, trying again while MinIO does not answer."""
    for attempt in range(1, attempts + 1):
        try:
            set_up(setup)
        except StoreUnavailable as error:
            log.info("waiting for the store", extra={"why": str(error), "attempt": attempt})
            time.sleep(wait_seconds)
        except StoreError as error:
            log.error("the store cannot be set up", extra={"why": str(error)})  # noqa: TRY400 - nothing to trace
            return 1
        else:
            log.info("the store is set up", extra={"bucket": setup.bucket, "user": setup.user.access_key})
            return 0
    log.error("the store did not answer in time")
    return 1
