"""Modelberth: a model alias is the deploy control.

    import modelberth

    modelberth.push("model/", "mnist", alias="best", metrics={"accuracy": 0.97})
    folder = modelberth.load("mnist:best")

Importing this package imports nothing but the standard library; `push` and `load` bring what they need when they are
first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelberth.cli.sdk import PushedVersion, load, push
    from modelberth.cli.step import Step, step
    from modelberth.transfer.errors import TransferError

__version__ = "0.1.0"
__all__ = ["PushedVersion", "Step", "TransferError", "__version__", "load", "push", "step"]

_HOMES = {
    "PushedVersion": "modelberth.cli.sdk",
    "load": "modelberth.cli.sdk",
    "push": "modelberth.cli.sdk",
    "Step": "modelberth.cli.step",
    "step": "modelberth.cli.step",
    "TransferError": "modelberth.transfer.errors",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
