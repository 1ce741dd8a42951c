"""What of the operator's configuration the rendered chart holds."""

from typing import Any

from modelsync.settings import config_file, configuration
from tests.chart import helm


def document(objects: list[dict[str, Any]]) -> str:
    """The configuration that the operator's Pod finds in its file."""
    deployments = {each["metadata"]["name"]: each for each in helm.of_kind(objects, "Deployment")}
    pod = deployments["modelsync"]["spec"]["template"]["spec"]  # with the page there is another
    (volume,) = (each for each in pod["volumes"] if "configMap" in each)
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"])
    maps = {found["metadata"]["name"]: found["data"] for found in helm.of_kind(objects, "ConfigMap")}
    (flag,) = (arg for arg in pod["containers"][0]["args"] if arg.startswith("--config="))
    assert "subPath" not in mount, "a file that is mounted alone never changes"
    folder, _, name = flag.partition("=")[2].rpartition("/")
    assert folder == mount["mountPath"]
    text: str = maps[volume["configMap"]["name"]][name]
    return text


def configured(objects: list[dict[str, Any]]) -> configuration.Configuration:
    """The same, as the operator reads it."""
    return config_file.parse(document(objects).encode(), "config.yaml")
