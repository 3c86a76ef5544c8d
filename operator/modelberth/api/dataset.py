"""Dataset: the sequence of versions of one body of data."""

from modelberth.api.collection import CollectionAliases, CollectionStatus
from modelberth.api.common import Description, SpecModel


class DatasetSpec(SpecModel):
    """What the dataset's aliases stand for. Its versions are counted v0, v1, v2."""

    description: Description | None = None
    """What this data is about."""
    aliases: CollectionAliases = None
    """Names for single versions of this dataset, by alias name. A map, so that several owners can each apply their
    own entry; to take your last one back by plain `kubectl apply`, keep an empty map. The alias latest exists by
    itself."""


class DatasetStatus(CollectionStatus):
    """What the dataset holds, as last observed."""
