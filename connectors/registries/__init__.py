"""Do-not-call registries: one file per kind of file a regulator hands out."""

from connectors.registries.reading import RegistryFile, read_registry

__all__ = ["RegistryFile", "read_registry"]
