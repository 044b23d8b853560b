"""Processes that write back and can be killed while they do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.pipeline.project import Project
from tests.stand_ins import ROOT


class Deliverer:
    """Starts one write-back after the other, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    def ready(self, name: str) -> int:
        """A process that is ready to write to a CRM; its id."""
        self._write(name)
        return self._read("ready")

    def go(self) -> None:
        """Let it write."""
        self._write("go")

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self._read("ended")

    def _write(self, line: str) -> None:
        self._input.write(f"{line}\n")
        self._input.flush()

    def _read(self, word: str) -> int:
        said, _, value = self._output.readline().partition(" ")
        assert said == word
        return int(value)


@contextmanager
def delivering(project: Project) -> Iterator[Deliverer]:
    """A Deliverer for a project."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.stages"],
        cwd=ROOT,
        env={**os.environ, **project.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Deliverer(process)
        assert process.stdin is not None
        process.stdin.close()
