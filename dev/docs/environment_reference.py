"""The page of the variables that other tools know too, and where modelsync heeds each of them.

A variable of the operator's own (`MODELSYNC_…`) is on the page of its settings.
"""

from dev.docs.markdown import MADE, table
from modelsync.settings import operator_config

_HEAD = f"""{MADE}
# Environment

modelsync heeds the variables that Hugging Face's, AWS' and most other tools know. The **operator** reads them
where its own setting is not given ([settings](operator.md)), and hands them to every worker; the **worker**
and `modelsync pull` read them where they run. The chart has a value for each, and `env` for any other way.

The operator itself fetches no model, so a proxy for the API server is no matter of these.
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
        "Anything but empty, `0`, `false`, `no` and `off`: fetches nothing and ends with code 18"
        " (`DownloadsDisabled`). The operator takes only a clear yes or no: no worker starts, what waits says"
        " so in `status.queue.reason`, and what runs goes on.",
        "operator, worker, pull",
    ),
    (
        "`HF_DOWNLOAD_MAX_RETRIES`",
        "How often a request is tried again in a row without a new byte; 5. A new byte resets the count.",
        "operator, pull",
    ),
    (
        "`HF_HUB_DOWNLOAD_TIMEOUT`",
        "Seconds to wait for a connection or for the next bytes; 10. An answer that has not begun by then is"
        " waited for longer with each further try, up to 5 minutes.",
        "operator, pull",
    ),
    ("`HF_ENDPOINT`", "Hub of sources that name no endpoint.", "operator, pull"),
    ("`HF_TOKEN`", "Token for the Hub; in the cluster it is a Secret (`secretRef`).", "pull"),
    (
        "`HTTP_PROXY` `HTTPS_PROXY` `NO_PROXY`",
        "Proxies, and the hosts that need none; in small letters too. The operator refuses one with a"
        " password, which everybody could read in the workers' Jobs; `modelsync pull` takes it.",
        "operator, worker, pull",
    ),
    ("`ALL_PROXY`", "Proxy for schemes that have none of their own.", "worker, pull"),
    (
        "`SSL_CERT_FILE`",
        "Certification authorities in place of the system's. In the cluster: the chart's"
        " `worker.caConfigMap`.",
        "worker, pull",
    ),
    (
        "`AWS_ACCESS_KEY_ID` `AWS_SECRET_ACCESS_KEY` `AWS_SESSION_TOKEN`",
        "Keys for S3; in the cluster they are a Secret (`secretRef`).",
        "pull",
    ),
    ("`AWS_ENDPOINT_URL_S3` `AWS_ENDPOINT_URL`", "Another S3 server; the first one set counts.", "pull"),
    ("`AWS_REGION` `AWS_DEFAULT_REGION`", "Region of the bucket; us-east-1.", "pull"),
    (
        "`MODELSYNC_LOG_LEVEL`",
        "`debug`, `info`, `warning` or `error`. Workers get it from the operator's `--worker-log-level`, the"
        " chart's `worker.logLevel`.",
        "operator, worker",
    ),
    ("`KUBECONFIG`", "Where the cluster is, outside of it.", "operator"),
    ("`NO_COLOR`", "Bars without colours.", "pull"),
)


def page() -> str:
    """docs/reference/environment.md."""
    told = table(("variable", "meaning", "heeded by"), _OTHERS)
    rows = [
        (f"`{name}`", f"`{option.flag}`", _OPERATOR[name])
        for option in operator_config.OPTIONS
        for name in option.common
        if name.isupper()
    ]
    return f"{_HEAD}\n{told}\n## In the operator\n\n{table(('variable', 'flag', 'value of the chart'), rows)}"
