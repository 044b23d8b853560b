"""Ledgers on both databases, and settings over a folder of registry files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringtrue.registry_settings import RegistrySettings
from ringtrue.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where registry files are put."""
    made = tmp_path / "registry"
    made.mkdir()
    return made


@pytest.fixture
def national(folder: Path) -> Settings:
    """The US registry, two area codes subscribed."""
    registry = RegistrySettings(kind="us_national", folder=str(folder), area_codes=("202", "415"), san="10-123")
    return Settings(registries={"national": registry})
