"""What a cluster shows at the moment in which a test failed: the operator, and the test's namespace."""

from collections.abc import Iterator

from dev import kube
from tests.e2e import release

LOG_LINES = "80"
_OPERATOR = ("-n", release.SYSTEM, "-l", "app.kubernetes.io/component=operator")


def sections(space: str) -> Iterator[tuple[str, str]]:
    """Titles and texts for a test's report; `space` may be empty. A command that fails gives its error."""
    asked = {
        "operator: Pods and their restarts": ("get", "pods", *_OPERATOR, "-o", "wide"),
        "operator: last lines of its log": ("logs", *_OPERATOR, f"--tail={LOG_LINES}"),
        "operator: before its restart": ("logs", *_OPERATOR, f"--tail={LOG_LINES}", "--previous"),
    }
    if space:
        asked[f"namespace {space}"] = ("get", "modelsyncs,jobs,pods,events", "-n", space)
    for title, command in asked.items():
        try:
            yield title, kube.kubectl(*command, timeout=20)
        except Exception as error:  # a report of one failure is not lost by another
            yield title, str(error)
