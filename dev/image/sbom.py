"""The image's bill of materials: Python, and every Python and Debian package that files were taken from.

    python sbom.py ENVIRONMENT ROOT

Runs in a stage of the Dockerfile behind `rootfs`, and prints CycloneDX as JSON.
"""

import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

OURS = "modelsync"


def python_packages(environment: Path) -> Iterator[Component]:
    """What is installed in the environment."""
    folders = [str(path) for path in environment.glob("lib/python3*/site-packages")]
    for found in metadata.distributions(path=folders):
        name = found.metadata["Name"].lower()
        yield component(PackageURL("pypi", name=name, version=found.version))


def system_packages(root: Path) -> Iterator[Component]:
    """What `rootfs` described."""
    release = dict(
        line.split("=", 1) for line in (root / "usr/lib/os-release").read_text().splitlines() if "=" in line
    )
    distribution = f"{release['ID']}-{release['VERSION_ID']}".replace('"', "")
    for path in sorted((root / "var/lib/dpkg/status.d").iterdir()):
        lines = (line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
        fields = {parts[0]: parts[1] for parts in lines}
        qualifiers = {"arch": fields["Architecture"], "distro": distribution}
        yield component(
            PackageURL("deb", "debian", fields["Package"], version=fields["Version"], qualifiers=qualifiers)
        )


def component(url: PackageURL) -> Component:
    """A library by its package URL."""
    kind = ComponentType.APPLICATION if url.name == OURS else ComponentType.LIBRARY
    return Component(type=kind, name=url.name, version=url.version, purl=url, bom_ref=url.to_string())


def bom_of(components: Iterable[Component]) -> Bom:
    """The bill: modelsync is made of all others."""
    every = list(components)
    bom = Bom(components=[each for each in every if each.name != OURS])
    bom.metadata.component = next(each for each in every if each.name == OURS)
    bom.register_dependency(bom.metadata.component, bom.components)
    return bom


def main(environment: Path, root: Path) -> None:
    """Print it."""
    python = component(PackageURL("generic", name="python", version=platform.python_version()))
    every = [*python_packages(environment), *system_packages(root), python]
    print(JsonV1Dot6(bom_of(every)).output_as_string(indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
