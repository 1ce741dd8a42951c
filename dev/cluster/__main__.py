"""The command line: `python -m dev.cluster VERB`, run from the repository root."""

import argparse
import os
import pathlib
import sys
import typing

from dev.cluster import commands, disks, health, layout, lifecycle, preflight


def main() -> int:
    """Run one verb; return 0, 1 for a failure, 2 for a refusal before anything was changed."""
    arguments = _parser().parse_args()
    try:
        preflight.check_name(arguments.name)
        return int(arguments.run(arguments) or 0)
    except layout.ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    start = _verb(verbs, "start", _start, "bring the cluster up; repairs a broken one")
    start.add_argument("--nodes", type=int, default=2)
    words = "let pods reach what this machine reaches (default: nothing leaves the cluster)"
    start.add_argument("--uplink", action="store_true", help=words)
    _verb(verbs, "stop", _stop, "remove the cluster and every trace of it")
    _verb(verbs, "status", _status, "show daemons, nodes and DNS; exit code 0 only if all is well")
    _verb(verbs, "kubeconfig", _kubeconfig, "print the path of the administrator's kubeconfig")
    load = _verb(verbs, "load-image", _load_image, "import image archives into all nodes")
    load.add_argument("archives", nargs="+", type=pathlib.Path, metavar="ARCHIVE")
    disk = _verb(verbs, "disk", _disk, "make a small real disk; prints its storage class", option="--cluster")
    disk.add_argument("--size", required=True, help="for example 64Mi")
    disk.add_argument("--name", dest="disk_name", required=True, help="the disk's name")
    disk.add_argument("--node", default="node-1")
    logs = _verb(verbs, "logs", _logs, "print the log of a component")
    logs.add_argument("component")
    run = _verb(verbs, "exec", _exec, "run a command inside the cluster's network")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    _verb(verbs, "shell", _shell, "run your shell inside the cluster's network")
    return parser


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: typing.Callable[[argparse.Namespace], int | None],
    text: str,
    option: str = "--name",
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text)
    # Inside `exec`, every further command means the cluster it runs in.
    default = os.environ.get("MODELSYNC_DEV_CLUSTER", layout.DEFAULT_NAME)
    words = "the cluster's name (default: %(default)s)"
    parser.add_argument(option, dest="name", default=default, help=words)
    parser.set_defaults(run=run)
    return parser


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _start(arguments: argparse.Namespace) -> None:
    lifecycle.start(layout.Cluster(arguments.name, arguments.nodes, arguments.uplink), _report)


def _stop(arguments: argparse.Namespace) -> None:
    lifecycle.stop(lifecycle.saved(arguments.name), _report)


def _status(arguments: argparse.Namespace) -> int:
    rows = health.table(lifecycle.saved(arguments.name))
    for name, state, _ in rows:
        print(f"{name:<26}{state}")
    return 0 if all(well for *_, well in rows) else 1


def _kubeconfig(arguments: argparse.Namespace) -> None:
    print(_started(arguments).kubeconfig)


def _load_image(arguments: argparse.Namespace) -> None:
    lifecycle.load_images(_started(arguments), arguments.archives)


def _disk(arguments: argparse.Namespace) -> None:
    cluster = _started(arguments)
    print(disks.create(cluster, arguments.disk_name, arguments.size, arguments.node))


def _logs(arguments: argparse.Namespace) -> None:
    log = _started(arguments).log(arguments.component)
    if not log.exists():
        known = ", ".join(sorted(file.stem for file in log.parent.glob("*.log")))
        raise layout.ClusterError(f"no component {arguments.component!r}; there are {known}", 2)
    sys.stdout.write(log.read_text(errors="replace"))


def _shell(arguments: argparse.Namespace) -> None:
    _enter(_started(arguments), [os.environ.get("SHELL", "/bin/sh")])


def _exec(arguments: argparse.Namespace) -> None:
    command = arguments.command[arguments.command[:1] == ["--"] :]
    if not command:
        raise layout.ClusterError("say what to run: exec -- COMMAND", exit_code=2)
    _enter(_started(arguments), command)


def _enter(cluster: layout.Cluster, command: list[str]) -> typing.NoReturn:
    """Become the command, so that its signals and its exit code are its own."""
    preflight.check_root()
    environment = {
        **layout.LESS_COLLECTING,
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        # kubectl keeps what it learned by address, and all clusters of this tool have the same.
        "KUBECACHEDIR": str(cluster.folder / "kubectl-cache"),
        "MODELSYNC_DEV_CLUSTER": cluster.name,
        "MODELSYNC_ORIGIN_HOST": layout.ORIGIN_ADDRESS,
        "PATH": f"{layout.binaries_folder()}:{os.environ['PATH']}",
    }
    enter = commands.inside(cluster, *command)
    sys.stdout.flush()
    os.execvpe(enter[0], enter, environment)


def _started(arguments: argparse.Namespace) -> layout.Cluster:
    cluster = lifecycle.saved(arguments.name)
    if not cluster.ready_file.exists():
        raise layout.ClusterError(
            f"cluster {cluster.name} is not running; `python -m dev.cluster start` makes it"
        )
    return cluster


if __name__ == "__main__":
    sys.exit(main())
