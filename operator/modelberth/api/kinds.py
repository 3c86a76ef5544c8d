"""All kinds, in the order in which they are written down."""

from typing import Final

from modelberth.api.kinds_content import DATASET, DATASET_VERSION, MODEL_ARTIFACT, MODEL_VERSION, TRANSFER_SESSION
from modelberth.api.kinds_serving import MODEL_DEPLOYMENT, REGISTERED_MODEL
from modelberth.api.kinds_training import TRAINING_PIPELINE, TRAINING_RUN

KINDS: Final = (
    MODEL_ARTIFACT,
    MODEL_VERSION,
    DATASET,
    DATASET_VERSION,
    TRAINING_PIPELINE,
    TRAINING_RUN,
    REGISTERED_MODEL,
    MODEL_DEPLOYMENT,
    TRANSFER_SESSION,
)
