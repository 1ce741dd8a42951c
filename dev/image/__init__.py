"""Builds the project's images without a container engine or a registry.

from dev import image
archive = image.build()      # an OCI archive of localhost/modelsync:dev, in the cache
"""

from dev.image.builder import NAME, READER, REPOSITORY, TAG, build, build_reader

__all__ = ["NAME", "READER", "REPOSITORY", "TAG", "build", "build_reader"]
