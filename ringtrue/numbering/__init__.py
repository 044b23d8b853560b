"""Exact reading of numbers in batches: tables compiled from phonenumbers' metadata and the kernel that walks them."""

from __future__ import annotations

from ringtrue.numbering.reader import kernel_status, plans_of, read

__all__ = ["kernel_status", "plans_of", "read"]
