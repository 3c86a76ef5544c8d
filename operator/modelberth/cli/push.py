"""Send a folder as a new version of an artifact or a dataset.

Only what the store does not have is sent; a push that was stopped goes on when it is run again; the same content
again gives the version that exists. Makes the ModelArtifact or Dataset when there is none, reserves the next version,
and makes the ModelVersion or DatasetVersion with your own rights. Links inside of the folder are followed; links that
leave it are refused.
"""

import argparse
import json
import sys

from modelberth.cli.arguments import add_place, add_workers
from modelberth.cli.describing import add_description, description_of
from modelberth.cli.display import showing, size
from modelberth.cli.pushing import PushOutcome, PushRequest, not_taken_words, push
from modelberth.cli.session import Place
from modelberth.content.collections import artifact, dataset
from modelberth.transfer.progress import Progress


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="DIR", help="the folder; what is in it becomes the version")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument(
        "--artifact", type=artifact, dest="collection", metavar="NAME", help="the ModelArtifact that gets the version"
    )
    to.add_argument(
        "--dataset", type=dataset, dest="collection", metavar="NAME", help="the Dataset that gets the version"
    )
    parser.add_argument("--alias", metavar="NAME", help="move this alias of the artifact or dataset to the version")
    parser.add_argument("--version", metavar="VERSION", help="such as v4 or 2.0 (default: the next one)")
    parser.add_argument(
        "--versioning",
        choices=("Sequence", "Semantic"),
        help="how a new artifact counts: v0, v1, … or 1.0, 1.1, … (default: Sequence)",
    )
    parser.add_argument(
        "--draft",
        action="store_true",
        help="keep the content and reserve its version, but make no object: the same push without --draft does",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("yaml", "json"),
        help="print the manifests, for Git, instead of making the objects",
    )
    add_description(parser)
    add_workers(parser)
    add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Push; the object's name and the digest, or the manifests, go to stdout."""
    request = PushRequest(
        folder=arguments.folder,
        collection=arguments.collection,
        version=arguments.version,
        versioning=arguments.versioning,
        alias=arguments.alias,
        declare=not arguments.draft and arguments.output is None,
        description=description_of(arguments, arguments.collection.family),
    )
    progress = Progress()
    told: list[str] = []
    with showing(progress, quiet=arguments.quiet):
        outcome = push(request, Place.of(arguments), workers=arguments.workers, progress=progress, tell=told.append)
    for sentence in told:
        print(sentence, file=sys.stderr)
    if warning := not_taken_words(outcome):
        print(f"warning: {warning}", file=sys.stderr)
    print(_sent(outcome), file=sys.stderr)
    if arguments.output:
        print(_manifests(outcome, arguments.output), end="")
    else:
        print(f"{outcome.manifest['metadata']['name']} {outcome.digest}")
    return 0


def _sent(outcome: PushOutcome) -> str:
    return f"{size(outcome.sent_bytes)} sent of {size(outcome.size_bytes)}"


def _manifests(outcome: PushOutcome, form: str) -> str:
    objects = [o for o in (outcome.collection_manifest, outcome.manifest) if o is not None]
    if form == "json":
        whole = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return str(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, explicit_start=True))
