"""Lists all ModelVersions with the operator's own client and does nothing with them: what a start-up is compared with.

python -m tests.bench.bare_list (the cluster of $KUBECONFIG); prints how many there were.
"""

import asyncio

from modelberth.runtime.kube_client import KubeClient
from modelberth.runtime.kubeconfig import load_connection
from modelberth.runtime.resources import MODEL_VERSIONS


async def count() -> int:
    """How many ModelVersions the cluster has; all of them are in memory at the end."""
    async with KubeClient(load_connection()) as kube:
        return len(await kube.list(MODEL_VERSIONS))


if __name__ == "__main__":
    print(asyncio.run(count()))
