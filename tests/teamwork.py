"""A team works on a service, the template moves on, and the service is updated.

`python tests/teamwork.py FOLDER` leaves the updated service in FOLDER; the nox session `update`
then runs that service's own checks. The files that the team adds are in `tests/team`, those of the
template in `tests/outbox`; what both add to the same files is in edits.py.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from copier import run_update
from edits import ABOVE, BELOW, CHANGED, IMPROVED
from rendering import ROOT, commit, copy_template, files_of, git, render

MARKER = "# yours below"
THE_MARKER = re.compile(rf"^( *)(?:{MARKER}|<!-- yours below -->)$", re.MULTILINE)

TEAM = ROOT / "tests" / "team"
OUTBOX = ROOT / "tests" / "outbox"


def update_after_teamwork(service: Path, folder: Path) -> Path:
    """Render, let a team work, change the template, update. `folder` is for the template."""
    template = released_template(folder)
    render(service, template)
    commit(service, "Render the template")
    work_on(service)
    commit(service, "A desk of our own")
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
    """Add what the team adds: new files, something below each marker, and a few changes."""
    head = newest_migration(service / "migrations" / "versions")
    add_files(TEAM, service, head)
    assert set(BELOW) == {name for name, text in files_of(service).items() if marks(text)}
    for name, additions in BELOW.items():
        insert_at_markers(service / name, additions, below=True)
    for name, old, new in CHANGED:
        replace(service / name, old, new)


def improve(template: Path) -> None:
    """Add an outbox to the template: files, something above each marker, and a few changes."""
    rendered = template / "template"
    add_files(OUTBOX, rendered, newest_migration(rendered / "migrations" / "versions"))
    for name, additions in ABOVE.items():
        insert_at_markers(rendered / name, additions, below=False)
    for name, old, new in IMPROVED:
        replace(rendered / name, old, new)
    exceptions = "src/{{ package_name }}/core/errors/exceptions.py"
    append(rendered / exceptions, "\n\nIMPROVED = True\n")


def add_files(tree: Path, folder: Path, head: str) -> None:
    """Copy a tree into a folder; its migration follows the newest one that is there."""
    shutil.copytree(tree, folder, dirs_exist_ok=True)
    for migration in (tree / "migrations" / "versions").iterdir():
        replace(folder / "migrations" / "versions" / migration.name, '"HEAD"', f'"{head}"')


def newest_migration(versions: Path) -> str:
    """The revision that no other one follows."""
    text = "".join(path.read_text() for path in versions.glob("*.py"))
    revisions = set[str](re.findall(r'^revision.* = "(\w+)"', text, re.MULTILINE))
    followed = set[str](re.findall(r'^down_revision.* = "(\w+)"', text, re.MULTILINE))
    (newest,) = revisions - followed
    return newest


def marks(text: str) -> int:
    """How many markers a text has."""
    return len(THE_MARKER.findall(text))


def insert_at_markers(path: Path, additions: Sequence[str | None], *, below: bool) -> None:
    """Insert a text below each marker of a file, or above it; None is nothing."""
    text = path.read_text()
    assert marks(text) == len(additions), f"{path.name} has {marks(text)} markers"
    added = iter(additions)

    def insert(marker: re.Match[str]) -> str:
        addition = next(added) or ""
        return f"{marker[0]}{addition}" if below else f"{addition}{marker[0]}"

    whole_line = re.compile(f"{THE_MARKER.pattern}\n", re.MULTILINE)
    path.write_text(whole_line.sub(insert, text))


def insert_below(path: Path, start: str, line: str) -> None:
    """Insert a line below the first one that starts with `start`, spaces aside."""
    lines = path.read_text().splitlines()
    index = next(index for index, line in enumerate(lines) if line.strip().startswith(start))
    lines.insert(index + 1, line)
    path.write_text("\n".join(lines) + "\n")


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
