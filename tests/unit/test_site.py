"""script/site: every page is in the navigation, no link is broken, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDS_BUILDER = pytest.mark.skipif(
    not Path(sys.executable).with_name("zensical").exists(), reason="needs zensical, the builder of the site"
)


def pages(entries: list[Any]) -> Iterator[str]:
    """All pages below entries of the navigation."""
    for entry in entries:
        (below,) = entry.values()
        if isinstance(below, str):
            yield below
        else:
            yield from pages(below)


def test_every_page_is_in_the_navigation_once() -> None:
    settings = tomllib.loads((REPOSITORY / "zensical.toml").read_text())
    found = sorted(str(path.relative_to(REPOSITORY / "docs")) for path in (REPOSITORY / "docs").rglob("*.md"))
    assert sorted(pages(settings["project"]["nav"])) == found


def site(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(repository / "script" / "site"), *arguments], capture_output=True, text=True
    )


@NEEDS_BUILDER
def test_it_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = site(REPOSITORY, str(tmp_path / "site"))
    assert (done.returncode, done.stderr) == (0, "")
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) > 20
    for page in built:
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]*)\"", page.read_text())
        loaded += re.findall(r"<link\b[^>]*\brel=\"?(?:stylesheet|icon)\"?[^>]*\bhref=\"([^\"]*)\"", page.read_text())
        assert not [address for address in loaded if re.match(r"(?:\w+:)?//", address)], page
    assert "/blob/main/SECURITY.md" in (tmp_path / "site" / "convert" / "index.html").read_text()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository of two pages."""
    (tmp_path / "script").mkdir()
    shutil.copy(REPOSITORY / "script" / "site", tmp_path / "script")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[Other](other.md)\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "x"\nrepo_url = "https://example.org/x"\n')
    return tmp_path


@NEEDS_BUILDER
@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("gone.md", "script/site: broken links: index.md:1:5\n"),
        ("../gone.md", "script/site: docs/index.md links to ../gone.md, which is not there\n"),
    ],
)
def test_a_broken_link_ends_it(copy: Path, link: str, message: str) -> None:
    (copy / "docs" / "index.md").write_text(f"[x]({link})\n")
    done = site(copy)
    assert (done.returncode, done.stderr) == (1, message)
    assert not (copy / "site").exists()


@NEEDS_BUILDER
def test_it_replaces_a_site_and_no_other_folder(copy: Path) -> None:
    assert site(copy).returncode == 0
    assert site(copy).returncode == 0
    (copy / "mine").mkdir()
    (copy / "mine" / "letter.txt").write_text("dear")
    done = site(copy, str(copy / "mine"))
    assert done.returncode == 1
    assert "holds something else than a site" in done.stderr
    assert (copy / "mine" / "letter.txt").read_text() == "dear"
