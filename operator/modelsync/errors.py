"""All exceptions of the program but the worker's: what each means, who raises and who handles it.

    Exception
    ├── ModelSyncError              one that is raised on purpose
    │   ├── ConfigError             a setting is wrong. Raised by `settings` and, for a kubeconfig, by
    │   │                           `api_client`, before anything starts; `cli.main` prints it: exit code 2,
    │   │                           never retried
    │   ├── UsageError              a command line is wrong. Raised by `cli` and `settings.environment`;
    │   │                           `cli.main` prints it: exit code 2, never retried
    │   ├── LeaseLost               another operator may lead. Raised by `leader_election`, handled by `app`:
    │   │                           exit code 1, and Kubernetes starts the container again
    │   └── KubeError               the Kubernetes API refused or failed a request
    │       ├── kubectl.problems.CommandError
    │       │                       of the kubectl plugin: its command prints it and fails
    │       └── api_client.ApiError     the only kind. `api_client` never retries, the caller does: lists,
    │           │                       watches, the lease and statuses after a wait, forever; a Job becomes
    │           │                       a StartProblem with the time of the next try, shown in its ModelSync's
    │           │                       status. Without a type of its own it is another 4xx: a refusal
    │           ├── NotFound            404: gone, which is what a deletion wants; else the plan decides again
    │           ├── Conflict            409: the object is read, and what to write is decided again
    │           ├── Expired             410: a list begins again, a few times at once
    │           ├── TooManyRequests     429: retried, not before Retry-After
    │           ├── ServerError         5xx: retried; a Job counts as there until it is known not to be
    │           └── Unreachable         no answer: as ServerError
    ├── supervision.Stopped         the ordered end of the operator, raised and caught by `app`: exit code 0
    ├── worker_client.NoAnswer      a worker does not answer: `progress_poller` asks again later
    ├── web.problems.Problem        the REST API's answer to a request that fails: its status and its message
    ├── guard.Gone                  the client of the REST API went away: there is nothing to answer
    └── ValueError                  a value from outside is wrong
        ├── report_validation.BadReport     a worker's report: as NoAnswer
        ├── parsing.NotOurs         another's object: `cache` and `job_executor` ignore it
        ├── sessions.TooLong        more than a cookie of the REST API holds
        └── acts.NotPossible        an act that makes no sense for a ModelSync now: its message is shown

The worker's are in `worker.common.failures`: they carry a Reason and become an exit code and a termination
report. Any other exception is an error of our own: `supervision` logs it and starts the part again, the
planner and the executor limit it to one object.
"""


class ModelSyncError(Exception):
    """Root of the errors that modelsync raises on purpose."""


class ConfigError(ModelSyncError):
    """A setting is wrong; the message names it and the fix."""


class KubeError(ModelSyncError):
    """The Kubernetes API refused or failed a request."""


class LeaseLost(ModelSyncError):
    """Another operator holds the lease; this one must stop at once."""


class UsageError(ModelSyncError):
    """A command line is wrong; the message names the argument and the fix."""
