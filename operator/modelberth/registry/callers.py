"""Who asks: a pod by its projected token, a run by its pod, or a user by a TransferSession. Nobody else is answered."""

from dataclasses import dataclass, field
from typing import Any

from modelberth.api.transfer_session import Operation
from modelberth.content.collections import Collection, Family

POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class PodCaller:
    """A service account, as the API server's TokenReview describes it.

    Attributes:
        user: `system:serviceaccount:<namespace>:<name>`.
        uid: of the account.
        groups: the account's.
        extra: what else the review said; names the pod if the token is bound to one.
    """

    user: str
    uid: str
    groups: tuple[str, ...]
    extra: dict[str, list[str]] = field(hash=False)

    @classmethod
    def from_review(cls, user: dict[str, Any]) -> "PodCaller":
        """The caller that `status.user` of a TokenReview names."""
        extra = {str(name): [str(value) for value in values] for name, values in (user.get("extra") or {}).items()}
        groups = tuple(str(group) for group in user.get("groups") or ())
        return cls(str(user.get("username", "")), str(user.get("uid", "")), groups, extra)

    @property
    def namespace(self) -> str:
        """The account's namespace; empty for a user that is no service account."""
        return self.user.removeprefix(_SERVICE_ACCOUNT).partition(":")[0] if self._is_account else ""

    @property
    def pod(self) -> str:
        """The pod's name; empty if the token is bound to none."""
        return (self.extra.get(POD_NAME) or [""])[0]

    @property
    def pod_uid(self) -> str:
        """The pod's uid; empty if the token is bound to none."""
        return (self.extra.get(POD_UID) or [""])[0]

    @property
    def _is_account(self) -> bool:
        return self.user.startswith(_SERVICE_ACCOUNT)


@dataclass(frozen=True, slots=True)
class SessionCaller:
    """A user, by a TransferSession that the API server let them create.

    Attributes:
        user: as the API server knows them.
        namespace: the session's.
        uid: the session's.
        operation: what it is for.
        family: whose content it is for.
        collection: the only artifact or dataset it is for; None for all of the family.
    """

    user: str
    namespace: str
    uid: str
    operation: Operation
    family: Family
    collection: Collection | None


@dataclass(frozen=True, slots=True)
class RunCaller:
    """The pod that a TrainingRun's status names.

    Attributes:
        user: its service account.
        namespace: its own and the run's.
        run: the TrainingRun's name.
        run_uid: the TrainingRun's uid.
        attempt: which of the run's attempts the pod is, from 0.
        pod_uid: the pod's uid.
    """

    user: str
    namespace: str
    run: str
    run_uid: str
    attempt: int
    pod_uid: str

    @property
    def uid(self) -> str:
        """Names the push: what a run's earlier pod has sent, the next one may go on with."""
        return self.run_uid


Caller = PodCaller | SessionCaller | RunCaller
