"""What an update leaves of a team's work, and what it brings."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, commit, files_of, parse, render
from teamwork import (
    MARKER,
    ROUTE,
    TEST_OF_ROUTE,
    THE_MARKER,
    append,
    conflicts,
    improve,
    release,
    released_template,
    substitute,
    update,
    update_after_teamwork,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that a team has worked on, updated."""
    folder = tmp_path_factory.mktemp("update")
    return update_after_teamwork(folder / "service", folder / "template")


def test_nothing_of_the_teams_is_lost(service: Path) -> None:
    """A route, a dependency and a line of the README are as the team left them."""
    files = files_of(service)
    router = files["src/trading_service/api/router.py"]
    assert files["src/trading_service/api/motto.py"] == ROUTE
    assert files["tests/api/test_motto.py"] == TEST_OF_ROUTE
    assert "from .motto import router as motto\n" in router
    assert f"{MARKER}\nrouter.include_router(motto)\n" in router
    assert "humanize>=4.17,<5" in dependencies(files)
    assert "Places orders, and has a motto.\n" in files["README.md"]


def test_what_the_template_improved_arrives(service: Path) -> None:
    """The same files, where they changed in the template, hold that change, too."""
    files = files_of(service)
    assert files["src/trading_service/core/errors/exceptions.py"].endswith("\nIMPROVED = True\n")
    assert "idna>=3.7,<4" in dependencies(files)
    assert "## Improved" in files["README.md"]


def test_nothing_conflicts(service: Path) -> None:
    """Copier reports a conflict as success: only the files tell."""
    assert conflicts(service) == []


def test_updated_files_parse(service: Path) -> None:
    """Two sides that each add a TOML table merge without a conflict, and are no TOML any more."""
    for name, text in files_of(service).items():
        parse(name, text)


def test_answers_are_unchanged(tmp_path: Path) -> None:
    """An answer that the template no longer takes would silently become its default."""
    template = released_template(tmp_path / "template")
    given = yaml.safe_load((ROOT / "tests" / "samples" / "full.yml").read_text())
    service = render(tmp_path / "service", template, **given)
    commit(service, "Render the template")
    before = answers(service)
    improve(template)
    release(template, "v1.1.0")
    after = answers(update(service))
    assert before.pop("_commit") == "v1.0.0"
    assert after.pop("_commit") == "v1.1.0"
    assert before == after
    assert given.items() <= after.items()


def test_update_of_an_untouched_service_is_a_fresh_render(tmp_path: Path) -> None:
    """Who changes nothing is where a newcomer starts."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template)
    commit(service, "Render the template")
    improve(template)
    release(template, "v1.1.0")
    assert files_of(update(service)) == files_of(render(tmp_path / "fresh", template))


def test_what_is_below_a_marker_merges_with_what_the_template_adds_above_it(tmp_path: Path) -> None:
    """That is what the markers are for, at each of them."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template)
    marked = [name for name, text in files_of(service).items() if MARKER in text]
    commit(service, "Render the template")
    for name in marked:
        substitute(service / name, THE_MARKER, r"\g<0>\n\1# the team's")
    commit(service, "Ours")
    for path in (template / "template").rglob("*"):
        if path.is_file():
            substitute(path, THE_MARKER, r"\1# the template's\n\g<0>")
    release(template, "v1.1.0")
    update(service)
    assert {"pyproject.toml", "src/trading_service/api/router.py"} <= set(marked)
    assert conflicts(service) == []
    merged = re.compile(rf" *# the template's\n *{MARKER}\n *# the team's\n")
    for name, text in files_of(service).items():
        assert len(merged.findall(text)) == text.count(MARKER), name


@pytest.mark.parametrize(("before", "after"), [("none", "both"), ("both", "slack")])
def test_changed_answer_brings_and_removes_what_it_is_about(
    tmp_path: Path, before: str, after: str
) -> None:
    """The team's own channel stays; all else is as if the answer had been given at first."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template, alerts=before)
    fresh = render(tmp_path / "fresh", template, alerts=after)
    commit(service, "Render the template")
    for folder in (service, fresh):
        channels = folder / "src" / "trading_service" / "notifications" / "__init__.py"
        substitute(channels, re.compile(r"( +# yours below\n)\]"), r"\1    Pager.configured,\n]")
    commit(service, "A channel of our own")
    update(service, alerts=after)
    assert conflicts(service) == []
    assert files_of(service) == files_of(fresh)


def test_conflict_would_be_seen_here(tmp_path: Path) -> None:
    """Both sides change one line: the check that finds no conflicts above finds this one."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template)
    commit(service, "Render the template")
    append(service / ".gitignore", "the team's\n")
    commit(service, "Ours")
    append(template / "template" / ".gitignore", "the template's\n")
    release(template, "v1.1.0")
    assert conflicts(update(service)) == [".gitignore"]


def dependencies(files: dict[str, str]) -> list[str]:
    listed: list[str] = tomllib.loads(files["pyproject.toml"])["project"]["dependencies"]
    return listed


def answers(service: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = yaml.safe_load((service / ".copier-answers.yml").read_text())
    return recorded
