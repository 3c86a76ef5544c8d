"""Facts of every kind on their way into an index."""

from modelberth.lineage.facts import AliasFact, RunFact, VersionFact


def add(index, fact):
    """Take a fact."""
    match fact:
        case VersionFact():
            index.add_version(fact)
        case RunFact():
            index.add_run(fact)
        case AliasFact():
            index.add_alias(fact)
