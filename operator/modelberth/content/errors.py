"""What can be wrong with bytes that claim to be one of the formats."""


class FormatError(ValueError):
    """The input is not in the format; the message names the line, path or field and the rule that it breaks."""


class TooLarge(FormatError):  # noqa: N818 (a limit, answered with 413 instead of 400)
    """The input is over one of the limits of the format; parsing stopped there."""


class UnsafePath(FormatError):  # noqa: N818 (named after what it holds)
    """A path that cannot be kept on every system, or that could leave the folder. The message shows it escaped."""
