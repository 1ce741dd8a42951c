"""What is installed, for `check`: the operator's Deployment, the image of its workers, the versions of all.

Whatever may not be read is a finding that says so, since few users may look into the operator's namespace.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import modelsync
from modelsync.api import naming
from modelsync.reading.fields import Fields

VERSION_LABEL = "app.kubernetes.io/version"
_CONFIG_FILE = "config.yaml"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; `well` is None where it could not look."""

    what: str
    well: bool | None
    text: str


def schema_finding(served: Mapping[str, Any], ours: Mapping[str, Any], kind: str) -> Finding:
    """Whether the CRD that the cluster serves knows the same fields as this program's own."""
    here, there = _fields(ours), _fields(served)
    label = Fields(served).of("metadata", "labels").text(VERSION_LABEL)
    what, version = f"CRD {kind}", f" (of version {label})" if label else ""
    if missing := sorted(here - there):
        fix = "update the CRDs: helm upgrade with crds.enabled, or kubectl apply --server-side -f crds/"
        text = f"it lacks {_named(missing)}, which modelsync {modelsync.__version__} knows{version}; {fix}"
        return Finding(what=what, well=False, text=text)
    if unknown := sorted(there - here):
        text = f"it has {_named(unknown)}, which modelsync {modelsync.__version__} does not know{version}"
        return Finding(what=what, well=False, text=f"{text}; install the plugin of the operator's version")
    return Finding(what=what, well=True, text=f"has the fields of modelsync {modelsync.__version__}{version}")


def is_operator(deployment: Mapping[str, Any]) -> bool:
    """Whether a Deployment runs the operator, whatever it is called."""
    found = _operator(Fields(deployment))
    return found is not None


def deployment_findings(deployment: Mapping[str, Any], config: str | None) -> Iterator[Finding]:
    """Version, Pods and images of an operator; `config` is its document, None where it could not be read."""
    fields = Fields(deployment)
    meta, container = fields.of("metadata"), _operator(fields) or Fields(None)
    where = f"{meta.text('namespace')}/{meta.text('name')}"
    yield _version_finding(meta.of("labels").text(VERSION_LABEL), where)
    yield _pods_finding(fields, where)
    yield _image_finding(container.text("image") or "", config, where)


def config_map_of(deployment: Mapping[str, Any]) -> str | None:
    """The ConfigMap that the operator's configuration is in."""
    volumes = Fields(deployment).of("spec", "template", "spec").each("volumes", 100)
    names = (one.of("configMap").text("name") for one in volumes if one.text("name") == "config")
    return next(names, None)


def config_text(config_map: Mapping[str, Any]) -> str | None:
    """The document within it."""
    found = (config_map.get("data") or {}).get(_CONFIG_FILE)
    return found if isinstance(found, str) else None


def _version_finding(label: str | None, where: str) -> Finding:
    ours = modelsync.__version__
    if label is None:
        text = f"Deployment {where} has no label {VERSION_LABEL}; it was not installed by the chart"
        return Finding(what="versions", well=None, text=text)
    if label != ours:
        text = f"the operator is {label} and this plugin {ours}; install both of one version"
        return Finding(what="versions", well=False, text=text)
    return Finding(what="versions", well=True, text=f"operator and plugin are {ours}")


def _pods_finding(fields: Fields, where: str) -> Finding:
    wanted = fields.of("spec").count("replicas")
    ready = fields.of("status").count("availableReplicas") or 0
    wanted = 1 if wanted is None else wanted
    text = f"{ready} of {wanted} Pods of Deployment {where} are available"
    if not wanted:
        fix = "set replicaCount, or run the operator yourself"
        return Finding(what="operator's Pods", well=False, text=f"replicas is 0 in Deployment {where}; {fix}")
    if ready < wanted:
        namespace = where.partition("/")[0]
        fix = f"see why: kubectl describe pods -n {namespace}"
        return Finding(what="operator's Pods", well=ready > 0, text=f"{text}; {fix}")
    return Finding(what="operator's Pods", well=True, text=text)


def _image_finding(image: str, config: str | None, where: str) -> Finding:
    """Workers are of the operator's image, or of one that was named; both have a fixed tag or a digest."""
    workers, readable = _workers_image(config)
    if not readable:
        text = f"operator: {image}; the workers' is in a ConfigMap that you may not read"
        return Finding(what="image", well=None, text=text)
    workers = workers or image
    floating = sorted({one for one in (image, workers) if _is_floating(one)})
    if workers != image:
        fix = "leave config.worker.image empty, or name the operator's image of the same version"
        return Finding(what="image", well=False, text=f"operator: {image}, workers: {workers}; {fix}")
    if floating:
        fix = "name a version or a digest (image.tag), so that operator and workers cannot differ"
        return Finding(what="image", well=False, text=f"{', '.join(floating)} can change its meaning; {fix}")
    return Finding(what="image", well=True, text=f"{image} for operator and workers")


def _workers_image(config: str | None) -> tuple[str | None, bool]:
    """`worker.image`, and whether the document could be read."""
    if config is None:
        return None, False
    import yaml

    try:
        document = yaml.safe_load(config)
    except yaml.YAMLError:
        return None, False
    return Fields(document).of("worker").text("image"), True


def _is_floating(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@" not in image and tag in ("", "latest")


def _operator(fields: Fields) -> Fields | None:
    for container in fields.of("spec", "template", "spec").each("containers", 50):
        if container.texts("args", 1) == ("operator",):
            return container
    return None


def _fields(definition: Mapping[str, Any]) -> set[str]:
    """The paths of all fields of the version that this program speaks; empty where it is not there."""
    versions = Fields(definition).of("spec").each("versions", 20)
    mine = next((one for one in versions if one.text("name") == naming.VERSION), Fields(None))
    found = set[str]()
    _walk(mine.of("schema", "openAPIV3Schema"), "", found)
    return found


def _walk(schema: Fields, path: str, found: set[str]) -> None:
    for name in schema.of("properties").names():
        inner = f"{path}.{name}" if path else name
        found.add(inner)
        _walk(schema.of("properties", name), inner, found)
    for child in ("items", "additionalProperties"):
        if schema.of(child):
            _walk(schema.of(child), path + "[]", found)


def _named(paths: list[str]) -> str:
    """Some of the fields, without those below one that is named."""
    tops = [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]
    more = len(tops) - _MOST_NAMED
    return ", ".join(tops[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
