"""Jobs of workers as the operator renders them from accepted specs, and what somebody else would try."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from modelsync.api import modelsync as api
from modelsync.api import naming
from modelsync.api.worker_pod import pod_security
from modelsync.core.cluster import snapshot
from modelsync.core.jobs import job_manifest
from tests.attacks import users
from tests.builders import a_sync
from tests.e2e import release

Job = dict[str, Any]
OPERATOR = f"system:serviceaccount:{release.SYSTEM}:{release.RELEASE}"
UID = "0f0e0d0c-0b0a-0908-0706-050403020100"
HUB = {"huggingFace": {"repository": "org/name"}}
_SPECS: dict[str, dict[str, Any]] = {
    "the smallest": {},
    "a token": {"source": {"huggingFace": {"repository": "org/name", "secretRef": {"name": "tok"}}}},
    "keys of S3": {"source": {"s3": {"bucket": "models", "secretRef": {"name": "keys"}}}},
    "a password": {
        "source": {
            "http": {"files": [{"url": "https://o.example/f", "path": "f"}], "secretRef": {"name": "p"}}
        }
    },
    "a deadline": {"activeDeadlineSeconds": 60, "verification": "Size", "engine": "HuggingFaceHub"},
    "a cache": {
        "target": {
            "persistentVolumeClaim": {"claimName": "models", "subPath": "a/b"},
            "layout": "HuggingFaceCache",
        }
    },
    "another uid and no group": {"podTemplate": {"securityContext": {"runAsUser": 1000660000}}},
    "all of podTemplate": {
        "podTemplate": {
            "labels": {"example.com/team": "a"},
            "annotations": {"sidecar.istio.io/inject": "false"},
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
                        ]
                    }
                }
            },
            "imagePullSecrets": [{"name": "registry"}],
            "priorityClassName": "",
            "serviceAccountName": "default",
            "runtimeClassName": "",
            "securityContext": {
                "runAsUser": 1000,
                "runAsGroup": 2147483647,
                "fsGroup": 1,
                "supplementalGroups": [4, 5],
                "fsGroupChangePolicy": "Always",
                "seLinuxOptions": {"level": "s0:c1,c2", "type": "container_t"},
            },
            "resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"ephemeral-storage": "1Gi"}},
        }
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    "by default": {},
    "as whom the namespace says": {"security_context": pod_security.PodSecurityContext()},
    "with proxies": {
        "environment": {
            "HTTP_PROXY": "http://p:3128",
            "HTTPS_PROXY": "http://p:3128",
            "NO_PROXY": "a,b",
            "MODELSYNC_LOG_LEVEL": "debug",
        }
    },
}


def sync(space: str, name: str = "worker", **spec: Any) -> snapshot.SyncRecord:
    """A ModelSync of a namespace."""
    target = {"persistentVolumeClaim": {"claimName": "models", "subPath": "model"}}
    fields = api.ModelSyncSpec.model_validate({"source": HUB, "target": target, **spec})
    return replace(a_sync(name).build(), namespace=space, uid=UID, spec=fields)


def rendered(record: snapshot.SyncRecord, attempt: int = 1, **settings: Any) -> Job:
    """The Job of an attempt, as the release of the tests makes it."""
    return job_manifest.render_job(
        record, attempt, "key", job_manifest.JobSettings(image=release.IMAGE, **settings)
    )


def accepted(space: str) -> Iterator[tuple[str, Job]]:
    """Each kind of spec and of settings, with its Job."""
    for number, (name, spec) in enumerate(_SPECS.items(), 1):
        for which, settings in SETTINGS.items():
            record = sync(space, f"w{number}", **spec)
            yield f"{name}, {which}", rendered(record, number, **settings)


def create(job: Job) -> str:
    """The refusal of a Job that the operator would create (a server dry run), or ''."""
    return users.create(OPERATOR, job)


def _pod(change: Callable[[Job], object]) -> Callable[[Job], object]:
    return lambda job: change(job["spec"]["template"]["spec"])


def _worker(change: Callable[[Job], object]) -> Callable[[Job], object]:
    return lambda job: change(job["spec"]["template"]["spec"]["containers"][0])


def _volume(name: str, **source: Any) -> Callable[[Job], object]:
    return _pod(lambda pod: pod["volumes"].append({"name": name, **source}))


def _env(**variable: Any) -> Callable[[Job], object]:
    return _worker(lambda worker: worker.update(env=[{"name": "HTTP_PROXY", **variable}]))


_SECRET = {"secretKeyRef": {"name": "tok", "key": "k"}}
FORBIDDEN: dict[str, tuple[str, Callable[[Job], object]]] = {
    "kube-system": ("metadata.namespace", lambda job: job["metadata"].update(namespace="kube-system")),
    "the operator's namespace": (
        "metadata.namespace",
        lambda job: job["metadata"].update(namespace=release.SYSTEM),
    ),
    "no label": ("metadata", lambda job: job["metadata"]["labels"].pop(naming.MANAGED_BY_LABEL)),
    "no owner": ("metadata", lambda job: job["metadata"].pop("ownerReferences")),
    "another owner": ("metadata", lambda job: job["metadata"]["ownerReferences"][0].update(uid="another")),
    "an owner of another API group": (
        "metadata",
        lambda job: job["metadata"]["ownerReferences"][0].update(apiVersion="evil.example/v1"),
    ),
    "many Pods": ("one Pod", lambda job: job["spec"].update(parallelism=50, completions=50)),
    "a second container": (
        "worker's image",
        _pod(lambda pod: pod["containers"].append({**pod["containers"][0], "name": "more"})),
    ),
    "an init container": (
        "worker's image",
        _pod(lambda pod: pod.update(initContainers=[{**pod["containers"][0], "name": "first"}])),
    ),
    "another image": ("worker's image", _worker(lambda worker: worker.update(image="evil.example/x"))),
    "a command": ("worker's image", _worker(lambda worker: worker.update(command=["sh"]))),
    "other arguments": ("worker's image", _worker(lambda worker: worker.update(args=["operator"]))),
    "a command of a probe": (
        "worker's image",
        _worker(lambda worker: worker.update(livenessProbe={"exec": {"command": ["sh"]}})),
    ),
    "a command at the end": (
        "worker's image",
        _worker(lambda worker: worker.update(lifecycle={"preStop": {"exec": {"command": ["sh"]}}})),
    ),
    "envFrom": (".env", _worker(lambda worker: worker.update(envFrom=[{"secretRef": {"name": "tok"}}]))),
    "a variable from a Secret": (".env", _env(valueFrom=_SECRET)),
    "a variable that loads code": (".env", _env(name="LD_PRELOAD", value="/volume/x.so")),
    "a ServiceAccount": (
        "ServiceAccount",
        _pod(lambda pod: pod.update(serviceAccountName="namespace-controller")),
    ),
    "a token": ("ServiceAccount", _pod(lambda pod: pod.update(automountServiceAccountToken=True))),
    "the token left to the default": (
        "ServiceAccount",
        _pod(lambda pod: pod.pop("automountServiceAccountToken")),
    ),
    "hostNetwork": ("node", _pod(lambda pod: pod.update(hostNetwork=True))),
    "hostPID": ("node", _pod(lambda pod: pod.update(hostPID=True))),
    "hostIPC": ("node", _pod(lambda pod: pod.update(hostIPC=True))),
    "a node past the scheduler": ("node", _pod(lambda pod: pod.update(nodeName="control-plane"))),
    "a port of the node": ("node", _worker(lambda worker: worker["ports"][0].update(hostPort=8081))),
    "another runtime": ("node", _pod(lambda pod: pod.update(runtimeClassName="kata"))),
    "other name servers": (
        "node",
        _pod(lambda pod: pod.update(dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.1"]})),
    ),
    "hostPath": ("volumes", _volume("more", hostPath={"path": "/"})),
    "hostPath by a name of ours": (
        "volumes",
        _pod(lambda pod: pod["volumes"].__setitem__(0, {"name": "target", "hostPath": {"path": "/"}})),
    ),
    "a projected token": (
        "volumes",
        _volume("more", projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
    ),
    "a second Secret": ("volumes", _volume("more", secret={"secretName": "tok"})),
    "any ConfigMap": ("volumes", _volume("authorities", configMap={"name": "kube-root-ca.crt"})),
    "a CSI volume": ("volumes", _volume("more", csi={"driver": "secrets.csi.example"})),
    "memory as a volume": (
        "volumes",
        _pod(lambda pod: pod["volumes"][2].update(emptyDir={"medium": "Memory"})),
    ),
    "root": (
        "securityContext",
        _pod(lambda pod: pod["securityContext"].update(runAsUser=0, runAsNonRoot=False)),
    ),
    "root in the container": (
        "securityContext",
        _worker(lambda worker: worker["securityContext"].update(runAsUser=0)),
    ),
    "privileged": (
        "securityContext",
        _worker(
            lambda worker: worker["securityContext"].update(privileged=True, allowPrivilegeEscalation=True)
        ),
    ),
    "a capability": (
        "securityContext",
        _worker(lambda worker: worker["securityContext"]["capabilities"].update(add=["NET_RAW"])),
    ),
    "a writable root": (
        "securityContext",
        _worker(lambda worker: worker["securityContext"].update(readOnlyRootFilesystem=False)),
    ),
    "no security context": ("securityContext", _worker(lambda worker: worker.pop("securityContext"))),
    "no security context of the Pod": ("securityContext", _pod(lambda pod: pod.pop("securityContext"))),
    "an unconfined profile": (
        "securityContext",
        _worker(lambda worker: worker["securityContext"].update(seccompProfile={"type": "Unconfined"})),
    ),
    "root by its uid alone": ("worker.ids", _pod(lambda pod: pod["securityContext"].update(runAsUser=0))),
    "root's group": ("worker.ids", _pod(lambda pod: pod["securityContext"].update(runAsGroup=0))),
    "root's volume": ("worker.ids", _pod(lambda pod: pod["securityContext"].update(fsGroup=0))),
    "an SELinux user": (
        "securityContext",
        _pod(lambda pod: pod["securityContext"].update(seLinuxOptions={"user": "system_u"})),
    ),
    "a privileged SELinux type": (
        "securityContext",
        _pod(lambda pod: pod["securityContext"].update(seLinuxOptions={"type": "spc_t"})),
    ),
    "groups of others": (
        "worker.ids",
        _pod(lambda pod: pod["securityContext"].update(supplementalGroups=[0])),
    ),
}
"""What a Job is changed by, and a part of the refusal."""


def forbidden(space: str) -> Iterator[tuple[str, str, Job]]:
    """Each of `FORBIDDEN`, with the part of its refusal and the Job."""
    plain = rendered(sync(space))
    for name, (said, change) in FORBIDDEN.items():
        job = copy.deepcopy(plain)
        change(job)
        yield name, said, job
