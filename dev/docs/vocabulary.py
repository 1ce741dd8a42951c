"""The pages of reasons and of exit codes, made from the closed vocabularies."""

from dev.docs.markdown import MADE, table
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from modelsync.reading import reason_texts

_REASONS = f"""{MADE}
# Reasons

Every reason, its meaning and its fix. A reason says in one word why a ModelSync is in its state: in
conditions, `status.lastFailure`, Events and the label `reason` of metrics. The message has the details.

kubectl get modelsync NAME -o jsonpath='{{.status.conditions[?(@.type=="Ready")].reason}}'

To request a retry, set the annotation to a new value:

kubectl annotate modelsync NAME modelsync.dev/retry-requested-at="$(date +%s)" --overwrite

On a Complete sync this starts a [check](../howto/control.md#check-published-files) of its files.
"""
_CODES = f"""{MADE}
# Exit codes

The exit codes of `modelsync worker` and `modelsync pull`, by [reason](reasons.md). Groups: 10-19 wrong
source, credentials or options; 20-29 volume; 30-39 integrity; 50-59 temporary errors; 143 interrupted. All
commands exit with 2 on a wrong command line or environment variable.
"""


def reasons() -> str:
    """docs/reference/reasons.md."""
    parts = [_REASONS]
    for title, group in reason_texts.GROUPS.items():
        rows = [(f"`{reason}`", meaning, fix) for reason, (meaning, fix) in group.items()]
        parts.append(f"## {title}\n\n{table(('reason', 'meaning', 'fix'), rows)}")
    rows = [(f"`{reason}`", meaning, fix) for reason, (meaning, fix) in reason_texts.QUEUE.items()]
    parts.append(
        "## Queue reasons\n\n`status.queue.reason` of a sync that waits for a slot.\n\n"
        + table(("reason", "meaning", "fix"), rows)
    )
    return "\n".join(parts)


def exit_codes() -> str:
    """docs/reference/exit-codes.md."""
    rows = [("0", "", "done", "")]
    for reason, code in exitcodes.BY_REASON.items():
        again = "yes" if exitcodes.is_retryable(code) else "no"
        rows.append((str(code), f"`{reason}`", _meaning(reason), again))
    return f"{_CODES}\n{table(('code', 'reason', 'meaning', 'another attempt'), rows)}"


def _meaning(reason: Reason) -> str:
    return next(group[reason][0] for group in reason_texts.GROUPS.values() if reason in group)
