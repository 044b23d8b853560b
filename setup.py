"""Builds the kernel of ringtrue.numbering. It is optional: without a compiler phonenumbers itself reads the numbers."""

from __future__ import annotations

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "ringtrue.numbering._kernel",
            [f"ringtrue/numbering/{name}.c" for name in ("kernel", "mend", "ragged")],
            depends=["ringtrue/numbering/kernel.h"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
