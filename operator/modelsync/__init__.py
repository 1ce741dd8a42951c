"""modelsync: downloads AI models onto Kubernetes volumes, with live progress."""

__version__ = "0.1.0"
