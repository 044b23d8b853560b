"""Tables: built from what is installed, cached safely, and honest about what they do not know."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import phonenumbers
import pytest

from ringtrue.numbering import tables
from ringtrue.numbering.automata import DigitTables
from ringtrue.numbering.builder import digit_symbols
from ringtrue.numbering.regex import Nfa, UnsupportedPatternError
from tests.numbers.corpus import number_tables

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ringtrue"


def test_cached_tables_are_what_building_gives(cache: Path) -> None:
    built = tables.load()
    assert [file.name for file in cache.iterdir()] == [f"numbers-{tables._key()}.bin"]
    started = time.process_time()
    assert tables.load() == built == tables.build()
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:500] + b"\1" + data[501:], lambda _: b""]
)
def test_a_damaged_cache_is_built_again(cache: Path, damage: object) -> None:
    built = tables.load()
    file = next(cache.iterdir())
    assert callable(damage)
    file.write_bytes(damage(file.read_bytes()))
    assert tables.load() == built
    assert zlib.crc32(file.read_bytes()[4:]) == int.from_bytes(file.read_bytes()[:4], "little")


def test_another_version_never_uses_these_tables(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tables._key()
    monkeypatch.setattr(phonenumbers, "__version__", "0.0.0")
    assert tables._key() != key
    tables.load()
    assert [file.name for file in cache.iterdir()] == [f"numbers-{tables._key()}.bin"]


def test_a_folder_that_cannot_be_written_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(tables.load()) > 100_000


def test_two_builders_at_once_leave_one_good_file(cache: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tables.load(), range(2))
    assert first == second == tables.load()
    assert len(list(cache.iterdir())) == 1


def test_every_region_is_in_the_tables() -> None:
    assert not [plan for plan in number_tables().plans if plan.slow]
    assert set(number_tables().plan_of_region) >= set(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize("pattern", ["(?=1)2", "1*?2", r"(\d)\1", "(?i:1)2", r"\b12", "(?<!1)2", "1(?:2$|3)4"])
def test_an_unknown_construct_is_refused(pattern: str) -> None:
    nfa = Nfa()

    def compile_it() -> None:
        DigitTables().add(nfa, [nfa.add(pattern, "tag")], digit_symbols(nfa), lambda *_: 0)

    with pytest.raises(UnsupportedPatternError):
        compile_it()


PIN = r"""
import sys; sys.path.insert(0, {root!r})
from re import _parser as p, _constants as c
def nodes(pattern):
    found, todo = set(), [p.parse(pattern)]
    while todo:
        for op, value in todo.pop():
            found.add(str(op))
            if op is c.BRANCH: todo += value[1]
            elif op is c.SUBPATTERN: todo.append(value[3])
            elif op is c.MAX_REPEAT: todo.append(value[2])
            elif op is c.IN: found |= {{f"IN {{kind}}" for kind, _ in value}}
    return sorted(found)
print(nodes(r"(?:0|[1-9]\d{{2,4}}(5)?|[^\w#]6|[27])$"))
"""
NODES = [
    "AT",
    "BRANCH",
    "IN",
    "IN CATEGORY",
    "IN LITERAL",
    "IN NEGATE",
    "IN RANGE",
    "LITERAL",
    "MAX_REPEAT",
    "SUBPATTERN",
]


def version_of(python: str) -> str:
    done = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True, check=False
    )
    return done.stdout


def pythons_here() -> list[str]:
    """This Python, and every other supported one that the machine has."""
    named = [sys.executable, "python3.11", "python3.12", "python3.13", "python3.14"]
    found = [path for name in named if (path := shutil.which(name)) is not None]
    return [path for path in dict.fromkeys(found) if re.match(r"3\.1[1-4]\.", version_of(path))]


@pytest.mark.parametrize("python", pythons_here())
def test_the_private_parser_still_speaks_of_the_same_nodes(python: str) -> None:
    done = subprocess.run([python, "-c", PIN.format(root=str(ROOT))], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(NODES)


COLD = """
import time
import zlib
import pandas, phonenumbers, pyarrow
pyarrow.array([1])
started = time.perf_counter()
from ringtrue.numbering import plans_of, read
read(pyarrow.array(["+15062345678"]), plans_of(None, 1))
print(time.perf_counter() - started)
"""


def test_importing_with_cached_tables_is_quick(cache: Path) -> None:
    tables.load()
    times = [
        float(subprocess.run([sys.executable, "-c", COLD], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.5, times
