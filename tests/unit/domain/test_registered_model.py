"""How aliases stand."""

import pytest

from modelberth.api import names
from modelberth.domain import deployment_report, registered_model
from modelberth.domain.model_deployment import decide
from modelberth.domain.registered_model import Observed, judge_alias, moved_by, report_alias, status_of, summary
from modelberth.domain.verdicts import Standing, Verdict
from tests.unit.domain import builders as objects
from tests.unit.domain.builders import AROUND, DIGEST_3, DIGEST_4, NOW, artifact, deployment, model, version


def _observed(model_=None, followers=(), **more):
    facts = {
        "model": model_ or model(),
        "versions": {"mnist-v4": version(), "mnist-v3": version("mnist-v3", DIGEST_3)},
        "artifacts": {"mnist": artifact()},
        "followers": tuple(followers),
    }
    return Observed(**{**facts, **more})


def _follower(state="Served", digest=DIGEST_4, version_name="mnist-v4", **more):
    ready = {"type": "Ready", "status": "False", "reason": "ImagePullFailed", "message": "no image"}
    return deployment(
        {
            "observedGeneration": 1,
            "state": state,
            "desired": {"version": version_name, "digest": digest},
            "conditions": [ready],
            **more,
        }
    )


def test_an_alias_that_nothing_follows_stands_for_its_version_at_once():
    """Resolved, not Served: nobody has been seen answering."""
    status = report_alias(_observed(), "production", now=NOW)
    assert (status["state"], status["current"], status["digest"]) == ("Resolved", "mnist-v4", DIGEST_4)


def test_current_moves_only_when_every_follower_serves():
    """One that lags keeps the alias where it was."""
    old = model(status={"aliases": {"production": {"desired": "mnist-v3", "current": "mnist-v3", "digest": DIGEST_3}}})
    late = _follower(digest=DIGEST_3, version_name="mnist-v3")
    behind = report_alias(_observed(old, [_follower(), late]), "production", now=NOW)
    assert (behind["state"], behind["desired"], behind["current"]) == ("Progressing", "mnist-v4", "mnist-v3")
    assert behind["digest"] == DIGEST_3
    done = report_alias(_observed(old, [_follower(), _follower()]), "production", now=NOW)
    assert (done["state"], done["current"]) == ("Served", "mnist-v4")


def test_an_alias_whose_followers_are_scaled_to_zero_is_not_served():
    """It stands for its version, and nobody has been seen answering."""
    asleep = _follower("Suspended")
    status = report_alias(_observed(followers=[asleep]), "production", now=NOW)
    assert (status["state"], status["current"]) == ("Resolved", "mnist-v4")
    assert judge_alias(_observed(followers=[asleep, _follower()]), "production").state == "Served"


def test_news_of_another_generation_is_no_news():
    """A follower's status speaks of the spec that it observed."""
    stale = _follower(observedGeneration=0)
    assert judge_alias(_observed(followers=[stale]), "production").state == "Progressing"


@pytest.mark.parametrize("state", ["Progressing", "Blocked", "Waiting", "Degraded"])
def test_what_keeps_a_follower_is_told(state):
    """With the follower's name and its own words."""
    verdict = judge_alias(_observed(followers=[_follower(state)]), "production")
    assert (verdict.state, verdict.reason) == (state, "ImagePullFailed")
    assert verdict.message == "ModelDeployment web: no image"


@pytest.mark.parametrize(
    ("spec", "refusal", "reason"),
    [
        ({}, deployment_report.refused("unknown field spec.template.spec.imag", by_policy=False), "TemplateRefused"),
        ({}, deployment_report.refused("a policy forbids it", by_policy=True), "TemplateForbidden"),
        ({"template": {"spec": {"containers": []}}}, None, "TemplateInvalid"),
        ({"template": None, "templateRef": {"name": "gone"}}, None, "TemplateNotFound"),
    ],
)
def test_a_template_that_cannot_be_used_keeps_the_alias_in_the_deployments_own_words(spec, refusal, reason):
    """Nobody has to guess why the alias gets no further: a refused template only its user mends."""
    mdep = deployment(**spec)
    if "templateRef" in spec:
        del mdep["spec"]["template"]
    seen = objects.observed(mdep)
    plan = decide(seen, AROUND, refusal=refusal)
    status = deployment_report.report(seen, plan, now=NOW).status
    assert status["desired"] == {"version": "mnist-v4", "digest": DIGEST_4}
    models = _observed(followers=[{**mdep, "status": status}])
    alias = report_alias(models, "production", now=NOW)
    assert (alias["state"], alias["reason"]) == (status["state"], reason)
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert alias["message"] == f"ModelDeployment web: {ready['message']}"
    told = {c["type"] for c in status_of(models, {"production": alias}, None, now=NOW)["conditions"]}
    assert told - {"Ready", "Recorded"} == ({"Stalled"} if alias["state"] == "Blocked" else {"Reconciling"})


def test_followers_of_other_aliases_do_not_count():
    """Staging may fail as it likes."""
    other = _follower("Degraded")
    other["spec"]["alias"] = "staging"
    assert judge_alias(_observed(followers=[other]), "production").state == "Resolved"


def test_the_stamp_names_the_mover_and_before_it_the_field_manager():
    """Servers before 1.36 cannot stamp; managedFields are what they know."""
    fields = {"f:spec": {"f:aliases": {"f:production": {"f:version": {}}}}}
    managed = [{"manager": "argocd-controller", "time": "2026-03-03T14:00:00Z", "fieldsV1": fields}]
    unstamped = model(metadata={"managedFields": managed})
    stamped = model(metadata={"managedFields": managed, "annotations": {names.moved_by("production"): "alice"}})
    assert moved_by(unstamped, "production") == "argocd-controller"
    assert moved_by(unstamped, "staging") is None
    assert moved_by(stamped, "production") == "alice"
    long = model(metadata={"annotations": {names.moved_by("production"): "u" * 600}})
    assert moved_by(long, "production") == "u" * 512, "as much as a status may hold"


def test_the_summary_shows_every_alias_and_marks_those_that_are_behind():
    """One line for kubectl get."""
    aliases = {
        "staging": {"desired": "mnist-v4", "state": "Waiting"},
        "production": {"desired": "mnist-v3", "state": "Served"},
    }
    assert summary(aliases) == "production=mnist-v3 staging=mnist-v4(Waiting)"


def test_an_unchanged_alias_keeps_its_since():
    """The time of a status is when it began."""
    first = report_alias(_observed(), "production", now=NOW)
    later = _observed(model(status={"aliases": {"production": first}}))
    assert report_alias(later, "production", now=NOW.replace(year=2027)) == first


def test_a_link_of_another_type_stalls_the_model():
    """A model links versions of its own type only."""
    linked = model({}, spec={"links": {"mnist-v4": {}}})
    seen = _observed(linked, artifacts={"mnist": artifact(type="dataset")})
    status = status_of(seen, {}, None, now=NOW)
    stalled = next(c for c in status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "TypeMismatch"
    assert stalled["message"].startswith("spec.links: ModelVersion mnist-v4 is of type dataset")


def test_moves_that_wait_for_the_store_are_a_condition_and_make_nothing_unready():
    """The history is never a reason to hold a roll."""
    seen = _observed()
    aliases = {"production": report_alias(seen, "production", now=NOW)}
    away = Verdict("Waiting", Standing.UNKNOWN, "StoreUnavailable", "the store cannot be reached")
    by_type = {c["type"]: c for c in status_of(seen, aliases, away, now=NOW)["conditions"]}
    assert (by_type["Recorded"]["status"], by_type["Recorded"]["reason"]) == ("False", "StoreUnavailable")
    assert by_type["Ready"]["status"] == "True"


def test_a_model_whose_follower_is_stalled_is_stalled():
    """Only a change of somebody's spec mends it: `kstatus` has to say failed, not in progress for ever."""
    conditions = [
        {"type": "Ready", "status": "False", "reason": "NoProgress", "message": "no progress for 600 s"},
        {"type": "Stalled", "status": "True", "reason": "NoProgress", "message": "no progress for 600 s"},
    ]
    seen = _observed(followers=[_follower("Progressing", conditions=conditions)])
    status = status_of(seen, {"production": report_alias(seen, "production", now=NOW)}, None, now=NOW)
    types = {condition["type"]: condition["reason"] for condition in status["conditions"]}
    assert types["Stalled"] == "NoProgress"
    assert "Reconciling" not in types


def test_the_end_of_an_alias_names_who_removed_it():
    """The admission policy stamps the remover; the stamp stays until the next change."""
    history = [{"event": "Moved", "version": "mnist-v4", "at": "2026-03-03T14:05:00Z", "sequence": 1}]
    gone = model(
        {},
        metadata={"annotations": {names.moved_by("production"): "carol"}},
        status={"aliases": {"production": {"desired": "mnist-v4", "history": history}}},
    )
    [entry] = registered_model.removal_of(_observed(gone), "production", now=NOW)
    assert (entry.event, entry.moved_by) == ("Removed", "carol")


def test_a_removed_alias_ends_with_one_entry():
    """And is not told twice."""
    history = [{"event": "Moved", "version": "mnist-v4", "at": "2026-03-03T14:05:00Z", "sequence": 1}]
    seen = _observed(model({}, status={"aliases": {"production": {"desired": "mnist-v4", "history": history}}}))
    assert registered_model.removed_aliases(seen) == ["production"]
    [entry] = registered_model.removal_of(seen, "production", now=NOW)
    assert (entry.event, entry.version, entry.previous) == ("Removed", "", "mnist-v4")
    history.insert(0, {"event": "Removed", "previous": "mnist-v4", "at": "2026-03-03T14:06:00Z"})
    assert registered_model.removal_of(seen, "production", now=NOW) == []
