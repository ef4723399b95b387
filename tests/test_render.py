"""What is rendered, whatever the answers."""

import re
import tomllib
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from allpairspy import AllPairs
from rendering import (
    ASKED,
    QUESTIONS,
    ROOT,
    assert_succeeds,
    commit,
    copy_template,
    files_of,
    git,
    parse,
    recorded_answers,
    render,
)

# Answers worth rendering. Names short and long, early and late in the alphabet: formatters wrap
# lines by their length and sort imports by their names. Linters take some letters for others.
ANSWERS: dict[str, list[Any]] = {
    "project_name": ["Trading Service", "Söhne & Co.'s desk: #9 <eu> – 2× α’s：트레이딩"],
    "project_slug": ["trading-service", "a", "zz-desk" + "-of-the-ninth-floor" * 2],
    "package_name": ["trading_service", "a", "zz_desk_of_the_tenth_floors"],
    "description": [
        "Places and tracks orders.",
        "The desk’s – 2× α： 100 % #1 & <b>," + " long" * 20,
    ],
    "owner": ["Trading Team", "Ünal’s – #1 & 'Partner'：α"],
    "license": ASKED["license"]["choices"],
    "python_version": ASKED["python_version"]["choices"],
    "http_port": ["8000", "65535"],
    "ci": ASKED["ci"]["choices"],
    "alerts": ASKED["alerts"]["choices"],
    "strategies": [["grid", "hyperrsi"], [], ["grid"], ["hyperrsi"]],
}
# Those that leave files out, and names by which formatters wrap, also alone.
ONE_BY_ONE = [
    {name: value}
    for name in ("package_name", "license", "ci", "alerts", "strategies")
    for value in ANSWERS[name][1:]
]
PAIRS = [dict(zip(ANSWERS, row, strict=True)) for row in AllPairs(list(ANSWERS.values()))]


def name_of(answers: dict[str, Any]) -> str:
    """One answer as it is; of many the place of each in ANSWERS."""
    if len(answers) < 2:
        return "".join(f"{name}={value}" for name, value in answers.items()) or "defaults"
    return "-".join(str(ANSWERS[name].index(value)) for name, value in answers.items())


@pytest.fixture(scope="module", params=[{}, *ONE_BY_ONE, *PAIRS], ids=name_of)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service for every answer that changes much, then for every pair of answers."""
    return render(tmp_path_factory.mktemp("service"), **request.param)


def test_every_question_is_answered_here() -> None:
    """A question that is added is rendered with each of its answers."""
    assert set(ANSWERS) == set(ASKED)


def test_files_parse(service: Path) -> None:
    """A file is what its suffix says."""
    for name, text in files_of(service).items():
        parse(name, text)


# GitHub's own is `${{ }}`.
JINJA = re.compile(r"(?<!\$)\{\{|\{%|\{#|\.jinja\b|_copier_conf")
WITH_BRACES_OF_THEIR_OWN = {
    "deploy/grafana/dashboard.json",
    "deploy/prometheus/rules.yml",
    "deploy/prometheus/strategies.yml",
}
LABELS = re.compile(r"\{\{ ?(?:\$labels\.)?\w+ ?\}\}|\{\{ \$value(?: \| \w+)? \}\}")


def test_no_jinja_is_left(service: Path) -> None:
    """Neither a file's name nor its text holds anything that was to be rendered."""
    for name, text in files_of(service).items():
        assert not JINJA.search(name)
        if name in WITH_BRACES_OF_THEIR_OWN:
            text = LABELS.sub("", text)  # noqa: PLW2901
        assert not [line for line in text.splitlines() if JINJA.search(line)], name


def test_formatter_has_nothing_to_do(service: Path) -> None:
    """A line that the formatter changed later would look like a change of the team's."""
    assert_succeeds("ruff", "format", "--no-cache", "--diff", folder=service)


def test_linter_finds_nothing(service: Path) -> None:
    """The first lint of a new service is green."""
    assert_succeeds("ruff", "check", "--no-cache", "--output-format=concise", folder=service)


def test_text_files_end_in_one_newline(service: Path) -> None:
    """Nobody's editor changes a file on saving it."""
    for name, text in files_of(service).items():
        assert not text or re.search(r"[^\s]\n\Z", text), name
        assert not re.search(r"[ \t]+\n", text), name


def test_answers_are_recorded_and_nothing_else(service: Path) -> None:
    """The next update starts from the answers of this one."""
    recorded = recorded_answers(service)
    assert set(recorded) - {"_commit", "_src_path"} == set(ASKED)


def test_every_character_that_is_taken_is_rendered_as_it_is(tmp_path: Path) -> None:
    """And neither the formatter nor the linter minds it."""
    refused = re.compile(QUESTIONS["no_text"]["default"])
    codes = (*range(0x20, 0x3100), *range(0xFE00, 0x10000), *range(0x1F300, 0x1F700))
    text = (
        f"a{''.join(c for c in map(chr, codes) if category(c) != 'Cn' and not refused.match(c))}z"
    )
    given: dict[str, Any] = {
        "project_name": text,
        "project_slug": "a",
        "description": text,
        "owner": text,
    }
    service = render(tmp_path, **given)
    project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": text}]
    assert f"# {text}\n" in (service / "README.md").read_text()
    assert recorded_answers(service).items() >= given.items()
    for name, content in files_of(service).items():
        parse(name, content)
    assert_succeeds("ruff", "format", "--no-cache", "--diff", folder=service)
    assert_succeeds("ruff", "check", "--no-cache", "--output-format=concise", folder=service)


def test_two_renders_are_identical(tmp_path: Path) -> None:
    """Nothing rendered depends on the time, on chance, or on where it is rendered."""
    template = copy_template(tmp_path / "template")
    first, second = render(tmp_path / "a", template), render(tmp_path / "b" / "c", template)
    assert files_of(first) == files_of(second)


def test_no_path_of_this_machine_is_rendered(tmp_path: Path) -> None:
    """The template's own address, in the answers, is the only one."""
    template = copy_template(tmp_path / "template")
    files = files_of(render(tmp_path / "service", template))
    del files[".copier-answers.yml"]
    for name, text in files.items():
        assert str(tmp_path) not in text, name
        assert str(ROOT) not in text, name


def test_nothing_of_the_templates_own_is_rendered(tmp_path: Path) -> None:
    """What maintains the template stays with it; what belongs to one machine is never rendered."""
    tracked = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    theirs = {name.split("/")[0] for name in tracked if name.startswith("template/")}
    ours = {name.split("/")[0] for name in tracked} - {
        # The service has such files too, its own.
        ".github", ".gitignore", "LICENSE", "README.md", "docs", "pyproject.toml", "tests",
    }  # fmt: skip
    rendered = {path.name for path in render(tmp_path, license="MIT").iterdir()}
    assert {"copier.yml", "noxfile.py", "template"} <= ours
    assert theirs == {"template"}
    assert not rendered & (ours | {".env", ".venv", "uv.lock"})


PACKAGE = "src/trading_service"
HTTP, TELEGRAM, SLACK = (
    f"{PACKAGE}/notifications/{name}.py" for name in ("http", "telegram", "slack")
)
SLACKS_TESTS = "tests/notifications/test_slack.py"
OF_STRATEGIES = [
    f"{PACKAGE}/strategies",
    f"{PACKAGE}/backtests",
    f"{PACKAGE}/api/strategies.py",
    f"{PACKAGE}/api/backtests.py",
    "tests/strategies",
    "tests/backtests",
    "docs/running-strategies.md",
    "docs/backtests.md",
    "deploy/prometheus/strategies.yml",
]
GRIDS, HYPERRSIS = (
    [
        f"{PACKAGE}/strategies/{kind}",
        f"tests/strategies/{kind}",
        f"tests/backtests/test_{kind}_trace.py",
    ]
    for kind in ("grid", "hyperrsi")
)


@pytest.mark.parametrize(
    ("answers", "there", "missing"),
    [
        ({"ci": "github"}, [".github/workflows/ci.yml"], [".gitlab-ci.yml"]),
        ({"ci": "gitlab"}, [".gitlab-ci.yml"], [".github"]),
        ({"ci": "none"}, [], [".github", ".gitlab-ci.yml"]),
        ({"license": "Proprietary"}, [], ["LICENSE"]),
        ({"license": "MIT"}, ["LICENSE"], []),
        ({"license": "BSD-3-Clause"}, ["LICENSE"], []),
        ({"alerts": "none"}, [f"{PACKAGE}/notifications/__init__.py"], [HTTP, TELEGRAM, SLACK]),
        ({"alerts": "telegram"}, [HTTP, TELEGRAM], [SLACK, SLACKS_TESTS]),
        ({"alerts": "slack"}, [HTTP, SLACK, SLACKS_TESTS], [TELEGRAM]),
        ({"alerts": "both"}, [HTTP, TELEGRAM, SLACK, SLACKS_TESTS], []),
        ({"strategies": []}, [f"{PACKAGE}/trading/candles"], OF_STRATEGIES),
        ({"strategies": ["grid"]}, [*OF_STRATEGIES, *GRIDS], HYPERRSIS),
        ({"strategies": ["hyperrsi"]}, [*OF_STRATEGIES, *HYPERRSIS], GRIDS),
    ],
    ids=str,
)
def test_answer_leaves_out_what_it_has_no_use_for(
    tmp_path: Path, answers: dict[str, Any], there: list[str], missing: list[str]
) -> None:
    """A service has no file for what it did not choose."""
    service = render(tmp_path, **answers)
    assert all((service / name).exists() for name in there)
    assert not any((service / name).exists() for name in missing)


def test_modules_are_plain_python() -> None:
    """Imports are relative, so modules need no Jinja, but for those that answers put together."""
    package = ROOT / "template" / "src" / "{{ package_name }}"
    with_jinja = {path.relative_to(package).as_posix() for path in package.rglob("*.jinja")}
    parts = {"main.py.jinja", "cli.py.jinja", "settings.py.jinja", "api/router.py.jinja"}
    assert with_jinja == {"project.py.jinja", "notifications/__init__.py.jinja"} | parts


@pytest.mark.parametrize("alerts", ASKED["alerts"]["choices"])
def test_a_channel_that_was_not_chosen_is_mentioned_nowhere(tmp_path: Path, alerts: str) -> None:
    """Neither in code nor in settings; core masks the secrets of both."""
    service = render(tmp_path, alerts=alerts)
    chosen = {"telegram", "slack"} if alerts == "both" else {alerts}
    names = {"telegram": r"TELEGRAM|OWNER_ID|Telegram", "slack": r"SLACK|Slack"}
    files = {
        name: text
        for name, text in files_of(service).items()
        if name.startswith((f"{PACKAGE}/notifications", f"{PACKAGE}/settings", ".env", "deploy"))
    }
    for channel, pattern in names.items():
        mentioning = [name for name, text in files.items() if re.search(pattern, text)]
        assert bool(mentioning) == (channel in chosen), mentioning


def test_command_line_renders_without_trust(tmp_path: Path) -> None:
    """`copier copy --defaults --vcs-ref HEAD` is all it takes."""
    template = copy_template(tmp_path / "template")
    commit(template, "The template")
    copy = ("copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD")
    assert_succeeds(*copy, str(template), str(tmp_path / "service"), folder=tmp_path)
    assert (tmp_path / "service" / "src" / "trading_service" / "main.py").exists()
