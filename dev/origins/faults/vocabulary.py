"""All faults by name. To add one: a class in one of these modules, and its name in that module's `FAULTS`."""

from dev.origins.faults import bodies, connections, heads, versions
from dev.origins.faults.fault import Fault

BY_NAME: dict[str, type[Fault]] = {
    fault.name: fault for module in (connections, heads, bodies, versions) for fault in module.FAULTS
}
