"""Every reason of the closed vocabulary: what it means and what fixes it.

The reference of reasons is made of this, and every door shows it as the remedy of a state. The operator never
prints it, since its own messages name the fields and values of the case at hand.
"""

from modelsync.api.reasons import QueueReason, Reason

NOTHING = "No action needed."
_ITSELF = "Retried automatically."

STATES: dict[Reason, tuple[str, str]] = {
    Reason.QUEUED: ("Waits in its queue; `status.queue` has the position and the cause.", NOTHING),
    Reason.STARTING: ("The worker's Pod is starting, or has not reported yet.", NOTHING),
    Reason.RESOLVING: (
        "The worker lists the source's files; `status.progress.stageProgress` counts them.",
        NOTHING,
    ),
    Reason.CHECKING: (
        "The worker hashes existing files on the volume; `status.progress.stageProgress` counts them.",
        NOTHING,
    ),
    Reason.DOWNLOADING: ("Files are being downloaded.", NOTHING),
    Reason.VERIFYING: ("Files are being verified and published.", NOTHING),
    Reason.BACKING_OFF: (
        "An attempt failed (`status.lastFailure`); the next one starts at `status.nextRetryTime`.",
        "Fix what `status.lastFailure` names, if anything; the retry annotation skips the wait.",
    ),
    Reason.SYNCED: ("All files are verified and published.", NOTHING),
    Reason.STOPPING: (
        "`spec.suspend` or `spec.cancel` is true; the worker stops and writes its termination report.",
        NOTHING,
    ),
    Reason.PAUSED: ("`spec.suspend` is true.", "Set `spec.suspend` to false to resume."),
    Reason.CANCELLED: ("`spec.cancel` is true.", "Set `spec.cancel` to false to start again."),
}
ORIGIN: dict[Reason, tuple[str, str]] = {
    Reason.RETRYING: (
        "Only in Events: requests fail and are retried within the attempt, and no data arrives meanwhile."
        " `status.progress.retrying` has the cause, the number of tries and the time of the next one.",
        f"{_ITSELF} Check the origin that the message names.",
    ),
    Reason.DOWNLOAD_STALLED: (
        "While Downloading, no byte has arrived for 30 seconds; the worker keeps trying.",
        "Check the origin and the network. `spec.progressDeadlineSeconds` ends the attempt.",
    ),
    Reason.DOWNLOAD_TOO_SLOW: (
        "The download was slower than the SyncQueue's `minimumRate`. The attempt counts as failed even if it"
        " made progress.",
        f"{_ITSELF} Check the origin, the network and the volume, or use a queue without a `minimumRate`.",
    ),
    Reason.NETWORK_ERROR: (
        "The origin is unreachable (DNS, routing, TLS or a broken connection) or does not answer in time.",
        f"{_ITSELF} Check DNS, proxies, network policies and CA certificates. If the origin is only slow,"
        " raise `worker.timeout`.",
    ),
    Reason.RATE_LIMITED: (
        "The origin limits requests: 429, SlowDown of S3, or an error with Retry-After, RateLimit or"
        " X-RateLimit-Reset. While Downloading, the worker waits until the time that the origin gave"
        " (`status.progress.retrying.nextTime`); up to five minutes in a row use up no retry. As"
        " `lastFailure`, the origin kept refusing.",
        f"{_ITSELF} A token, a mirror or a smaller `maxActive` of the queue helps.",
    ),
    Reason.ORIGIN_ERROR: (
        "The origin answered with a server error (5xx), or with a page or an error instead of the file.",
        f"{_ITSELF} Check the origin, and whether the URL is the file's own.",
    ),
}
SOURCE: dict[Reason, tuple[str, str]] = {
    Reason.AUTHENTICATION_FAILED: (
        "The origin rejects the credentials or requires some (401).",
        "Correct the Secret in `secretRef`, or set one; then request a retry.",
    ),
    Reason.ACCESS_DENIED: (
        "The credentials are valid but have no access (403): a gated repository, a bucket policy.",
        "Request access for the account, or use another token; then request a retry.",
    ),
    Reason.NOT_FOUND: (
        "The repository, bucket or file does not exist, is hidden from these credentials, or is a Git LFS"
        " pointer without the file that it stands for.",
        "Correct the name in a new ModelSync, give credentials that may see it, or put the file there.",
    ),
    Reason.REVISION_NOT_FOUND: (
        "The repository exists but has no such branch, tag or commit.",
        "Create another ModelSync with a revision that exists.",
    ),
    Reason.DOWNLOADS_DISABLED: (
        "`DISABLE_MODEL_DOWNLOADS` is set where the worker or `modelsync pull` runs.",
        "Unset it there.",
    ),
    Reason.NOTHING_MATCHED: (
        "No file of the source matches the patterns.",
        "Create another ModelSync with other `allowPatterns` and `ignorePatterns`.",
    ),
    Reason.UNSAFE_PATH: (
        "A path of the source would leave the target, collide with another or use modelsync's own"
        " directory; or"
        " the volume has something other than a file or directory where one is needed.",
        "Leave the file out by `ignorePatterns` in a new ModelSync, or rename it at the source; or remove"
        " from the volume what the message names.",
    ),
    Reason.ADDRESS_FORBIDDEN: (
        "The source's host, or a host that it redirects to, has an address that workers may not connect to.",
        "Use another host in a new ModelSync, or ask the administrator to allow the address.",
    ),
    Reason.INVALID_SPEC: (
        "The spec passed the API server but is invalid; the message names the field.",
        "Correct that field.",
    ),
}
INTEGRITY: dict[Reason, tuple[str, str]] = {
    Reason.CHECKSUM_MISMATCH: (
        "A file's checksum differs from the source's, also after a second download.",
        "No wrong file was published. Check for proxies that change responses; then request a retry.",
    ),
    Reason.SIZE_MISMATCH: (
        "A file's size differs from the source's listing or from `size`.",
        "Correct `size` or the origin; then request a retry.",
    ),
    Reason.SOURCE_CHANGED: (
        "A file changed at the source during the download.",
        f"{_ITSELF} The next attempt downloads the new state; a check of published files fails.",
    ),
}
VOLUME: dict[Reason, tuple[str, str]] = {
    Reason.INSUFFICIENT_STORAGE: (
        "The files do not fit on the volume.",
        "Enlarge the PersistentVolumeClaim or free space, then request a retry; or narrow"
        " `allowPatterns` in a new"
        " ModelSync.",
    ),
    Reason.VOLUME_NOT_FOUND: (
        "The PersistentVolumeClaim does not exist or its volume cannot be mounted.",
        "Create the claim; the sync continues automatically.",
    ),
    Reason.VOLUME_NOT_WRITABLE: (
        "The worker may not write to the target directory; the message names its user and groups.",
        "Use a storage class that supports fsGroup, make the directory writable, or set the worker's user"
        " (`spec.podTemplate.securityContext`); then request a retry.",
    ),
    Reason.SECRET_NOT_FOUND: (
        "The Secret in `secretRef` does not exist in the namespace or lacks the key.",
        "Create it; a waiting sync continues automatically, a failed one needs a retry.",
    ),
    Reason.TARGET_BUSY: (
        "Another worker writes to the same directory.",
        f"{_ITSELF} Give each ModelSync a `subPath` of its own.",
    ),
    Reason.UNFINISHED_FILES_LEFT: (
        "Only in Events: a ModelSync was deleted before it was complete; its unfinished files stay on"
        " the volume.",
        "A ModelSync into the same directory uses and removes them; or run [`modelsync"
        " clean`](../howto/clean-up.md).",
    ),
}
PLATFORM: dict[Reason, tuple[str, str]] = {
    Reason.WORKER_UNSCHEDULABLE: (
        "The worker's Pod is unschedulable; the message is the scheduler's.",
        "Change `spec.podTemplate`, or free or add a node; the sync continues automatically.",
    ),
    Reason.IMAGE_PULL_FAILED: (
        "The worker's image cannot be pulled.",
        "Correct the operator's worker image, or set pull Secrets in `spec.podTemplate.imagePullSecrets`.",
    ),
    Reason.WORKER_OOM_KILLED: (
        "The worker exceeded its memory limit.",
        f"{_ITSELF} Raise `spec.podTemplate.resources.limits.memory`.",
    ),
    Reason.WORKER_EVICTED: (
        "The node was drained or evicted the worker, or the worker exceeded a limit of local storage.",
        f"{_ITSELF} A drain uses up no attempt. A limit does; the message names it and the field to change.",
    ),
    Reason.WORKER_LOST: (
        "The worker was killed, or its node was lost.",
        f"{_ITSELF} Downloaded data is kept.",
    ),
    Reason.NODE_LOST: (
        "The worker's node does not report, or does not confirm that the worker ended.",
        "Continues automatically when the node is back or its Node object is deleted;"
        " see [lost nodes](../howto/lost-nodes.md).",
    ),
    Reason.JOB_REJECTED: (
        "The cluster rejects the worker's Job or Pod: a quota, a policy, a failing webhook.",
        "Raise the quota, or correct the policy or webhook that the message names. The sync holds no"
        " slot until the"
        " next try (`status.nextRetryTime`); any change of the ModelSync triggers one at once.",
    ),
    Reason.NAME_CONFLICT: (
        "A Job with the required name exists and has another owner.",
        "Delete that Job, or create the ModelSync under another name.",
    ),
    Reason.FOREIGN_WORKER: (
        "A Job or Pod carries the labels or the owner of the operator's workers, but the operator did not"
        " make it. It is ignored and holds no slot.",
        "Find out who made it, and delete it. The chart's policies (`admissionPolicy.enabled`) refuse such"
        " objects.",
    ),
    Reason.NAMESPACE_PROTECTED: (
        "The ModelSync is in a namespace of Kubernetes (kube-system, kube-public, kube-node-lease) or of the"
        " operator; no worker starts there.",
        "Create the ModelSync and its claim in another namespace.",
    ),
    Reason.DEADLINE_EXCEEDED: (
        "The attempt took longer than `spec.activeDeadlineSeconds`.",
        f"{_ITSELF} Downloaded data is kept. Raise the limit if it is too low.",
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: (
        "The attempt made no progress for `spec.progressDeadlineSeconds`: no listed entry, no byte"
        " received or read on the volume, no published file; or its worker reported nothing new for a minute"
        " longer than that. `status.lastFailure.message` says which.",
        f"{_ITSELF} Check the origin and the network, or the volume and the node.",
    ),
    Reason.REPORT_MISSING: (
        "The worker succeeded but its termination report is lost, so it is unknown what it published.",
        f"{_ITSELF} The next attempt checks the volume and downloads nothing twice.",
    ),
    Reason.INTERRUPTED: ("Something other than the operator stopped the worker.", _ITSELF),
    Reason.INTERNAL_ERROR: (
        "A bug in modelsync, or an unknown exit code.",
        "Retried automatically. Please report it with the worker's log.",
    ),
}
GROUPS: dict[str, dict[Reason, tuple[str, str]]] = {
    "States": STATES,
    "Network and origin": ORIGIN,
    "Source": SOURCE,
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
        "The namespace holds `maxActivePerNamespace` slots of the queue.",
        "Wait until another ModelSync of the namespace ends, or raise `maxActivePerNamespace`.",
    ),
    QueueReason.SUSPENDED: ("The SyncQueue's `suspend` is true.", "Set it to false."),
    QueueReason.QUEUE_NOT_FOUND: (
        "The operator's namespace has no SyncQueue with the name in `spec.queue`.",
        "Create it, or correct `spec.queue`.",
    ),
    QueueReason.DUPLICATE: (
        "Another ModelSync writes to the same directory, a parent or a child of it.",
        "Wait, or give each ModelSync a `subPath` of its own.",
    ),
    QueueReason.BACK_OFF: (
        "The last attempt failed; the next one starts at `status.nextRetryTime`.",
        "Wait, or set the retry annotation.",
    ),
    QueueReason.DOWNLOADS_DISABLED: (
        "The operator's configuration has `attempts.disabled`: nothing starts; running syncs continue.",
        "Ask the administrator; the chart's value is `config.attempts.disabled`.",
    ),
}
