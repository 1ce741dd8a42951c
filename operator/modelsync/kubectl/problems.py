"""What can go wrong between the plugin and a cluster, each as one sentence that says what to do."""

import json

from modelsync import errors
from modelsync.api import naming
from modelsync.api.common import untrusted

_MOST = 600
_SYNCS = f"{naming.GROUP}/{naming.VERSION}"


class CommandError(errors.KubeError):
    """A request that failed; the message is for people, `status` the HTTP status, 0 for no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def of_answer(status: int, body: bytes, about: str) -> CommandError:
    """The problem of an answer; `about` is what was asked for, such as `modelsync team/llama`."""
    message = _message(body)
    if status == 401:
        text = "the API server does not accept your credentials: log in again, or choose another --context"
    elif status == 403:
        text = f"you have no right to that: {message}"
    elif status == 404:
        text = f"{about} not found"
    elif status == 409:
        text = f"{about} was changed in the meantime, or exists already: {message}"
    elif status in (400, 422):
        text = f"the API server refuses {about}: {message}"
    else:
        text = f"the API server answered {status} for {about}: {message}"
    return CommandError(text, status)


def no_definitions(served: tuple[str, ...]) -> CommandError:
    """The cluster does not serve the resource; `served` are the versions of the group that it does serve."""
    if served:
        others = ", ".join(f"{naming.GROUP}/{version}" for version in served)
        text = f"the cluster serves {others} and this plugin speaks {_SYNCS}: install the one"
        text += " of the operator's version"
    else:
        text = f"the cluster has no ModelSyncs ({_SYNCS}): install the chart, or its CRDs first"
    return CommandError(text, 404)


def unreachable(host: str, cause: str) -> CommandError:
    """No answer came."""
    cause = untrusted.clean(cause, _MOST)
    return CommandError(
        f"{host} gave no answer ({cause}): check --context, the network and --request-timeout"
    )


def bad_configuration(cause: str) -> CommandError:
    """The kubeconfig, or what it names, is wrong."""
    cause = untrusted.clean(cause, _MOST).rstrip(".")
    return CommandError(f"no access to a cluster: {cause}; set --kubeconfig (KUBECONFIG) and --context")


def bad_credentials(cause: str) -> CommandError:
    """The program that a kubeconfig names for credentials failed."""
    cause = untrusted.clean(cause, _MOST).rstrip(".")
    return CommandError(
        f"the kubeconfig's credential program failed: {cause}; run it by hand, or log in again", 401
    )


def _message(body: bytes) -> str:
    """The message of a Status; of anything else, its beginning."""
    try:
        found = json.loads(body)
        message = found["message"] if isinstance(found, dict) else None
    except (ValueError, KeyError):
        message = None
    text = message if isinstance(message, str) else body[:200].decode("utf-8", "replace")
    return untrusted.clean(text, _MOST) or "without a reason"
