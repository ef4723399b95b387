"""A team works on a service, the template moves on, and the service is updated.

`python tests/teamwork.py FOLDER` leaves the updated service in FOLDER; the nox session `update`
then runs that service's own checks.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from copier import run_update
from rendering import ROOT, commit, copy_template, files_of, git, render

MARKER = "# yours below"
THE_MARKER = re.compile(rf"^( *){MARKER}$", re.MULTILINE)

ROUTE = '''\
"""`/v1/motto`"""

from fastapi import APIRouter
from humanize import intword

from .security import ReadAccount

router = APIRouter(prefix="/motto", tags=["motto"])


@router.get("", summary="What we are here for")
async def read(_account: ReadAccount) -> dict[str, str]:
    return {"motto": f"Make {intword(1_000_000)}"}
'''

TEST_OF_ROUTE = """\
import httpx


async def test_motto_is_read(trader: httpx.AsyncClient) -> None:
    answer = await trader.get("/v1/motto")

    assert answer.json() == {"motto": "Make 1.0 million"}
"""


def update_after_teamwork(service: Path, folder: Path) -> Path:
    """Render, let a team work, change the template, update. `folder` is for the template."""
    template = released_template(folder)
    render(service, template)
    commit(service, "Render the template")
    work_on(service)
    commit(service, "A route, a dependency, a README of our own")
    improve(template)
    release(template, "v1.1.0")
    return update(service)


def released_template(folder: Path) -> Path:
    """A copy of the template in the working tree, released as 1.0.0."""
    template = copy_template(folder)
    release(template, "v1.0.0")
    return template


def released_on_history(template: Path) -> Path:
    """A clone of this repository in which the working tree is released as 1.0.0."""
    if git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.fail("old versions are rendered here: run `git fetch --unshallow` first")
    git(ROOT, "clone", "--quiet", "--no-checkout", "--no-tags", ".", str(template))
    copy_template(template)
    release(template, "v1.0.0")
    return template


def release(template: Path, version: str) -> None:
    commit(template, version)
    git(template, "tag", version)


def update(service: Path, **answers: Any) -> Path:
    """`copier update --defaults`, without --trust; what is not answered stays as it was."""
    run_update(service, answers, defaults=True, overwrite=True, unsafe=False, quiet=True)
    return service


def work_on(service: Path) -> None:
    """Add a route with its test, and a dependency; change a line of the README."""
    package = service / "src" / "trading_service"
    (package / "api" / "motto.py").write_text(ROUTE)
    (service / "tests" / "api" / "test_motto.py").write_text(TEST_OF_ROUTE)
    router = package / "api" / "router.py"
    insert_below(router, "from . import", "from .motto import router as motto")
    append(router, "router.include_router(motto)\n")
    insert_below(service / "pyproject.toml", MARKER, '    "humanize>=4.17,<5",')
    replace(service / "README.md", "Places and tracks orders.", "Places orders, and has a motto.")


def improve(template: Path) -> None:
    """Change the files that the team has changed, and one of `core`."""
    core = template / "template" / "src" / "{{ package_name }}" / "core"
    append(core / "errors" / "exceptions.py", "\n\nIMPROVED = True\n")
    pyproject = template / "template" / "pyproject.toml.jinja"
    insert_above(pyproject, MARKER, '    "idna>=3.7,<4",')
    append(template / "template" / "README.md.jinja", "\n## Improved\n\nBy an update.\n")


def insert_below(path: Path, start: str, line: str) -> None:
    """Insert a line below the first one that starts with `start`, spaces aside."""
    lines = path.read_text().splitlines()
    lines.insert(line_that_starts(lines, start) + 1, line)
    path.write_text("\n".join(lines) + "\n")


def insert_above(path: Path, start: str, line: str) -> None:
    """Insert a line above the first one that starts with `start`, spaces aside."""
    lines = path.read_text().splitlines()
    lines.insert(line_that_starts(lines, start), line)
    path.write_text("\n".join(lines) + "\n")


def line_that_starts(lines: list[str], start: str) -> int:
    return next(index for index, line in enumerate(lines) if line.strip().startswith(start))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1))


def substitute(path: Path, pattern: re.Pattern[str], by: str) -> None:
    path.write_text(pattern.sub(by, path.read_text()))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def conflicts(service: Path) -> list[str]:
    """The files that an update left for a person to resolve."""
    unmerged = git(service, "diff", "--name-only", "--diff-filter=U").splitlines()
    marked = [
        name
        for name, text in files_of(service).items()
        if name.endswith(".rej") or "\n<<<<<<< " in f"\n{text}"
    ]
    return sorted({*unmerged, *marked})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        update_after_teamwork(Path(sys.argv[1]), Path(folder))
