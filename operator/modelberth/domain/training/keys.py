"""The key of a run: equal for runs that would do the same, so that the second one need not be done."""

import hashlib
import json

from modelberth.domain.training.inputs import Data, Inputs
from modelberth.domain.training.template import Settled
from modelberth.training import HARNESS_FORMAT


def run_key(inputs: Inputs, settled: Settled) -> str:
    """SHA-256, in hex, over what decides what comes out, as canonical JSON.

    Versions count by their digest and not by their names; of Secrets only where their values are. The image counts as
    it is asked for: a tag that moved is the same image.
    """
    text = json.dumps(
        {
            "harness": HARNESS_FORMAT,
            "artifact": inputs.artifact,
            "major": inputs.major,
            "package": inputs.package_digest,
            "dataset": _data(inputs.dataset),
            "evaluation": None if inputs.evaluation is None else _data(inputs.evaluation),
            "image": inputs.image,
            "parameters": settled.parameters,
            "secrets": settled.secrets,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _data(data: Data) -> list[str]:
    return [data.digest, data.folder]
