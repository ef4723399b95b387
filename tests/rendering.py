"""The verbs of these tests: render a service, look at its files, keep both in git."""

import ast
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy
from quick_copier import make_quick

make_quick()

ROOT = Path(__file__).parent.parent
_COPIER = yaml.safe_load((ROOT / "copier.yml").read_text())
SETTINGS: dict[str, Any] = {name: value for name, value in _COPIER.items() if name[0] == "_"}
QUESTIONS: dict[str, Any] = {name: value for name, value in _COPIER.items() if name[0] != "_"}
ASKED = {name: question for name, question in QUESTIONS.items() if question.get("when", True)}


def render(
    service: Path, template: Path | None = None, version: str | None = None, **answers: Any
) -> Path:
    """Render the template without --trust; what is not answered has its default.

    `version` is a commit or tag of `template`; without it, the newest release is rendered.
    """
    if template is None:  # it is the same for the same answers, as a test says
        kept = _rendered(json.dumps(answers, sort_keys=True))
        shutil.copytree(kept, service, symlinks=True, dirs_exist_ok=True)
        return service
    run_copy(
        str(template),
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
        answers_after(**answers)
    except ValueError as error:
        return str(error).partition(": ")[2]
    return ""


def answers_after(**answers: Any) -> dict[str, Any]:
    """Every answer that is recorded where these are given. Raises ValueError if one is refused."""
    with tempfile.TemporaryDirectory() as folder:
        service = render(Path(folder), questions_only(), **answers)
        return recorded_answers(service)


def recorded_answers(service: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = yaml.safe_load((service / ".copier-answers.yml").read_text())
    return recorded


@cache
def questions_only() -> Path:
    """A template that asks what this one asks, and renders nothing but the answers."""
    folder = _temporary("questions-")
    answers = "template/{{ _copier_conf.answers_file }}.jinja"
    for name in ("copier.yml", answers):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def copy_template(folder: Path) -> Path:
    """Copy the template as it is in the working tree, committed or not, without its history."""
    listing = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in listing.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@cache
def _rendered(answers: str) -> Path:
    """The template in the working tree, rendered with these answers, in JSON."""
    return render(_temporary("service-"), _template(), **json.loads(answers))


@cache
def _template() -> Path:
    return copy_template(_temporary("template-"))


def _temporary(prefix: str) -> Path:
    """A folder that is there as long as these tests run."""
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


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


def assert_succeeds(module: str, *args: str, folder: Path) -> None:
    """Run a module of this Python in a folder; fail with what it prints if it fails."""
    command = [sys.executable, "-m", module, *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
