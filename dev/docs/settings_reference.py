"""The page of the operator's settings, made from the table that makes its flags."""

from dev.docs.markdown import MADE, table
from modelsync.settings import operator_config

_HEAD = f"""{MADE}
# Settings of the operator

`modelsync operator` takes each setting as a flag, else from its variable (the first of them that is set),
else the default. The chart sets them from its values. A value that cannot be used ends the process with
code 2 and one line that names the flag, the variable and the fix.

The process ends with code 0 after SIGTERM or SIGINT (it finishes the writes under way and gives the lease
back), with 1 when it has lost the lease, with 2 for a wrong setting.
"""


def page() -> str:
    """docs/reference/operator.md."""
    rows = [
        (
            f"`{option.flag}`",
            " ".join(f"`{name}`" for name in option.variables),
            f"`{option.default}`" if option.default else "",
            option.help
            + (" May be repeated; the variable takes a comma-separated list." if option.repeatable else ""),
        )
        for option in operator_config.OPTIONS
    ]
    return f"{_HEAD}\n{table(('flag', 'variable', 'default', 'meaning'), rows)}"
