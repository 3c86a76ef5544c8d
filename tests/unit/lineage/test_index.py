"""The graph: what records make of it, in any order, and what a walk finds."""

from hypothesis import given
from hypothesis import strategies as st

from modelberth.lineage.facts import AliasFact, Named, RunFact, StepFact, VersionFact
from modelberth.lineage.index import Index
from modelberth.lineage.nodes import (
    Edge,
    Interval,
    NodeId,
    alias_of,
    dataset_version,
    model_version,
    training_run,
)
from modelberth.lineage.walk import walk
from tests.unit.lineage.adding import add

AT = "2026-11-21T09:00:00Z"


def version(name, family="models", **spec):
    return VersionFact(family, name, spec=spec)


def run(name, uid="u", made="", status="Succeeded", **inputs):
    return RunFact(name, uid, status=status, version=made, inputs=inputs)


def index_of(*facts):
    index = Index()
    for fact in facts:
        add(index, fact)
    return index


def names(graph):
    return {str(node.id) for node, _ in graph.nodes}


def said(links):
    return {(str(link.edge.source), link.edge.relation, str(link.edge.target), link.recorded) for link in links}


class TestDeclared:
    def test_everything_that_a_version_can_declare(self):
        """Data, parents, package, code, environment and a run's page all lie above it, marked as declared."""
        lineage = {
            "run": {"uri": "https://runs/1"},
            "datasets": [{"uri": "s3://data"}, {"version": "housing-v1", "role": "test"}],
            "parents": ["base-v0"],
            "package": "trainer-1.0",
            "code": {"repository": "https://git", "revision": "abc", "path": "train.py", "dirty": True},
            "environment": {"image": "python:3.12", "python": "3.12.4", "packages": "sha256:" + "a" * 64},
        }
        index = index_of(version("m-v0", lineage=lineage))
        assert said(index.above(model_version("m-v0"))) == {
            ("outside/https://runs/1", "made by", "modelversion/m-v0", False),
            ("outside/s3://data", "trained on", "modelversion/m-v0", False),
            ("datasetversion/housing-v1", "evaluated on", "modelversion/m-v0", False),
            ("modelversion/base-v0", "parent", "modelversion/m-v0", False),
            ("modelversion/trainer-1.0", "package", "modelversion/m-v0", False),
            ("code/https://git@abc#train.py (changed)", "code", "modelversion/m-v0", False),
            (
                "environment/python:3.12, Python 3.12.4, packages aaaaaaaaaaaa",
                "environment",
                "modelversion/m-v0",
                False,
            ),
        }

    def test_data_that_is_derived(self):
        """A dataset version may be derived from others."""
        index = index_of(version("labelled-v0", "datasets", derivedFrom=["raw-v3"]))
        assert said(index.below(dataset_version("raw-v3"))) == {
            ("datasetversion/raw-v3", "derived from", "datasetversion/labelled-v0", False)
        }

    def test_what_is_not_in_its_form_is_no_claim(self):
        """A record of another program's making never breaks the graph."""
        lineage = {
            "run": "x",
            "datasets": ["x", {}, {"uri": 3}],
            "parents": "x",
            "code": [],
            "environment": {"image": 1},
        }
        index = index_of(
            version("m-v0", lineage=lineage, metrics={"a": "b", "n": float("nan"), "ok": 1}), version("m-v1", lineage=7)
        )
        assert list(index.above(model_version("m-v0"))) == []
        assert index.node(model_version("m-v0")).metrics == {"ok": 1.0}


class TestRecorded:
    def test_a_run_says_what_went_in_and_what_came_out(self):
        """Inputs lie above the run, the version below it, all recorded."""
        fact = RunFact(
            "r",
            "u",
            status="Succeeded",
            version="m-1.1",
            image="python",
            image_digest="python@sha256:1",
            python="3.12",
            inputs={"package": "m-1.0", "dataset": "d-v0", "evaluation": "e-v0"},
        )
        index = index_of(fact)
        assert said(index.above(training_run("r", "u"))) == {
            ("datasetversion/d-v0", "trained on", "trainingrun/r@u", True),
            ("datasetversion/e-v0", "evaluated on", "trainingrun/r@u", True),
            ("modelversion/m-1.0", "package", "trainingrun/r@u", True),
            ("environment/python@sha256:1, Python 3.12", "environment", "trainingrun/r@u", True),
        }
        assert said(index.below(training_run("r", "u"))) == {("trainingrun/r@u", "made by", "modelversion/m-1.1", True)}

    def test_a_skipped_or_failed_run_made_nothing(self):
        """The version that a skipped run leads to was made by another one."""
        index = index_of(
            run("r", made="m-1.1", status="Skipped", dataset="d-v0"), run("f", status="Failed", dataset="d-v0")
        )
        assert index.makers(model_version("m-1.1")) == []
        assert names(walk(index, dataset_version("d-v0"), "down")) == {
            "datasetversion/d-v0",
            "trainingrun/r@u",
            "trainingrun/f@u",
        }

    def test_what_the_version_repeats_of_its_run_is_shown_once(self):
        """The operator writes the inputs into the version, too; the recorded way is shown, and only what is new beside it."""
        lineage = {
            "run": {"trainingRun": "r", "uid": "u"},
            "datasets": [{"version": "d-v0", "role": "train"}, {"version": "other-v0"}],
            "package": "m-1.0",
            "environment": {"image": "python"},
        }
        made = RunFact(
            "r",
            "u",
            status="Succeeded",
            version="m-1.1",
            image="python@sha256:1",
            inputs={"package": "m-1.0", "dataset": "d-v0"},
        )
        index = index_of(version("m-1.1", lineage=lineage), made)
        assert said(index.above(model_version("m-1.1"))) == {
            ("trainingrun/r@u", "made by", "modelversion/m-1.1", True),
            ("datasetversion/other-v0", "trained on", "modelversion/m-1.1", False),
        }
        assert said(index.below(dataset_version("d-v0"))) == {
            ("datasetversion/d-v0", "trained on", "trainingrun/r@u", True)
        }

    def test_a_run_that_is_declared_by_name_only(self):
        """It leads to the recorded runs of the name, as declared."""
        index = index_of(version("m-v0", lineage={"run": {"trainingRun": "r"}}), run("r", "u1", dataset="d-v0"))
        assert "datasetversion/d-v0" in names(walk(index, model_version("m-v0"), "up"))
        assert "modelversion/m-v0" in names(walk(index, dataset_version("d-v0"), "down"))

    def test_runs_of_one_name(self):
        """A name may be used again after a deletion: each uid is a run, the last one to end comes first."""
        index = index_of(RunFact("r", "old", finished_at="2026-01-01"), RunFact("r", "new", finished_at="2026-02-01"))
        assert [node.id.uid for node in index.runs_named("r")] == ["new", "old"]
        assert len(list(index.runs())) == 2
        assert index.runs_named("nobody") == []

    def test_a_step_of_a_runs_name(self):
        """It hides no run, however late it was told of."""
        step = RunFact("r", "step-1", trigger="Step", step=StepFact(), finished_at="2026-03-01")
        index = index_of(RunFact("r", "u", trigger="Manual", finished_at="2026-02-01"), step)
        assert [node.id.uid for node in index.runs_named("r")] == ["u", "step-1"]


class TestSteps:
    def test_what_was_told_is_declared(self):
        """Nobody observed a step that ran elsewhere; it makes no version in the name of a run of ours."""
        told = StepFact(
            took=(Named("datasets", "raw-v0"), Named("models", "m-v0")), made=(Named("datasets", "clean-v0"),)
        )
        index = index_of(RunFact("clean", "step-1", status="Succeeded", trigger="Step", python="3.12", step=told))
        step = training_run("clean", "step-1")
        assert said([*index.above(step), *index.below(step)]) == {
            ("environment/Python 3.12", "environment", "trainingrun/clean@step-1", False),
            ("datasetversion/raw-v0", "took", "trainingrun/clean@step-1", False),
            ("modelversion/m-v0", "took", "trainingrun/clean@step-1", False),
            ("trainingrun/clean@step-1", "made by", "datasetversion/clean-v0", False),
        }
        assert index.makers(dataset_version("clean-v0")) == []


class TestAliases:
    def test_from_data_to_the_alias_that_answered_with_it(self):
        """With the interval; a version that was only asked for says that."""
        index = index_of(
            run("r", made="m-1.1", dataset="d-v0"),
            AliasFact("digits", "production", "u", 1, "Moved", "m-1.1", AT),
            AliasFact("digits", "production", "u", 2, "Served", "m-1.1", AT),
            AliasFact("digits", "production", "u", 3, "Moved", "m-1.2", AT),
        )
        graph = walk(index, dataset_version("d-v0"), "down")
        assert [str(node.id) for node, _ in graph.nodes] == [
            "datasetversion/d-v0",
            "trainingrun/r@u",
            "modelversion/m-1.1",
            "alias/digits:production",
            "registeredmodel/digits",
        ]
        link = next(link for link in graph.links if link.edge.relation == "answered")
        assert link.intervals == (Interval(AT),)
        asked = walk(index, alias_of("digits", "production"), "up", depth=1)
        assert {(link.edge.source.name, link.edge.relation) for link in asked.links} == {
            ("m-1.1", "answered"),
            ("m-1.2", "asked for"),
        }

    def test_an_alias_without_a_history(self):
        """Nothing is known of it."""
        assert index_of().timeline(alias_of("a", "b")) == ((), ())


class TestWalk:
    def test_never_sideways(self):
        """What else was made of the same data is neither above nor below a version."""
        index = index_of(run("a", made="m-1.1", dataset="d-v0"), run("b", made="m-1.2", dataset="d-v0"))
        assert "modelversion/m-1.2" not in names(walk(index, model_version("m-1.1"), "both"))

    def test_depth(self):
        """Steps away from the root, with a word where there is more."""
        index = index_of(*(version(f"m-v{n}", lineage={"parents": [f"m-v{n - 1}"]}) for n in range(1, 10)))
        graph = walk(index, model_version("m-v5"), "both", depth=2)
        assert {node.id.name: far for node, far in graph.nodes} == {
            "m-v5": 0,
            "m-v4": -1,
            "m-v3": -2,
            "m-v6": 1,
            "m-v7": 2,
        }
        assert graph.is_cut
        assert not walk(index, model_version("m-v5"), "both").is_cut
        assert not walk(index, model_version("m-v5"), "up", depth=5).is_cut

    def test_a_limit_of_nodes(self):
        """Everybody's data has an answer, too, and it says that it is not all."""
        index = index_of(*(run(f"r{n}", dataset="d-v0") for n in range(20)))
        graph = walk(index, dataset_version("d-v0"), "down", limit=10)
        assert (len(graph.nodes), graph.is_cut) == (10, True)
        assert all(link.edge.target in {node.id for node, _ in graph.nodes} for link in graph.links)

    def test_the_order_does_not_depend_on_what_came_in_first(self):
        """Nearest first, then by time, then by name: the same question twice has the same answer."""
        facts = [run(f"r{n}", dataset="d-v0", made=f"m-1.{n}") for n in range(5)]
        one, other = (walk(index_of(*some), dataset_version("d-v0"), "down") for some in (facts, facts[::-1]))
        assert (one.nodes, one.links) == (other.nodes, other.links)
        assert [node.id.name for node, far in one.nodes if far == 1] == ["r0", "r1", "r2", "r3", "r4"]

    def test_a_cycle(self):
        """Declared lineage can go round; the walk does not."""
        index = index_of(
            version("m-v0", lineage={"parents": ["m-v1"]}), version("m-v1", lineage={"parents": ["m-v0", "m-v1"]})
        )
        graph = walk(index, model_version("m-v0"), "both")
        assert names(graph) == {"modelversion/m-v0", "modelversion/m-v1"}
        assert len(graph.links) == 3

    def test_something_that_nobody_spoke_of(self):
        """The root alone, not known."""
        graph = walk(Index(), model_version("m-v0"), "both")
        assert [(node.known, far) for node, far in graph.nodes] == [(False, 0)]


small = st.integers(0, 4)
version_facts = st.builds(
    lambda number, parents, data, by, uid: version(
        f"m-v{number}",
        lineage={
            "parents": [f"m-v{n}" for n in parents],
            "datasets": [{"version": f"d-v{n}"} for n in data],
            **({"run": {"trainingRun": f"r{by}", **({"uid": f"u{uid}"} if uid else {})}} if by else {}),
        },
    ),
    small,
    st.lists(small, max_size=2),
    st.lists(small, max_size=2),
    st.integers(0, 2),
    st.integers(0, 2),
)
dataset_facts = st.builds(
    lambda n, of: version(f"d-v{n}", "datasets", derivedFrom=[f"d-v{m}" for m in of]),
    small,
    st.lists(small, max_size=2),
)
run_facts = st.builds(
    lambda n, uid, made, data, package: run(
        f"r{n}", f"u{uid}", f"m-v{made}", dataset=f"d-v{data}", package=f"m-v{package}"
    ),
    st.integers(1, 2),
    st.integers(1, 2),
    small,
    small,
    small,
)
alias_facts = st.builds(
    lambda sequence, event, n: AliasFact("m", "a", "u", sequence, event, "" if event == "Removed" else f"m-v{n}", AT),
    st.integers(1, 6),
    st.sampled_from(["Moved", "Served", "Removed"]),
    small,
)


def unique(facts):
    """As in a bucket: one record for each key."""
    return list({_key(fact): fact for fact in facts}.values())


def _key(fact):
    match fact:
        case VersionFact():
            return fact.family, fact.name
        case RunFact():
            return "run", fact.name, fact.uid
        case AliasFact():
            return "alias", fact.sequence


records = st.lists(st.one_of(version_facts, dataset_facts, run_facts, alias_facts), max_size=14).map(unique)


def naive_edges(facts, asked):
    """Every edge as the records say it, by going through all of them; `asked` is the node that is asked about."""
    found = {}
    runs = {(fact.name, fact.uid): fact for fact in facts if isinstance(fact, RunFact)}
    for (name, uid), fact in runs.items():
        node = training_run(name, uid)
        found[Edge(dataset_version(fact.inputs["dataset"]), node, "trained on")] = True
        found[Edge(model_version(fact.inputs["package"]), node, "package")] = True
        found[Edge(node, model_version(fact.version), "made by")] = True
    for fact in facts:
        if not isinstance(fact, VersionFact):
            continue
        if fact.family == "datasets":
            for other in fact.spec["derivedFrom"]:
                found[Edge(dataset_version(other), dataset_version(fact.name), "derived from")] = False
            continue
        node, lineage = model_version(fact.name), fact.spec["lineage"]
        makers = [run for run in runs.values() if run.version == fact.name]
        inputs = {name for run in makers for name in run.inputs.values()}
        for other in lineage["parents"]:
            if other not in inputs:
                found[Edge(model_version(other), node, "parent")] = False
        for data in lineage["datasets"]:
            if data["version"] not in inputs:
                found[Edge(dataset_version(data["version"]), node, "trained on")] = False
        by = lineage.get("run")
        if by and by["trainingRun"] not in {run.name for run in makers}:
            found[Edge(training_run(by["trainingRun"], by.get("uid", "")), node, "made by")] = False
    found |= {
        Edge(training_run(name, uid), training_run(name), "named"): False
        for name, uid in runs
        if asked == training_run(name) or any(edge.source == training_run(name) for edge in found)
    }
    served = {fact.version for fact in facts if isinstance(fact, AliasFact) and fact.event == "Served"}
    moved = {fact.version for fact in facts if isinstance(fact, AliasFact) and fact.event == "Moved"}
    for name in served | moved:
        found[Edge(model_version(name), alias_of("m", "a"), "answered" if name in served else "asked for")] = True
    if any(isinstance(fact, AliasFact) for fact in facts):
        found[Edge(alias_of("m", "a"), NodeId("registeredmodel", "m"), "of")] = True
    return found


def naive_walk(edges, root, *, up):
    """Everything that can be reached, by repeating until nothing is new."""
    reached = {root}
    while True:
        more = {edge.source if up else edge.target for edge in edges if (edge.target if up else edge.source) in reached}
        if more <= reached:
            return reached
        reached |= more


@given(records, st.randoms(use_true_random=False))
def test_the_index_is_a_naive_search_whatever_the_order(facts, random):
    """Added in any order, some of them twice, the index gives exactly the edges that the records say, and a walk
    exactly what can be reached along them; asking in between changes nothing.
    """
    order = [*facts, *random.sample(facts, len(facts) // 2)]
    random.shuffle(order)
    index = Index()
    for fact in order:
        add(index, fact)
        walk(index, model_version("m-v0"), "both")
    roots = [
        model_version("m-v0"),
        dataset_version("d-v1"),
        training_run("r1", "u1"),
        training_run("r1"),
        alias_of("m", "a"),
    ]
    for root in roots:
        edges = naive_edges(facts, root)
        for direction, up in (("up", True), ("down", False)):
            graph = walk(index, root, direction)
            reached = naive_walk(edges, root, up=up)
            assert {node.id for node, _ in graph.nodes} == reached
            within = {
                edge: recorded for edge, recorded in edges.items() if edge.source in reached and edge.target in reached
            }
            assert {link.edge: link.recorded for link in graph.links}.items() <= within.items()
            near = {edge for edge in within if (edge.target if up else edge.source) in reached}
            assert {link.edge for link in graph.links} == near
