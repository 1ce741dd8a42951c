"""modelsync: puts AI models onto Kubernetes volumes, and shows every byte of it."""

__version__ = "0.1.0"
