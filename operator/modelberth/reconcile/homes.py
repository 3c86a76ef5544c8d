"""Which namespace an object lives in, by the namespace's uid: its bytes and records lie there and nowhere else."""

from modelberth.domain.objects import Object, namespace_of, uid_of
from modelberth.runtime.errors import NotFound
from modelberth.runtime.kube import KubeApi
from modelberth.runtime.resources import NAMESPACES

_REMEMBERED = 10_000


class Homes:
    """Remembers the answer for each object, by the object's own uid.

    An object never leaves its namespace and ends with it, so the answer holds for as long as the object is there. What
    is made in a namespace of the same name later has another uid, and is asked for itself. By the namespace's name, or
    by times, nothing could be remembered: clocks of several API servers differ.
    """

    def __init__(self, kube: KubeApi) -> None:
        self._kube = kube
        self._known: dict[str, str] = {}

    async def uid_of(self, obj: Object) -> str:
        """The uid of the object's namespace.

        Raises:
            NotFound: the namespace is gone, and the object with it.
        """
        known = self._known.get(uid_of(obj))
        return known if known is not None else await self._ask(obj)

    async def _ask(self, obj: Object) -> str:
        namespace = namespace_of(obj)
        home = await self._kube.get(NAMESPACES, None, namespace)
        if home is None:
            raise NotFound(404, "NotFound", f"namespace {namespace} is gone")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[uid_of(obj)] = uid_of(home)
        return uid_of(home)
