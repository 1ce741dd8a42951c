"""The page of the variables that other tools know too, and which part of modelsync reads each of them.

A variable of the operator's own (`MODELSYNC_…`) is on the page of its settings.
"""

from dev.docs.markdown import MADE, table
from modelsync.settings import operator_config

_HEAD = f"""{MADE}
# Environment variables

The standard variables of Hugging Face, AWS and other tools that modelsync reads. The **operator** reads them
if its own [setting](operator.md) is not given, and passes them to every worker. The **worker** and
`modelsync pull` read their own environment. The chart has a value for each.

The operator downloads no model, so these proxies do not apply to its connection to the API server.
"""
_OPERATOR = {
    "HF_ENDPOINT": "`config.hubEndpoint`",
    "DISABLE_MODEL_DOWNLOADS": "`config.disableModelDownloads`",
    "HF_DOWNLOAD_MAX_RETRIES": "`worker.maxRetries`",
    "HF_HUB_DOWNLOAD_TIMEOUT": "`worker.timeoutSeconds`",
    "HTTP_PROXY": "`worker.proxy.http`",
    "HTTPS_PROXY": "`worker.proxy.https`",
    "NO_PROXY": "`worker.proxy.noProxy`",
}
"""The chart's value of each."""
_OTHERS = (
    (
        "`DISABLE_MODEL_DOWNLOADS`",
        "Any value except empty, `0`, `false`, `no` and `off`: nothing is downloaded, exit code 18"
        " (`DownloadsDisabled`). The operator starts no worker, waiting syncs have the reason in"
        " `status.queue.reason`, and running ones continue.",
        "operator, worker, pull",
    ),
    (
        "`HF_DOWNLOAD_MAX_RETRIES`",
        "Consecutive retries of a request without a new byte; default 5.",
        "operator, pull",
    ),
    (
        "`HF_HUB_DOWNLOAD_TIMEOUT`",
        "Timeout in seconds for a connection or for the next bytes; default 10. If an answer has not begun by"
        " then, each further try waits longer, up to 5 minutes.",
        "operator, pull",
    ),
    ("`HF_ENDPOINT`", "Hub for sources without an endpoint.", "operator, pull"),
    ("`HF_TOKEN`", "Token for the Hub; in the cluster a Secret (`secretRef`).", "pull"),
    (
        "`HTTP_PROXY` `HTTPS_PROXY` `NO_PROXY`",
        "Proxies, and hosts without a proxy; lower case works too. The operator refuses a proxy with a"
        " password, which would be readable in the workers' Jobs; `modelsync pull` accepts it.",
        "operator, worker, pull",
    ),
    ("`ALL_PROXY`", "Proxy for schemes without a proxy of their own.", "worker, pull"),
    (
        "`SSL_CERT_FILE`",
        "CA certificates that replace the system's. In the cluster: the chart's `worker.caConfigMap`.",
        "worker, pull",
    ),
    (
        "`AWS_ACCESS_KEY_ID` `AWS_SECRET_ACCESS_KEY` `AWS_SESSION_TOKEN`",
        "Credentials for S3; in the cluster a Secret (`secretRef`).",
        "pull",
    ),
    (
        "`AWS_ENDPOINT_URL_S3` `AWS_ENDPOINT_URL`",
        "Another S3 server; the first variable that is set wins.",
        "pull",
    ),
    ("`AWS_REGION` `AWS_DEFAULT_REGION`", "Region of the bucket; default us-east-1.", "pull"),
    (
        "`MODELSYNC_LOG_LEVEL`",
        "`debug`, `info`, `warning` or `error`. Workers get it from the operator's `--worker-log-level`, the"
        " chart's `worker.logLevel`.",
        "operator, worker",
    ),
    ("`KUBECONFIG`", "kubeconfig file, if the operator runs outside a cluster.", "operator"),
    ("`NO_COLOR`", "Progress bars without colours.", "pull"),
)


def page() -> str:
    """docs/reference/environment.md."""
    common = table(("variable", "meaning", "read by"), _OTHERS)
    rows = [
        (f"`{name}`", f"`{option.flag}`", _OPERATOR[name])
        for option in operator_config.OPTIONS
        for name in option.common
        if name.isupper()
    ]
    return (
        f"{_HEAD}\n{common}\n## In the operator\n\n{table(('variable', 'flag', 'value of the chart'), rows)}"
    )
