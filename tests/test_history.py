"""Services that older versions of this template rendered can be updated to today's."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from jinja2.nodes import Filter, Name
from rendering import (
    ASKED,
    ROOT,
    SETTINGS,
    commit,
    files_of,
    git,
    parse,
    recorded_answers,
    render,
)
from teamwork import (
    THE_MARKER,
    append,
    conflicts,
    release,
    released_on_history,
    released_template,
    replace,
    substitute,
    update,
)

FIRST = "33ef4e5312e452bb5dcd8f833347d34b7d727a6d"  # that rendered a service
NEWEST = "19e694f378140ad8d487b24114eadc3ea4e204bb"  # of those that are old
OLD = {
    "first": FIRST,
    "before alerts": "b78b045543c36be268bae7213e1cfacd40bb4889",
    "with alerts": "5aa11f30c674be1b7eba2e3e59772b620718d932",
    "before core's wiring was its own": NEWEST,
}


def test_what_an_update_renders_early_minds_no_question_that_is_new() -> None:
    """It renders the old version with these lines and the old answers, which lack new ones.

    A name of a new question is undefined there, and copier ends with a traceback, unless the name
    has a default: that of its question.
    """
    early = [*SETTINGS["_exclude"], SETTINGS["_message_before_update"], SETTINGS["_subdirectory"]]
    late = {"_message_after_copy", "_min_copier_version", "_envops"}
    assert SETTINGS.keys() == {"_exclude", "_message_before_update", "_subdirectory"} | late
    named = 0
    for text in early:
        tree = Environment().parse(text)
        with_default = {
            (used.node.name, str(used.args[0].as_const()))
            for used in tree.find_all(Filter)
            if used.name == "default" and isinstance(used.node, Name)
        }
        names = [name.name for name in tree.find_all(Name) if not name.name.startswith("_")]
        named += len(names)
        assert with_default == {(name, str(ASKED[name]["default"])) for name in names}, text
    assert named


def test_a_new_question_breaks_no_older_service(tmp_path: Path) -> None:
    """The next version asks something, and leaves out a file by it."""
    template = released_template(tmp_path / "template")
    service = render(tmp_path / "service", template)
    commit(service, "Render the template")
    questions = template / "copier.yml"
    replace(questions, "# --- Which answer leaves", f"{NEW_QUESTION}\n# --- Which answer leaves")
    append(
        questions, """  - "{% if venue | default('none') == 'none' %}docs/venue.md{% endif %}"\n"""
    )
    (template / "template" / "docs" / "venue.md").write_text("# Venue\n")
    release(template, "v1.1.0")
    assert files_of(update(service)) == files_of(render(tmp_path / "fresh", template))
    assert recorded_answers(service)["venue"] == "none"
    commit(service, "Update")
    update(service, venue="okx")
    assert (service / "docs" / "venue.md").exists()


NEW_QUESTION = """\
venue:
  type: str
  help: Where orders are sent.
  default: none
  choices: [none, okx]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree, released on top of this repository's history."""
    return released_on_history(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize(
    ("version", "sample"),
    [
        pytest.param(FIRST, "minimal", id="first"),
        pytest.param(OLD["before alerts"], "full", id="before alerts", marks=pytest.mark.thorough),
        pytest.param(OLD["with alerts"], "minimal", id="with alerts", marks=pytest.mark.thorough),
        pytest.param(NEWEST, "full", id="newest"),
    ],
)
def test_update_of_an_untouched_old_service_is_a_fresh_render(
    tmp_path: Path, template: Path, version: str, sample: str
) -> None:
    """Whenever a service was rendered, an update brings it to where a newcomer starts."""
    given = answers_that_were_asked(template, version, sample)
    service = render(tmp_path / "service", template, version, **given)
    commit(service, "Render the template")
    fresh = render(tmp_path / "fresh", template, **given)
    assert files_of(update(service)) == files_of(fresh)


def test_update_of_an_old_service_may_answer_a_question_that_is_new(
    tmp_path: Path, template: Path
) -> None:
    """`copier update --defaults --data alerts=both`, where the old version knew no alerts."""
    service = render(tmp_path / "service", template, FIRST)
    commit(service, "Render the template")
    fresh = render(tmp_path / "fresh", template, alerts="both")
    assert files_of(update(service, alerts="both")) == files_of(fresh)


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(FIRST, id="first"),
        pytest.param(NEWEST, id="newest", marks=pytest.mark.thorough),
    ],
)
def test_update_of_an_old_service_loses_nothing_of_the_teams(
    tmp_path: Path, template: Path, version: str
) -> None:
    """What was added below a marker, in a new file, or to a document is still there."""
    service = render(tmp_path / "service", template, version)
    commit(service, "Render the template")
    mine = [name for name, text in files_of(service).items() if THE_MARKER.search(text)]
    for name in mine:
        substitute(service / name, THE_MARKER, r"\g<0>\n\1# the team's")
    (service / "src" / "trading_service" / "desk.py").write_text("# the team's\n")
    substitute(service / "README.md", re.compile(r"\A(.*)"), r"\1, the team's")
    commit(service, "Ours")
    files = files_of(update(service))
    assert len(mine) > 3
    for name in (*mine, "src/trading_service/desk.py", "README.md"):
        assert "the team's" in files[name], name
    for name in files.keys() - set(conflicts(service)):
        parse(name, files[name])


def answers_that_were_asked(template: Path, version: str, sample: str) -> dict[str, Any]:
    """The answers of a sample to the questions that an old version had."""
    answers = yaml.safe_load((ROOT / "tests" / "samples" / f"{sample}.yml").read_text())
    questions = yaml.safe_load(git(template, "show", f"{version}:copier.yml"))
    return {name: answer for name, answer in answers.items() if name in questions}
