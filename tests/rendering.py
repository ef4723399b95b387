"""The verbs of these tests: render a service, look at its files, keep both in git."""

import ast
import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy

ROOT = Path(__file__).parent.parent
QUESTIONS: dict[str, Any] = {
    name: question
    for name, question in yaml.safe_load((ROOT / "copier.yml").read_text()).items()
    if not name.startswith("_")
}
ASKED = {name: question for name, question in QUESTIONS.items() if question.get("when", True)}


def render(
    service: Path, template: Path | None = None, version: str | None = None, **answers: Any
) -> Path:
    """Render the template without --trust; what is not answered has its default.

    `version` is a commit or tag of `template`; without it, the newest release is rendered.
    """
    run_copy(
        str(template or _template().name),
        service,
        data=answers,
        vcs_ref=version,
        defaults=True,
        unsafe=False,
        quiet=True,
    )
    return service


def refusal_of(**answers: Any) -> str:
    """The sentence with which the template refuses these answers; empty if it takes them."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            run_copy(
                _template().name, folder, data=answers, defaults=True, quiet=True, pretend=True
            )
    except ValueError as error:
        return str(error).partition(": ")[2]
    return ""


def copy_template(folder: Path) -> Path:
    """Copy the template as it is in the working tree, committed or not, without its history."""
    listing = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in listing.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="template-")
    copy_template(Path(folder.name))
    return folder


def files_of(folder: Path) -> dict[str, str]:
    """The text of each file below a folder, git's own aside; by path from the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def parse(name: str, text: str) -> None:
    """Fail if a file is not what the suffix of its name says."""
    try:
        PARSERS.get(Path(name).suffix, str)(text)
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        pytest.fail(f"{name}: {error}")


PARSERS: dict[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
}


def commit(folder: Path, message: str) -> None:
    """Commit all that is in a folder, which becomes a git repository where it is none."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={message}")


def git(folder: Path, *args: str) -> str:
    """Run git as somebody, whatever this machine's configuration; return what it prints."""
    somebody = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in {"NAME": "Somebody", "EMAIL": "somebody@example.com"}.items()
    }
    return subprocess.run(
        ["git", *args],
        cwd=folder,
        env={**os.environ, **somebody},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
