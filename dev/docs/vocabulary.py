"""The pages of reasons and of exit codes, made from the closed vocabularies."""

from dev.docs.markdown import MADE, table
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from modelsync.reading import reason_texts

_REASONS = f"""{MADE}
# Reasons

One word says why a ModelSync is where it is: in its conditions, in `status.lastFailure`, in Events and as the
`reason` label of metrics. The message beside it tells the case at hand.

```console
kubectl get modelsync NAME -o jsonpath='{{.status.conditions[?(@.type=="Ready")].reason}}'
```

To ask for a retry, set the annotation to any value that it has not had before:

```console
kubectl annotate modelsync NAME modelsync.dev/retry-requested-at="$(date +%s)" --overwrite
```

A Complete sync is checked by that: an attempt reads its files and fetches what is missing or wrong.
"""
_CODES = f"""{MADE}
# Exit codes of the worker

`modelsync worker` and `modelsync pull` end with one of these. The tens tell the kind: 10-19 the user's error,
20-29 space or permission, 30-39 integrity or a changed source, 50-59 passing trouble, 143 interrupted.
"""


def reasons() -> str:
    """docs/reference/reasons.md."""
    parts = [_REASONS]
    for title, group in reason_texts.GROUPS.items():
        rows = [(f"`{reason}`", meaning, fix) for reason, (meaning, fix) in group.items()]
        parts.append(f"## {title}\n\n{table(('reason', 'meaning', 'fix'), rows)}")
    rows = [(f"`{reason}`", meaning, fix) for reason, (meaning, fix) in reason_texts.QUEUE.items()]
    parts.append(
        "## Why it waits\n\n`status.queue.reason` of a sync that waits for a slot.\n\n"
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
