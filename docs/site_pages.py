"""Hook of mkdocs.yml: pages that stand outside docs/ (README, CHANGELOG, benchmarks …) join the site, and their links are turned to it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = ("README.md", "README.zh.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "ringtrue.toml")
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def place_in_site(path: str) -> str:
    """Where a file of the repository stands in the site: docs/ is its root, README.md its first page."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return {"README.md": "index.md"}.get(path, path)


def place_in_repository(path: str) -> str:
    """The reverse of `place_in_site`."""
    if path == "index.md":
        return "README.md"
    return path if path in OUTSIDE or path.startswith("benchmarks/") else f"docs/{path}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    paths = [path for path in OUTSIDE if (ROOT / path).exists()]
    paths += [
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.md", "*.py", "**/*.png")
        for path in (ROOT / "benchmarks").glob(pattern)
    ]
    for path in paths:
        files.append(File.generated(config, place_in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Links are written for readers of the repository; here they lead to the same files in the site."""
    here = place_in_repository(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[2]))
        goal = posixpath.relpath(place_in_site(target), posixpath.dirname(page.file.src_uri) or ".")
        return f"{match[1]}{goal}{match[3]}"

    return LINK.sub(turned, markdown)


def on_nav(nav: Navigation, files: Files, **_: object) -> Navigation:
    """A page that no reader can find is an error, unless it is a measurement: benchmarks/README.md leads to those."""
    listed = {page.file.src_uri for page in nav.pages}
    lost = [
        file.src_uri
        for file in files.documentation_pages()
        if file.src_uri not in listed and not file.src_uri.startswith("benchmarks/")
    ]
    if lost:
        raise PluginError(f"Give these pages a place in the nav of mkdocs.yml: {', '.join(sorted(lost))}.")
    return nav
