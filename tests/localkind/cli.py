"""The command line: the commands of kind that pytest-kind uses, and a few of our own.

Progress goes to stderr, answers to stdout. A failure is one sentence and exit status 1.
"""

import argparse
import json
import signal
from pathlib import Path

from . import cluster as records
from . import components, lifecycle, loading, logs, tools, userconfig
from .cluster import LEVELS
from .host import LocalkindError, say

DEFAULT_NAME = "kind"


def main() -> int:
    """Run one command and return the exit status."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except LocalkindError as error:
        say(f"ERROR: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localkind", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_create(verbs)
    _add_delete(verbs)
    _add_get(verbs)
    _add_load(verbs)
    _add_export(verbs)
    _add_components(verbs)
    _add_tools(verbs)
    return parser


def _add_create(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = verbs.add_parser("create", help="create a cluster").add_subparsers(required=True, metavar="KIND")
    command = create.add_parser("cluster", help="start a cluster and wait until it is ready")
    _name(command)
    command.add_argument("--kubeconfig", default=userconfig.default_path(), help="file that gets an entry for it")
    command.add_argument("--level", choices=LEVELS, default="node", help="with or without a node (default: node)")
    command.add_argument("--retain", action="store_true", help="keep what a failed creation made")
    command.add_argument("--image", help=argparse.SUPPRESS)
    command.add_argument("--config", help=argparse.SUPPRESS)
    command.set_defaults(run=_create)


def _create(arguments: argparse.Namespace) -> None:
    for option in ("image", "config"):  # kind's: refused rather than ignored, a test would run against something else
        if getattr(arguments, option) is not None:
            raise LocalkindError(f"--{option} is kind's and means nothing here: leave it out, or use kind with Docker")
    lifecycle.create(arguments.name, level=arguments.level, kubeconfig=arguments.kubeconfig, retain=arguments.retain)


def _add_delete(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    delete = verbs.add_parser("delete", help="delete a cluster").add_subparsers(required=True, metavar="KIND")
    command = delete.add_parser("cluster", help="remove a cluster and everything of it")
    _name(command)
    command.add_argument("--kubeconfig", help="file that loses its entry, besides the one it was created with")
    command.set_defaults(run=_delete)
    several = delete.add_parser("clusters", help="remove several clusters, interrupted creations too")
    several.add_argument("names", nargs="*", metavar="NAME")
    several.add_argument("--all", action="store_true", help="every cluster of this machine")
    several.set_defaults(run=_delete_several)


def _delete_several(arguments: argparse.Namespace) -> None:
    if arguments.all == bool(arguments.names):
        raise LocalkindError("delete clusters: give either names or --all")
    for name in arguments.names or records.names():
        say(f"deleted cluster {name}" if lifecycle.delete(name) else f"there is no cluster named {name}")


def _delete(arguments: argparse.Namespace) -> None:
    existed = lifecycle.delete(arguments.name, kubeconfig=arguments.kubeconfig)
    say(f"deleted cluster {arguments.name}" if existed else f"there is no cluster named {arguments.name}")


def _add_get(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    get = verbs.add_parser("get", help="show what there is").add_subparsers(required=True, metavar="KIND")
    get.add_parser("clusters", help="names of the clusters").set_defaults(run=_get_clusters)
    info = get.add_parser("info", help="addresses, credentials, folders and processes of a cluster, as JSON")
    _name(info)
    info.set_defaults(run=_get_info)


def _get_clusters(_: argparse.Namespace) -> None:
    up = [name for name in records.names() if (cluster := records.load(name)) is not None and lifecycle.is_up(cluster)]
    if up:
        print("\n".join(up))
    else:
        say("there are no clusters")


def _get_info(arguments: argparse.Namespace) -> None:
    print(json.dumps(lifecycle.describe(records.require(arguments.name)), indent=2))


def _add_load(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    load = verbs.add_parser("load", help="put images into a node").add_subparsers(required=True, metavar="KIND")
    image = load.add_parser("docker-image", help="images of this machine's Docker, or of its buildah")
    image.add_argument("images", nargs="+", metavar="IMAGE")
    _name(image)
    image.set_defaults(run=_load_images)
    archive = load.add_parser("image-archive", help="archives as `docker save` writes them")
    archive.add_argument("archives", nargs="+", type=Path, metavar="FILE")
    _name(archive)
    archive.set_defaults(run=_load_archives)


def _load_images(arguments: argparse.Namespace) -> None:
    for image in arguments.images:
        loading.load_image(records.require(arguments.name), image)


def _load_archives(arguments: argparse.Namespace) -> None:
    for archive in arguments.archives:
        loading.load_archive(records.require(arguments.name), archive)


def _add_export(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = verbs.add_parser("export", help="write out what a cluster knows").add_subparsers(
        required=True, metavar="KIND"
    )
    command = export.add_parser("logs", help="logs of components and pods, objects and events")
    command.add_argument("folder", type=Path, help="where to; made when it is not there")
    _name(command)
    command.set_defaults(run=_export_logs)


def _export_logs(arguments: argparse.Namespace) -> None:
    logs.export(records.require(arguments.name), arguments.folder)


def _add_components(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    stop = verbs.add_parser("stop", help="end one component of a cluster, to see what its absence does")
    stop.add_argument("component", help="for example kube-apiserver or minio")
    _name(stop)
    stop.add_argument("--signal", default="SIGKILL", choices=[number.name for number in signal.Signals])
    stop.set_defaults(run=_stop)
    start = verbs.add_parser("start", help="start a stopped component again")
    start.add_argument("component")
    _name(start)
    start.set_defaults(run=_start)


def _stop(arguments: argparse.Namespace) -> None:
    cluster = records.require(arguments.name)
    components.stop(cluster, arguments.component, signal.Signals[arguments.signal])


def _start(arguments: argparse.Namespace) -> None:
    components.restart(records.require(arguments.name), arguments.component)


def _add_tools(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    build = verbs.add_parser("build", help="build the programs into the cache")
    build.add_argument("tool", nargs="*", help="components or programs (default: all)")
    build.set_defaults(run=_build)
    path = verbs.add_parser("path", help="print the folder of the programs (kubectl, helm, …)")
    path.set_defaults(run=lambda _: print(tools.bin_folder()))


def _build(arguments: argparse.Namespace) -> None:
    print(tools.ensure(arguments.tool or [component.name for component in tools.COMPONENTS]))


def _name(command: argparse.ArgumentParser) -> None:
    command.add_argument("--name", default=DEFAULT_NAME, help=f"the cluster's name (default: {DEFAULT_NAME})")
