"""What an update leaves of a team's work, and what it brings."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from edits import ABOVE, BELOW, CHANGED
from rendering import ROOT, assert_succeeds, commit, files_of, parse, recorded_answers, render
from teamwork import (
    MARKER,
    OUTBOX,
    TEAM,
    THE_MARKER,
    append,
    conflicts,
    improve,
    marks,
    release,
    released_template,
    substitute,
    update,
    update_after_teamwork,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that a team has worked on, updated to a version that has an outbox."""
    folder = tmp_path_factory.mktemp("update")
    return update_after_teamwork(folder / "service", folder / "template")


def test_nothing_of_the_teams_is_lost(service: Path) -> None:
    """Its files, what it added below each marker, and the lines that it changed."""
    files = files_of(service)
    theirs = {name: text for name, text in files_of(TEAM).items() if "versions" not in name}
    assert theirs.items() <= files.items()
    for name, additions in BELOW.items():
        for addition in additions:
            assert addition in files[name]
    for name, _, changed in CHANGED:
        assert changed in files[name]


def test_what_the_template_adds_arrives(service: Path) -> None:
    """New files, and what it added to those that the team has changed as well."""
    files = files_of(service)
    for name in files_of(OUTBOX):
        assert rendered(name) in files
    for name, additions in ABOVE.items():
        for addition in filter(None, additions):
            assert rendered(addition) in files[rendered(name)]
    assert files[f"{PACKAGE}/core/errors/exceptions.py"].endswith("\nIMPROVED = True\n")


def test_both_sides_stand_in_the_list_they_were_added_to(service: Path) -> None:
    """A dependency that lands in the wrong list is a lost one."""
    pyproject = tomllib.loads((service / "pyproject.toml").read_text())
    project, tool = pyproject["project"], pyproject["tool"]
    dev = pyproject["dependency-groups"]["dev"]
    assert {"humanize>=4.17,<5", "idna>=3.7,<4"} <= set(project["dependencies"])
    assert {"dirty-equals>=0.9,<1", "iniconfig>=2,<3"} <= set(dev)
    extras = {"otel", "sweep", "parquet", "research", "outbox"}
    assert project["optional-dependencies"].keys() == extras
    assert {"desk-report", "trading-service-outbox"} < project["scripts"].keys()
    assert {"desk", "(ledger)"} <= set(tool["importlinter"]["contracts"][0]["layers"])
    assert {"desk", "outbox"} <= tool.keys()
    compose = yaml.safe_load((service / "deploy" / "compose.yaml").read_text())
    assert {"report", "dispatcher"} <= compose["services"].keys()
    assert {"desk", "outbox"} <= compose["volumes"].keys()
    workflow = yaml.safe_load((service / ".github" / "workflows" / "ci.yml").read_text())
    assert {"report", "outbox"} <= workflow["jobs"].keys()


def test_the_updated_service_is_formatted_and_linted(service: Path) -> None:
    """Imports that a team wrote as it liked stay below the marker."""
    assert_succeeds("ruff", "format", "--no-cache", "--diff", folder=service)
    assert_succeeds("ruff", "check", "--no-cache", "--output-format=concise", folder=service)


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
    before = recorded_answers(service)
    improve(template)
    release(template, "v1.1.0")
    after = recorded_answers(update(service))
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


def test_what_is_below_a_marker_merges_with_what_the_template_adds_above_it(
    tmp_path: Path,
) -> None:
    """That is what the markers are for, at each of them."""
    template = released_template(tmp_path / "template")
    given = yaml.safe_load((ROOT / "tests" / "samples" / "full.yml").read_text())
    service = render(tmp_path / "service", template, **given)
    marked = {name for name, text in files_of(service).items() if marks(text)}
    commit(service, "Render the template")
    for name in marked:
        substitute(service / name, THE_MARKER, r"\g<0>\n\1# the team's")
    commit(service, "Ours")
    for path in (template / "template").rglob("*"):
        if path.is_file():
            substitute(path, THE_MARKER, r"\1# the template's\n\g<0>")
    release(template, "v1.1.0")
    update(service)
    assert len(marked) >= len(BELOW) - 1  # GitLab's instead of GitHub's CI
    assert conflicts(service) == []
    merged = re.compile(r" *# the template's\n.* yours below.*\n *# the team's\n")
    for name, text in files_of(service).items():
        assert len(merged.findall(text)) == marks(text), name


@pytest.mark.parametrize("module", [name for name in BELOW if name.startswith("src/")])
def test_an_import_right_below_the_marker_stays_there(tmp_path: Path, module: str) -> None:
    """However it is spelled: `ruff check --fix` would merge it into the template's own line."""
    service = render(tmp_path / "service")
    path = service / module
    dots = "." * module.removeprefix(f"{PACKAGE}/").count("/") + "."
    natural = f"from {dots} import desks\nfrom {dots}alpha import beta\n"
    text = path.read_text().replace(f"\n{MARKER}\n", f"\n{MARKER}\n{natural}", 1)
    path.write_text(f"{text}\n\nOURS = [desks, beta]\n")
    assert f"{MARKER}\n{natural}" in path.read_text()
    before = path.read_text()
    assert_succeeds("ruff", "check", "--no-cache", "--fix", folder=service)
    assert_succeeds("ruff", "format", "--no-cache", folder=service)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("before", "after"),
    [("both", "slack"), pytest.param("none", "both", marks=pytest.mark.thorough)],
)
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
        field = r"\1    pager: PagerSettings = PagerSettings()\n\n\n_CHANNELS"
        substitute(channels, re.compile(r"(    # yours below\n)\n\n_CHANNELS"), field)
        assert channels.read_text().count("Pager") == 3
    commit(service, "A channel of our own")
    update(service, alerts=after)
    assert conflicts(service) == []
    assert files_of(service) == files_of(fresh)


def test_strategies_that_are_switched_off_and_on_again_leave_no_trace(tmp_path: Path) -> None:
    """Each time, the service is what the answer would have rendered at first."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template)
    commit(service, "Render the template")
    for strategies in ([], ["grid", "hyperrsi"]):
        fresh = render(tmp_path / f"fresh-{len(strategies)}", template, strategies=strategies)
        assert files_of(update(service, strategies=strategies)) == files_of(fresh)
        commit(service, "Update")


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


PACKAGE = "src/trading_service"


def rendered(text: str) -> str:
    """A name or text of the template's, in the service."""
    for name, value in {
        "package_name": "trading_service",
        "project_slug": "trading-service",
    }.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text.removesuffix(".jinja")
