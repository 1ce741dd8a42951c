"""Every reason of the closed vocabulary: what it means and what fixes it.

The reference of reasons is made of this, and every door shows it as the remedy of a state. The operator never
prints it, since its own messages name the fields and values of the case at hand.
"""

from modelsync.api.reasons import QueueReason, Reason

_NOTHING = "Nothing: this is the ordinary course."
_ITSELF = "It retries by itself."

STATES: dict[Reason, tuple[str, str]] = {
    Reason.QUEUED: ("It waits in its queue; `status.queue` tells the place and why.", _NOTHING),
    Reason.STARTING: ("Its worker's Pod is being started, or runs and has not reported yet.", _NOTHING),
    Reason.RESOLVING: (
        "The worker lists the source's files; `status.progress.stageProgress` counts them.",
        _NOTHING,
    ),
    Reason.CHECKING: (
        "The worker hashes what lies on the volume already; `status.progress.stageProgress` counts it.",
        _NOTHING,
    ),
    Reason.DOWNLOADING: ("Files are being fetched.", _NOTHING),
    Reason.VERIFYING: ("Files are being verified and published.", _NOTHING),
    Reason.BACKING_OFF: (
        "An attempt failed (`status.lastFailure`) and another one follows at `status.nextRetryTime`.",
        "Fix what `status.lastFailure` names, if anything; the retry annotation skips the wait.",
    ),
    Reason.SYNCED: ("All files are verified and published.", _NOTHING),
    Reason.STOPPING: (
        "`spec.suspend` or `spec.cancel` is true; its worker ends and leaves its last report.",
        _NOTHING,
    ),
    Reason.PAUSED: ("`spec.suspend` is true.", "Set `spec.suspend` to false to go on."),
    Reason.CANCELLED: ("`spec.cancel` is true.", "Set `spec.cancel` to false to start again."),
}
ORIGIN: dict[Reason, tuple[str, str]] = {
    Reason.RETRYING: (
        "An Event's reason: requests fail and are tried again inside the attempt, and nothing came meanwhile."
        " `status.progress.retrying` tells what, which try of how many, and when the next one is.",
        f"{_ITSELF} Look at the origin that the message names.",
    ),
    Reason.DOWNLOAD_STALLED: (
        "While Downloading, no byte has come for 30 seconds; the worker keeps trying.",
        "Look at the origin and the network. `spec.progressDeadlineSeconds` ends the attempt.",
    ),
    Reason.DOWNLOAD_TOO_SLOW: (
        "Fewer bytes came than the SyncQueue's `minimumRate` asks for. Such an attempt counts as failed even"
        " if it got further.",
        f"{_ITSELF} Look at the origin, the network and the volume, or name a queue without a `minimumRate`.",
    ),
    Reason.NETWORK_ERROR: (
        "The origin cannot be reached (name, route, TLS or a broken connection), or does not answer in time.",
        f"{_ITSELF} Look at DNS, proxies, network policies and the certificate authority; for an origin that"
        " was reached and needs longer, at `worker.timeoutSeconds`.",
    ),
    Reason.RATE_LIMITED: (
        "The origin limits requests: 429, SlowDown of S3, or an error with Retry-After, RateLimit or"
        " X-RateLimit-Reset. While Downloading, it has named a time, and the worker waits until then"
        " (`status.progress.retrying.nextTime`); up to five minutes of that in a row spend no try. As"
        " `lastFailure`, it went on to refuse.",
        f"{_ITSELF} A token, a mirror or a smaller `maxActive` of the queue helps.",
    ),
    Reason.ORIGIN_ERROR: (
        "The origin answered with errors of its own (5xx), or with a page or an error in place of the file.",
        f"{_ITSELF} Look at the origin, and whether the address is the file's own.",
    ),
}
SOURCE: dict[Reason, tuple[str, str]] = {
    Reason.AUTHENTICATION_FAILED: (
        "The origin does not accept the credentials, or wants some (401).",
        "Fix the Secret that `secretRef` names, or name one; then ask for a retry.",
    ),
    Reason.ACCESS_DENIED: (
        "The credentials are known and may not read this (403): a gated repository, a bucket policy.",
        "Ask for access with the same account, or use another token; then ask for a retry.",
    ),
    Reason.NOT_FOUND: (
        "The repository, bucket or file does not exist, is hidden from these credentials, or is a Git LFS"
        " pointer without the file that it stands for.",
        "Correct the name in a new ModelSync, give credentials that may see it, or put the file there.",
    ),
    Reason.REVISION_NOT_FOUND: (
        "The repository is there and has no such branch, tag or commit.",
        "Create another ModelSync with a revision that exists.",
    ),
    Reason.DOWNLOADS_DISABLED: (
        "`DISABLE_MODEL_DOWNLOADS` is set where the worker or `modelsync pull` runs.",
        "Unset it there.",
    ),
    Reason.NOTHING_MATCHED: (
        "The source holds no file that the patterns let through.",
        "Create another ModelSync with other `allowPatterns` and `ignorePatterns`.",
    ),
    Reason.UNSAFE_PATH: (
        "A path of the source would leave the target, collide or take our own folder; or on the volume lies"
        " something else than a file or a directory where one is needed.",
        "Leave the file out by `ignorePatterns` in a new ModelSync, or rename it at the source; or remove"
        " from the volume what the message names.",
    ),
    Reason.ADDRESS_FORBIDDEN: (
        "The source's host, or one that it redirects to, has an address that workers may not reach.",
        "Name another host in a new ModelSync, or have the administrator allow the address.",
    ),
    Reason.INVALID_SPEC: (
        "The specification passed the API server and still makes no sense; the message tells the field.",
        "Correct that field.",
    ),
}
INTEGRITY: dict[Reason, tuple[str, str]] = {
    Reason.CHECKSUM_MISMATCH: (
        "A file's checksum is not the one the source told, also after it was fetched again.",
        "Nothing wrong was published. Find out who changed the file on its way; then ask for a retry.",
    ),
    Reason.SIZE_MISMATCH: (
        "A file has another size than the source, or `size`, told.",
        "Correct `size`, or fix the origin; then ask for a retry.",
    ),
    Reason.SOURCE_CHANGED: (
        "A file was replaced at the source while it was fetched.",
        f"{_ITSELF} The next attempt takes the new state as a whole; a check of what was published fails.",
    ),
}
VOLUME: dict[Reason, tuple[str, str]] = {
    Reason.INSUFFICIENT_STORAGE: (
        "The files do not fit on the volume.",
        "Enlarge the claim, free space or narrow `allowPatterns`; then ask for a retry.",
    ),
    Reason.VOLUME_NOT_FOUND: (
        "The claim does not exist or its volume cannot be mounted.",
        "Create the claim; the sync goes on by itself.",
    ),
    Reason.VOLUME_NOT_WRITABLE: (
        "The worker may not write to the target directory; the message names its user and groups.",
        "Use a storage class that honours fsGroup, make the directory writable, or choose as whom the worker"
        " runs (`spec.podTemplate.securityContext`); then ask for a retry.",
    ),
    Reason.SECRET_NOT_FOUND: (
        "The Secret that `secretRef` names does not exist in the namespace, or lacks its key.",
        "Create it; a sync that waits for it goes on by itself, a failed one after a retry.",
    ),
    Reason.TARGET_BUSY: (
        "Another worker writes to the same directory.",
        f"{_ITSELF} Give each ModelSync a `subPath` of its own.",
    ),
    Reason.UNFINISHED_FILES_LEFT: (
        "An Event only: a ModelSync was deleted before its end, and its unfinished files stay on the volume.",
        "A ModelSync into the same directory uses and then removes them; else run `modelsync clean`.",
    ),
}
PLATFORM: dict[Reason, tuple[str, str]] = {
    Reason.WORKER_UNSCHEDULABLE: (
        "No node takes the worker's Pod; the message is the scheduler's.",
        "Change `spec.podTemplate`, or free or add a node; it goes on by itself.",
    ),
    Reason.IMAGE_PULL_FAILED: (
        "The worker's image cannot be pulled.",
        "Correct the operator's worker image, or name pull Secrets in `spec.podTemplate.imagePullSecrets`.",
    ),
    Reason.WORKER_OOM_KILLED: (
        "The worker exceeded its memory limit.",
        f"{_ITSELF} Raise `spec.podTemplate.resources.limits.memory`.",
    ),
    Reason.WORKER_EVICTED: (
        "The node was drained or put the worker out, or the worker exceeded a limit of local storage.",
        f"{_ITSELF} A drain uses up no attempt; a limit does: the message names it and the field to change.",
    ),
    Reason.WORKER_LOST: ("The worker was killed, or its node was lost.", f"{_ITSELF} What it had is kept."),
    Reason.NODE_LOST: (
        "The worker's node does not report, or does not confirm that the worker ended.",
        "It goes on by itself when the node is back or its Node object is deleted;"
        " see [a lost node](../howto/lost-nodes.md).",
    ),
    Reason.JOB_REJECTED: (
        "The cluster refuses the worker's Job or Pod: a quota, a policy, a webhook that is down.",
        "Read the message; raise the quota, correct the policy or the webhook. It holds no slot until it is"
        " tried again (`status.nextRetryTime`); any change of the ModelSync tries it at once.",
    ),
    Reason.NAME_CONFLICT: (
        "A Job of the needed name exists and belongs to somebody else.",
        "Delete that Job, or create the ModelSync under another name.",
    ),
    Reason.FOREIGN_WORKER: (
        "A Job or Pod carries the labels or the owner of the operator's workers, but the operator did not"
        " make it. It is ignored: it decides nothing and holds no slot.",
        "Find out who made it, and delete it. The chart's policies (`admissionPolicy.enabled`) refuse such"
        " objects.",
    ),
    Reason.NAMESPACE_PROTECTED: (
        "The ModelSync lies in a namespace of Kubernetes itself (kube-system, kube-public, kube-node-lease)"
        " or in the operator's own; no worker starts there.",
        "Create the ModelSync and its claim in a namespace of your own.",
    ),
    Reason.DEADLINE_EXCEEDED: (
        "The attempt took longer than `spec.activeDeadlineSeconds`.",
        f"{_ITSELF} What was fetched is kept. Raise the limit if it is too low.",
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: (
        "The attempt made no progress for `spec.progressDeadlineSeconds`: no entry of the listing, no byte"
        " that came or was read on the volume, no published file; or its worker, once heard of, reported"
        " nothing new for a minute longer than that. `status.lastFailure.message` tells which.",
        f"{_ITSELF} Look at the origin and the network, or at the volume and the node.",
    ),
    Reason.REPORT_MISSING: (
        "The worker ended well and its termination report is lost, so nobody knows what it published.",
        f"{_ITSELF} Another attempt checks what is on the volume and fetches nothing twice.",
    ),
    Reason.INTERRUPTED: ("The worker was asked to stop by somebody else than the operator.", _ITSELF),
    Reason.INTERNAL_ERROR: (
        "A defect of modelsync, or an exit code that it does not know.",
        "Read the worker's log and report it, please. It retries by itself.",
    ),
}
GROUPS: dict[str, dict[Reason, tuple[str, str]]] = {
    "Where it stands": STATES,
    "The network and the origin": ORIGIN,
    "The source": SOURCE,
    "Integrity": INTEGRITY,
    "Volume and Secret": VOLUME,
    "The worker's Pod and time limits": PLATFORM,
}
QUEUE: dict[QueueReason, tuple[str, str]] = {
    QueueReason.CONCURRENCY_LIMIT: (
        "All slots of the queue are taken.",
        "Wait, raise the SyncQueue's `maxActive`, or raise `spec.priority`.",
    ),
    QueueReason.NAMESPACE_LIMIT: (
        "The namespace holds as many slots of the queue as its `maxActivePerNamespace` allows.",
        "Wait until another ModelSync of the namespace ends, or raise `maxActivePerNamespace`.",
    ),
    QueueReason.SUSPENDED: ("The SyncQueue's `suspend` is true.", "Set it to false."),
    QueueReason.QUEUE_NOT_FOUND: (
        "No SyncQueue of the name in `spec.queue` exists in the operator's namespace.",
        "Create it, or correct `spec.queue`.",
    ),
    QueueReason.DUPLICATE: (
        "Another ModelSync is writing to the same directory, or to one inside or around it.",
        "Wait, or give each ModelSync a `subPath` of its own.",
    ),
    QueueReason.BACK_OFF: (
        "The last attempt failed; the next one starts at `status.nextRetryTime`.",
        "Wait, or set the retry annotation.",
    ),
    QueueReason.DOWNLOADS_DISABLED: (
        "The operator runs with `DISABLE_MODEL_DOWNLOADS`: nothing starts, and what runs goes on.",
        "Ask whoever runs the operator; the chart's value is `config.disableModelDownloads`.",
    ),
}
