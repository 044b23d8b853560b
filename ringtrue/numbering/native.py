"""The kernel, where it was built."""

from __future__ import annotations

try:
    from ringtrue.numbering import _kernel as kernel
except ImportError:
    KERNEL = False
else:
    KERNEL = True

__all__ = ["KERNEL", "kernel"]
