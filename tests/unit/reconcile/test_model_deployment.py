"""A ModelDeployment that this operator cannot read is left alone, and the alias hears of it."""

from modelberth.domain.registered_model import Observed, judge_alias
from modelberth.reconcile.model_deployment import ModelDeploymentReconciler
from modelberth.runtime.cache import Cache
from modelberth.runtime.clock import SystemClock
from modelberth.runtime.resources import Key
from tests.unit.domain.builders import AROUND, DIGEST_4, artifact, deployment, model, version
from tests.unit.reconcile.test_base import Server


async def test_a_spec_that_is_not_understood_keeps_the_alias_in_its_own_words():
    """Of a spec with an unknown field, model and alias are read all the same: nobody waits without being told why."""
    cache, server = Cache(), Server()
    unread = deployment(novelty=1)
    for obj in (unread, model(), version(), artifact()):
        cache.observe(obj)
    reconciler = ModelDeploymentReconciler(
        kube=server,
        cache=cache,
        recorder=None,
        clock=SystemClock(),
        progress=None,
        metrics=None,
        surroundings=lambda: AROUND,
    )
    await reconciler.reconcile(Key("shop", "web"))
    [(verb, body, _)] = server.calls
    assert (verb, body["status"]["desired"]) == ("apply", {"version": "mnist-v4", "digest": DIGEST_4})
    followers = ({**unread, "status": body["status"]},)
    verdict = judge_alias(Observed(model(), {"mnist-v4": version()}, {"mnist": artifact()}, followers), "production")
    assert (verdict.state, verdict.reason) == ("Blocked", "SpecNotUnderstood")
    assert "spec.novelty: upgrade the operator" in verdict.message
