"""The exception tree: what can go wrong, and who has to act.

    ModelSyncError
    ├── ConfigError            a flag or variable is wrong; the message names it and the fix
    ├── KubeError              the API server answered with an error (see `runtime.kube`)
    ├── LeaseLost              another operator leads; this process must stop acting and exit
    └── UsageError             a command line is wrong

The worker has a tree of its own (`worker.common.failures`): its errors carry a `Reason` and become an exit
code and a termination message.
"""


class ModelSyncError(Exception):
    """Root of the errors that modelsync raises on purpose."""


class ConfigError(ModelSyncError):
    """A flag or environment variable is wrong; the message names it and the fix."""


class KubeError(ModelSyncError):
    """The Kubernetes API refused or failed a request."""


class LeaseLost(ModelSyncError):
    """Another operator holds the lease; this one must stop at once."""


class UsageError(ModelSyncError):
    """A command line is wrong; the message names the argument and the fix."""
