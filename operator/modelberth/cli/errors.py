"""Errors of the command line besides those of a transfer."""

from modelberth.transfer.errors import TransferError


class CommandError(TransferError):
    """A command cannot do what it was asked to; the message names what is in the way and the mend."""


class UsageError(Exception):
    """The arguments contradict each other or are not in their form; the command ends with status 2."""
