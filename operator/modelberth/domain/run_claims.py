"""Who may say of a version that a run made it: the operator, when the run has ended, and nobody for it.

What a version's spec says about its run is taken for granted where it names the run's uid. So the uid is refused from
everybody else, but for that of a step, which ran elsewhere and is no TrainingRun.
"""

from collections.abc import Mapping
from typing import Any, Final

from modelberth.domain.objects import dig

STEP_UID_PREFIX: Final = "step-"
"""No object of the API server has a uid like this."""
CLAIM: Final = (
    "spec.lineage.run.uid: only the operator names the TrainingRun that made a version by its uid: "
    "remove uid and leave trainingRun"
)


def claims_run(spec: Mapping[str, Any]) -> bool:
    """Whether what is said of a version names a TrainingRun by its uid."""
    uid = dig(spec, "lineage", "run", "uid")
    return bool(uid) and not str(uid).startswith(STEP_UID_PREFIX)
