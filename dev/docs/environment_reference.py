"""The page of the variables that other tools know too, and which part of modelsync reads each of them.

The operator has none of its own: what it does is in its configuration.
"""

from dev.docs.markdown import MADE, table

_HEAD = f"""{MADE}
# Environment variables

`modelsync pull` and the workers read the variables that Hugging Face's, AWS' and most other tools know. The
**operator** takes no setting from a variable: what its workers get is in [its configuration](operator.md). A
`MODELSYNC_…` variable that was a setting once ends its start with the place where it is now, and so does
`DISABLE_MODEL_DOWNLOADS`.

The operator uses proxies and `SSL_CERT_FILE` for its connections to the API server only. For each variable
that downloads will not use (proxies, `SSL_CERT_FILE`, `HF_…`, `AWS_…`) it logs a warning with the field that
they do.
"""
_OTHERS = (
    (
        "`DISABLE_MODEL_DOWNLOADS`",
        "Any value except empty, `0`, `false`, `no` and `off`: nothing is downloaded, exit code 18"
        " (`DownloadsDisabled`). In the cluster: `attempts.disabled` of the configuration.",
        "worker, pull",
    ),
    (
        "`HF_DOWNLOAD_MAX_RETRIES`",
        "How often a request is tried again in a row without a new byte; 5. A new byte resets the count."
        " In the cluster: `worker.maxRetries`.",
        "pull",
    ),
    (
        "`HF_HUB_DOWNLOAD_TIMEOUT`",
        "Seconds to wait for a connection or for the next bytes; 10. An answer that has not begun by then is"
        " waited for longer with each further try, up to 5 minutes. In the cluster: `worker.timeout`.",
        "pull",
    ),
    ("`HF_ENDPOINT`", "Hub of sources that name no endpoint. In the cluster: `hub.endpoint`.", "pull"),
    ("`HF_TOKEN`", "Token for the Hub; in the cluster it is a Secret (`secretRef`).", "pull"),
    (
        "`HTTP_PROXY` `HTTPS_PROXY` `NO_PROXY`",
        "Proxies, and the hosts that need none; in lower case too. In the cluster:"
        " `worker.proxy` of the configuration, which takes no password, since everybody could read it in the"
        " workers' Jobs.",
        "worker, pull",
    ),
    ("`ALL_PROXY`", "Proxy for schemes without a proxy of their own.", "worker, pull"),
    (
        "`SSL_CERT_FILE`",
        "CA certificates in place of the system's. In the cluster:"
        " `worker.caConfigMap` of the configuration.",
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
        "`debug`, `info`, `warning` or `error`. Workers get it from `worker.logLevel` of the configuration.",
        "worker",
    ),
    ("`KUBECONFIG`", "Where the cluster is, outside of it; `--kubeconfig` wins over it.", "operator"),
    ("`NO_COLOR`", "Bars without colours.", "pull"),
)


def page() -> str:
    """docs/reference/environment.md."""
    return f"{_HEAD}\n{table(('variable', 'meaning', 'honoured by'), _OTHERS)}"
