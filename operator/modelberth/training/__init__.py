"""What runs inside a training run's pod, and what lies where in the folder that its containers share."""

HARNESS_FORMAT = 1
"""Of what the harness does with a package. It is part of a run's key: a run of another format is no repetition."""
MASKED_VARIABLES = "MODELBERTH_SECRET_ENVIRONMENT"
"""The environment variable that names those whose values the harness cuts out of what it tells about a failure."""
HARNESS_REASONS = frozenset(
    {
        "UserException",
        "BadPackage",
        "BadMetric",
        "NothingSaved",
        "OutOfMemory",
        "DeadlineExceeded",
        "Killed",
        "PythonTooOld",
        "UploadFailed",
    }
)
"""Why a program fails, as its harness says."""
HARNESS_EXITS = frozenset({0, 3, 4})
"""Exit statuses of a harness that has held the run's lock, so that the reporter knows of its end."""
