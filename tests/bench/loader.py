"""The loader as the operator's init container runs it: the same program, with the two mounted places given to it."""

import os
import sys
from pathlib import Path

_PROGRAM = (
    "import sys; from modelberth.cli import pod; pod.TOKEN_FILE, pod.REGISTRY_FOLDER = sys.argv[1:3]; "
    "from modelberth.cli.main import main; sys.exit(main(sys.argv[3:]))"
)


class Loader:
    """What a loader's pod mounts.

    Args:
        folder: where the mounted files are to be.
        url: the registry's.
        token: what the kubelet would project; empty for a registry that asks for none.
        ca: the CA of the registry's certificate, PEM.
        namespace: the pod's.
    """

    def __init__(self, folder: Path, *, url: str, token: str, namespace: str, ca: bytes = b"") -> None:
        self._token = folder / "token"
        self._mounted = folder / "registry"
        self._mounted.mkdir(parents=True)
        self._token.write_text(token)
        (self._mounted / "url").write_text(url)
        (self._mounted / "ca.crt").write_bytes(ca)
        self.environment = {"MODELBERTH_NAMESPACE": namespace, "PYTHONPATH": os.path.abspath("operator")}

    def command(self, *words: str) -> list[str]:
        """`modelberth load` with these arguments."""
        return [sys.executable, "-c", _PROGRAM, str(self._token), str(self._mounted), "load", *words]
