"""Do-not-call registries: one file per kind of file a regulator hands out."""

from connectors.registries.reading import RegistryFile, file_date, read_registry

__all__ = ["RegistryFile", "file_date", "read_registry"]
