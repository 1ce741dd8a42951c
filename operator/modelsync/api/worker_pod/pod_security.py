"""`spec.podTemplate.securityContext`: as whom the worker writes to the volume.

A file server without user mapping (NFS with root_squash) lets in whom it knows, and OpenShift gives each
namespace a range of its own. What is offered here is what Pod Security `restricted` allows of such choices:
ids but no root, and an SELinux label but no user, role or privileged type. All else of a worker's security
is fixed.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api.common.base import Value
from modelsync.api.common.validations import cel, rules

MOST_ID = 2**31 - 1
"""Of a uid or gid in Kubernetes."""
SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t")
"""Those of Pod Security `restricted`."""

Id = Annotated[int, Field(ge=1, le=MOST_ID, json_schema_extra={"format": "int64"})]
_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


class SELinuxOptions(Value):
    """The SELinux label of the worker's container."""

    level: Annotated[
        str | None,
        Field(
            max_length=253,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[a-z0-9:.,-]*$')",
                    "must be an SELinux level such as s0:c123,c456",
                )
            ),
        ),
    ] = None
    """SELinux level, such as `s0:c123,c456`."""
    type: Annotated[str | None, Field(json_schema_extra={"enum": ["", *SELINUX_TYPES]})] = None
    """SELinux type: container_t, container_init_t or container_kvm_t."""


class PodSecurityContext(Value):
    """As whom the worker runs; a safe subset of a Pod's security context."""

    run_as_user: Id | None = None
    """The worker's uid. The operator's default when absent."""
    run_as_group: Id | None = None
    """The worker's primary gid. The operator's default when absent."""
    fs_group: Id | None = None
    """Group that the volume is given to where its driver can do that. The operator's default when absent."""
    fs_group_change_policy: Annotated[
        str | None, Field(json_schema_extra={"enum": ["OnRootMismatch", "Always"]})
    ] = None
    """OnRootMismatch gives the volume to fsGroup only if its root is not yet so; Always at each mount."""
    supplemental_groups: Annotated[tuple[Id, ...] | None, Field(max_length=16, json_schema_extra=_ATOMIC)] = (
        None
    )
    """Further gids of the worker, such as the one that a file server lets write."""
    se_linux_options: SELinuxOptions | None = Field(default=None, alias="seLinuxOptions")
    """The SELinux label of the worker's container."""

    def ids(self) -> dict[str, tuple[int, ...]]:
        """All uids and gids by the field that names them."""
        named = {"runAsUser": self.run_as_user, "runAsGroup": self.run_as_group, "fsGroup": self.fs_group}
        found = {name: (number,) for name, number in named.items() if number is not None}
        return {**found, "supplementalGroups": self.supplemental_groups or ()}
