"""All commands, with where each is and its line in the help: which is shown without loading any of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One command."""

    module: str
    help: str
    """The first sentence of its own help."""
    name: str = "command"
    """What the module calls it."""


_VERBS = "modelsync.kubectl.verbs"
_CLI = "modelsync.cli"
_STEERING = f"{_VERBS}.steering"
IN_PODS = "What runs in Pods"
SECTIONS: dict[str, dict[str, Entry]] = {
    "ModelSyncs in a cluster (also as `kubectl modelsync`)": {
        "get": Entry(module=f"{_VERBS}.get", help="List ModelSyncs with their progress."),
        "status": Entry(
            module=f"{_VERBS}.status",
            help="Show one ModelSync: progress, files, attempts, conditions, Events, and what to do.",
        ),
        "watch": Entry(
            module="modelsync.kubectl.watch.command",
            help="Watch ModelSyncs on a live screen, with keys that pause, cancel or retry them.",
        ),
        "pause": Entry(module=_STEERING, name="pause", help="Stop downloads and keep what they have."),
        "resume": Entry(module=_STEERING, name="resume", help="Go on with what was paused or cancelled."),
        "cancel": Entry(
            module=_STEERING,
            name="cancel",
            help="End downloads for good; what they have stays on the volume.",
        ),
        "retry": Entry(
            module=_STEERING,
            name="retry",
            help="Try again what failed, at once; of a complete one, check its files.",
        ),
        "prioritize": Entry(
            module=_STEERING,
            name="prioritize",
            help="Set the priority within the queue, from -1000 to 1000; higher goes first.",
        ),
        "limit": Entry(
            module=_STEERING,
            name="limit",
            help="Limit the speed to RATE bytes per second, such as 50M; none lifts the limit.",
        ),
        "queue": Entry(
            module=f"{_VERBS}.queue", help="Show the queues: slots, who runs, who waits for what."
        ),
        "top": Entry(
            module=f"{_VERBS}.top", help="Show the speed of each download, and the network of each node."
        ),
        "create": Entry(
            module=f"{_VERBS}.create",
            help="Create a ModelSync from hf://org/name[@revision], s3://bucket/prefix or https://host/file.",
        ),
        "dashboard": Entry(
            module=f"{_CLI}.dashboard",
            help="Serve the web page and the REST API with your own rights.",
        ),
        "wait": Entry(module=f"{_VERBS}.wait", help="Wait until all are over"),
        "events": Entry(module=f"{_VERBS}.events", name="events", help="List the Events of a ModelSync."),
        "logs": Entry(
            module=f"{_VERBS}.events", name="logs", help="Print the log of the newest worker of a ModelSync."
        ),
        "check": Entry(module=f"{_VERBS}.check", help="Check what downloads need"),
        "prune": Entry(
            module=f"{_VERBS}.prune",
            help="Delete ModelSyncs that are over; published files stay where they are.",
        ),
        "report": Entry(
            module=f"{_VERBS}.report",
            help="Write a file with objects, Events and logs for a report of a problem, without secrets.",
        ),
        "completion": Entry(
            module=f"{_VERBS}.version",
            name="completion",
            help="Print a script for the shell that completes verbs, options and names.",
        ),
        "version": Entry(
            module=f"{_VERBS}.version",
            name="version",
            help="Print the version of this program, of the API and of the cluster.",
        ),
    },
    "Without a cluster": {
        "clean": Entry(
            module=f"{_CLI}.clean",
            help="List the unfinished files of ModelSyncs below DIRECTORY, a volume or a part of one.",
        ),
        "config": Entry(module=f"{_CLI}.config", help="Check the operator's configuration."),
        "crds": Entry(
            module=f"{_CLI}.crds", help="Write the CRDs into DIRECTORY (crds), one YAML file each."
        ),
        "pull": Entry(
            module=f"{_CLI}.pull",
            help="Fetch a model without a cluster.",
        ),
    },
    IN_PODS: {
        "web": Entry(
            module=f"{_CLI}.web",
            help="Serve the web page and the REST API to callers who bring their own token of the cluster.",
        ),
        "operator": Entry(
            module=f"{_CLI}.operator",
            help="Run the operator: watch ModelSyncs, start workers, report their progress.",
        ),
        "worker": Entry(
            module=f"{_CLI}.worker", help="Carry out one work request: the operator's Jobs run this."
        ),
    },
}
ALL: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
FOR_PEOPLE: dict[str, Entry] = {
    name: entry for title, section in SECTIONS.items() if title != IN_PODS for name, entry in section.items()
}
"""Those that a person runs."""
