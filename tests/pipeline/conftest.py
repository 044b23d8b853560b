"""Projects to test with: `shared` by the tests of a module that make their own records, `project` for one test alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.pipeline.killing import Deliverer, delivering
from tests.pipeline.project import Project, make_home, open_project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import running_sandbox

CONTACTS = 300
FEW = 20


@pytest.fixture(scope="session")
def prepared_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's folder whose CRMs have RingTrue's fields: copied for each test, so that each starts alike."""
    home = tmp_path_factory.mktemp("world")
    with running_sandbox(home, "--seed", "11", "--contacts", str(CONTACTS)) as sandbox:
        project = open_project(make_home(tmp_path_factory.mktemp("prepare")), sandbox)
        project.prepare()
        project.close()
    return home


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's folder with few people in it, prepared, for tests that make the records they look at."""
    home = tmp_path_factory.mktemp("small")
    with running_sandbox(home, "--seed", "11", "--contacts", str(FEW)) as sandbox:
        open_project(make_home(tmp_path_factory.mktemp("prepare")), sandbox).prepare()
    return home


@pytest.fixture(scope="module")
def shared_project(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One sandbox and one ledger for a module, each CRM synced once."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(small_world, folder / "sandbox")
    with (
        running_sandbox(folder / "sandbox", "--seed", "11", "--contacts", str(FEW)) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        opened = open_project(make_home(folder), sandbox)
        for name, value in opened.environment.items():
            patch.setenv(name, value)
        for name in ("salesforce", "hubspot"):
            plan(opened.settings(), name)
            deliver(opened.settings(), name)
        yield opened


@pytest.fixture
def shared(shared_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The module's project with its own settings, no fault, and nothing left to do for either CRM."""
    for name, value in shared_project.environment.items():
        monkeypatch.setenv(name, value)
    shared_project.write_settings()
    for name in ("salesforce", "hubspot"):
        shared_project.sandbox[name].clear_faults()
        shared_project.sandbox[name].reset_stats()
    return shared_project


@pytest.fixture
def project(prepared_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project over a fresh copy of the prepared world, with its settings in force."""
    home = tmp_path / "sandbox"
    shutil.copytree(prepared_world, home)
    with running_sandbox(home, "--seed", "11", "--contacts", str(CONTACTS)) as sandbox:
        opened = open_project(make_home(tmp_path), sandbox)
        for name, value in opened.environment.items():
            monkeypatch.setenv(name, value)
        yield opened
        opened.close()


@pytest.fixture
def small_projects(small_world: Path, tmp_path: Path) -> Iterator[Callable[[], Project]]:
    """Opens projects over copies of one small world, to compare them with each other."""
    with ExitStack() as stack:

        def make() -> Project:
            home = Path(mkdtemp(dir=tmp_path))
            shutil.copytree(small_world, home / "sandbox")
            running = running_sandbox(home / "sandbox", "--seed", "11", "--contacts", str(FEW))
            return open_project(make_home(home), stack.enter_context(running))

        yield make


@pytest.fixture(scope="module")
def deliverer(shared_project: Project) -> Iterator[Deliverer]:
    """Writes back for the module's project in processes that can be killed."""
    with delivering(shared_project) as found:
        yield found
