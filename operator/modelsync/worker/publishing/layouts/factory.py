"""From a work request to the layout of its target."""

from modelsync.api.protocol import WorkRequest
from modelsync.api.reasons import Reason
from modelsync.api.source import hub_cache
from modelsync.api.source.transfer import Layout, Resolved
from modelsync.worker.common.failures import Failure
from modelsync.worker.publishing.layouts.base import TargetLayout
from modelsync.worker.publishing.layouts.directory import DirectoryLayout
from modelsync.worker.publishing.layouts.hub_cache import HubCacheLayout


def directory_of(request: WorkRequest) -> str:
    """The target's directory, relative to the volume, of whichever revision."""
    hub = request.source.hugging_face
    if request.layout is Layout.DIRECTORY or hub is None:
        return request.sub_path
    return hub_cache.repository_directory(request.sub_path, hub)


def layout_of(request: WorkRequest, resolved: Resolved) -> TargetLayout:
    """The layout that `spec.target.layout` names; raises Failure where the source has none such."""
    if request.layout is Layout.DIRECTORY:
        return DirectoryLayout(directory=request.sub_path)
    hub, commit = request.source.hugging_face, resolved.revision
    if hub is None or commit is None:
        text = "spec.target.layout HuggingFaceCache is that of a Hub repository. Use Directory."
        raise Failure(Reason.INVALID_SPEC, text)
    return HubCacheLayout(directory=directory_of(request), commit=commit, revision=hub.revision)
