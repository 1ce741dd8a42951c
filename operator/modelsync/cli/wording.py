"""The engine's messages in the words of a command line.

The engine speaks of a ModelSync's fields, as most of its users have one. Here the same fixes have other
names.
"""

_WORDS = {
    "name the right one in spec.source.huggingFace.repository of another ModelSync": (
        "correct the name after hf://"
    ),
    " of another ModelSync, since that field cannot be changed": "",
    "addressingStyle VirtualHosted or": "--addressing-style VirtualHosted or",
    "when addressingStyle is VirtualHosted": "with --addressing-style VirtualHosted",
    "spec.source.huggingFace.repository": "the name after hf://",
    "spec.source.huggingFace.revision": "--revision",
    "spec.source.huggingFace.endpoint": "--endpoint",
    "take spec.source.huggingFace for a Hub's repository": "write hf://org/name for a Hub's repository",
    "spec.source.huggingFace": "the address and --endpoint",
    " of another ModelSync, since these fields cannot be changed": "",
    "spec.source.s3.bucket": "the bucket after s3://",
    "spec.source.s3.prefix": "the prefix after the bucket",
    "spec.source.s3.endpoint": "--endpoint",
    "spec.source.s3.region": "--region",
    "spec.source.s3.addressingStyle": "--addressing-style",
    "spec.source.s3.requesterPays": "--requester-pays",
    "the fields of spec.source.s3": "the address, --endpoint and --region",
    "spec.source.http.files[].url": "the address",
    "spec.source.http.files": "the addresses",
    "host in spec.source, or let the administrator allow it: worker.addresses.allowed": (
        "address, or allow this one with --allow-address"
    ),
    "spec.source": "the address",
    "create another ModelSync with their digest": "give their digest",
    "spec.expectedDigest": "--expected-digest",
    "spec.preset": "--preset",
    "spec.ignorePatterns": "--ignore",
    "spec.allowPatterns": "--allow",
    " (spec.progressDeadlineSeconds)": "",
    "spec.progressDeadlineSeconds": "10 minutes",
    "spec.target.persistentVolumeClaim.subPath": "--to",
    "spec.target.layout": "--layout",
    "spec.engine": "--engine",
    "Give the worker more of it (spec.podTemplate.resources)": "Give it more",
    "spec.podTemplate.resources": "memory",
    "the Secret that secretRef names": "the token or keys",
    "the Secret's account": "the token's account",
    ", or grow the PersistentVolumeClaim": "",
    " or grow the PersistentVolumeClaim": "",
    "be reached from the worker's namespace": "be reached from here",
    "Put its CA certificate into the ConfigMap of worker.caConfigMap in the operator's configuration": (
        "Name a file with its CA certificate in SSL_CERT_FILE"
    ),
    "in worker.proxy of the operator's configuration": "in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
    "worker.proxy of the operator's configuration": "HTTPS_PROXY and NO_PROXY",
    "the clock of the worker's node": "the clock of this machine",
    "worker.timeout": "HF_HUB_DOWNLOAD_TIMEOUT",
    "Create the Secret in the ModelSync's namespace": "Check the file",
    "let the worker write there": "make the directories writable",
    "no other ModelSync and no `modelsync pull` writes": "no other program writes",
    "Another worker": "Another process",
    "another worker or program": "another program",
    "an earlier worker": "an earlier pull",
    "The worker failed:": "An error of modelsync's own:",
    "The worker was asked to stop; the next attempt goes on": "Asked to stop; the next pull goes on",
    " of the worker": "",
    "the worker's environment": "the environment",
    "between it and the worker": "between it and this machine",
    "that the worker can reach it": "that it can be reached from here",
    "The worker cannot read": "There is no reading",
    "the cluster's DNS": "the DNS",
    " (spec.podTemplate.securityContext)": "",
    "spec.podTemplate.securityContext": "your user",
    "the worker's user": "your user",
    "Create another ModelSync to take the new ones, or": "Pull into another directory, or",
    "The volume": "The disk",
    "the volume": "the disk",
}
"""The longer ones first where one holds another."""


def for_terminal(message: str) -> str:
    """A message of the engine, with options in place of fields."""
    for words, ours in _WORDS.items():
        message = message.replace(words, ours)
    return message
