"""What may be answered, and how a wrong answer is refused."""

import keyword
import re
import sys
import tomllib
from pathlib import Path

import pytest
from rendering import (
    ASKED,
    QUESTIONS,
    answers_after,
    questions_only,
    recorded_answers,
    refusal_of,
    render,
)
from terminal import Terminal


def words(question: str) -> set[str]:
    return set(QUESTIONS[question]["default"].split())


GOOD = [
    ("project_name", "Trading Service"),
    ("project_name", "Söhne & Co.'s desk: #9 <eu>"),
    ("project_name", "O’Brien – 2× α：９ 트레이딩 🚀"),
    ("project_slug", "a"),
    ("project_slug", "desk-9-eu"),
    ("project_slug", "x" * 63),
    ("package_name", "a"),
    ("package_name", "desk_9"),
    ("package_name", "x" * 27),
    ("package_name", "redis_service"),
    ("description", "Buys low, sells high; the desk's own, 100 % of the time: #1."),
    ("owner", "Ünal & Partner"),
    ("license", "BSD-3-Clause"),
    ("python_version", "3.14"),
    ("http_port", 1),
    ("http_port", "65535"),
    ("ci", "none"),
    ("alerts", "both"),
    ("strategies", []),
    ("strategies", ["grid"]),
]


@pytest.mark.parametrize(("question", "answer"), GOOD)
def test_good_answer_is_taken(question: str, answer: object) -> None:
    """An answer within the rules is taken as it is."""
    assert refusal_of(**{question: answer}) == ""


A_LINE = "must be a line of text without quotes, backslashes, braces and invisible characters, such"
A_SLUG = "must be lower-case words joined by single hyphens, starting with a letter, such as"
A_PACKAGE = "must be a Python identifier in lower case, starting with a letter, such as"
A_PORT = "must be a port number from 1 to 65535, such as 8000."

# Controls, ends of lines, zero widths, changes of direction, a byte that is no text.
INVISIBLE = "\n\t\x7f\x80\x85\x9f\u200b\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\udcff"

BAD = [
    *(
        (question, answer, f'{question} {A_LINE} as "{example}')
        for question, example in {
            "project_name": "Trading Service",
            "description": "Places and tracks orders.",
            "owner": "Trading Team",
        }.items()
        for answer in ("", "  ", 'a "b"', "a\\b", "{{ a }}", *map("a{}b".format, INVISIBLE))
    ),
    *(
        ("project_slug", answer, f'project_slug {A_SLUG} "trading-service".')
        for answer in ("", "a b", "A", "a_b", "9a", "-a", "a-", "a--b", "a/b", "é", "a\n")
    ),
    ("project_slug", "redis", 'project_slug can\'t be "redis": the service depends on'),
    (
        "project_slug",
        "import-linter",
        'project_slug can\'t be "import-linter": the service depends',
    ),
    ("project_slug", "click", 'project_slug can\'t be "click": the service depends on'),
    ("project_slug", "python", 'project_slug can\'t be "python": the service depends on'),
    ("project_slug", "x" * 64, "project_slug must have at most 63 characters"),
    *(
        ("package_name", answer, f'package_name {A_PACKAGE} "trading_service".')
        for answer in ("", "2x", "_x", "a-b", "a b", "A", "a.b", "é", "a\n")
    ),
    ("package_name", "class", 'package_name can\'t be "class": it is a Python keyword. Try'),
    ("package_name", "json", "package_name can't be \"json\": it is a module of Python's"),
    ("package_name", "x" * 28, "package_name must have at most 27 characters: a formatter"),
    ("package_name", "greenlet", 'package_name can\'t be "greenlet": the service imports'),
    ("package_name", "redis", 'package_name can\'t be "redis": the service imports a package'),
    ("package_name", "tests", 'package_name can\'t be "tests": it is a folder of the project.'),
    *(
        ("http_port", answer, f"http_port {A_PORT}")
        for answer in (0, -1, 65536, 99999, "", "http", "8000.5", "08000", "80 00", "8000\n")
    ),
    ("license", "GPL-3.0", "'GPL-3.0' is not in ['Proprietary', 'MIT', 'BSD-3-Clause']"),
    ("python_version", "3.10", "'3.10' is not in ['3.11', '3.12', '3.13', '3.14']"),
    ("ci", "travis", "'travis' is not in ['github', 'gitlab', 'none']"),
    ("alerts", "email", "'email' is not in ['none', 'telegram', 'slack', 'both']"),
    ("strategies", ["momentum"], "'momentum' is not in ['grid', 'hyperrsi']"),
]


@pytest.mark.parametrize(("question", "answer", "sentence"), BAD)
def test_bad_answer_is_refused_with_what_is_wrong_and_what_is_good(
    question: str, answer: object, sentence: str
) -> None:
    """A refusal names the question, the fault and an answer that would be taken."""
    assert " ".join(refusal_of(**{question: answer}).split()).startswith(sentence)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        *(("package_name", name) for name in ("class", "json", "redis", "tests", "x" * 28)),
        ("package_name", max(words("dependencies"), key=len)),
        *(("project_slug", name) for name in ("redis", "python", "x-" * 40 + "x")),
    ],
)
def test_name_that_a_refusal_proposes_is_taken(question: str, name: str) -> None:
    """Whoever follows the refusal's advice is done."""
    refusal = " ".join(refusal_of(**{question: name}).split())
    (proposed,) = re.findall(r'Try "(.*)"', refusal)
    assert refusal_of(**{question: proposed}) == ""


DERIVED = {
    "Trading Service": "trading-service",
    "Signal": "signal-service",  # a module of Python's
    "Class": "class-service",
    "Redis": "redis-service",
    "Tests": "tests-service",
    "build": "build-service",  # git ignores a folder of that name
    "PyYAML": "pyyaml-service",
    "Googleapis Common Protos": "trading-service",  # too long for another "-service"
    "9th Desk": "trading-9th-desk",
    "9 12": "trading-9-12",
    "트레이딩 서비스": "trading-service",
    "Торговля": "trading-service",
    "Торговля FX": "fx",
    "🚀": "trading-service",
    "--": "trading-service",
    "\ue000\U000f0000": "trading-service",  # characters without a name
    "Ärger Händler": "arger-handler",
    "A\u0308rger": "arger",  # as macOS writes it
    "Søren Łódź ß": "soren-lodz-ss",
    "Ｄｅｓｋ：９": "desk",
    "O’Brien's": "obriens",
    "Desk – Nine × α": "desk-nine",
    "Cross-Exchange Arbitrage Service": "cross-exchange-arbitrage",
    "Donaudampfschifffahrtsgesellschaft": "donaudampfschifffahrtsgesel",
    "signal" + " x" * 300: "signal-x-x-x-x-x-x-x-x-x-x",
}


@pytest.mark.parametrize(("name", "slug"), DERIVED.items())
def test_other_names_follow_from_any_name_of_the_project(name: str, slug: str) -> None:
    """Who answers one question and presses Enter from then on gets a service."""
    answers = answers_after(project_name=name)
    assert answers["project_slug"] == slug
    assert answers["package_name"] == slug.replace("-", "_")


@pytest.mark.parametrize(
    ("slug", "package"),
    [
        ("signal", "signal_service"),
        ("x" * 63, "x" * 27),
        ("cross-exchange-arbitrage-service", "cross_exchange_arbitrage"),
    ],
)
def test_package_follows_from_any_slug(slug: str, package: str) -> None:
    """A command may be called what a package may not."""
    assert answers_after(project_slug=slug)["package_name"] == package


@pytest.mark.parametrize(
    "name", ["트레이딩 서비스", pytest.param("9th Desk", marks=pytest.mark.thorough)]
)
def test_a_person_who_presses_enter_after_a_name_gets_a_service(tmp_path: Path, name: str) -> None:
    """copier checks a default before it shows the question: a bad one is a traceback."""
    command = ["copier", "copy", str(questions_only()), str(tmp_path / "service")]
    with Terminal(sys.executable, "-m", *command) as terminal:
        for question in ASKED.values():
            terminal.wait_for(question["help"][:30])
            terminal.type("\x15" + name + "\r" if question is ASKED["project_name"] else "\r")
        terminal.wait_for_end()
    expected = answers_after(project_name=name)
    assert recorded_answers(tmp_path / "service") == expected


@pytest.mark.parametrize("question", ASKED)
def test_question_is_tried_with_good_answers_and_bad_ones(question: str) -> None:
    """A question that is added here is added to the two lists above."""
    assert question in {name for name, _ in GOOD}
    assert question in {name for name, *_ in BAD}


@pytest.mark.parametrize("question", ASKED)
def test_question_has_a_default_and_says_what_it_changes(question: str) -> None:
    """`copier update --defaults` fails at a question without a default."""
    assert ASKED[question]["default"]
    assert len(ASKED[question]["help"].split()) > 3


def test_keywords_are_those_of_python() -> None:
    """The list in copier.yml can't fall behind the language."""
    assert words("keywords") == {word for word in keyword.kwlist if word.islower()}


def test_standard_library_is_that_of_python() -> None:
    """The list in copier.yml names at least the modules of the Python that runs this."""
    public = {name for name in sys.stdlib_module_names if re.fullmatch("[a-z][a-z0-9_]*", name)}
    assert public - words("standard_library") == set()


def test_dependencies_are_those_of_the_service(tmp_path: Path) -> None:
    """The list in copier.yml names what a rendered pyproject.toml installs, as it is imported."""
    pyproject = tomllib.loads((render(tmp_path) / "pyproject.toml").read_text())
    installed = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    distributions = [re.split(r"[^a-z0-9-]", requirement)[0] for requirement in installed]
    imported = {
        "import-linter": "importlinter",
        "opentelemetry-proto": "opentelemetry",
        "python-dotenv": "dotenv",
        "pytest-xdist": "xdist",
        "pyyaml": "yaml",
    }
    names = {
        imported.get(name, name.replace("-", "_"))
        for name in distributions
        if not name.startswith("types-")  # brings stubs, which nobody imports
    }
    assert names - words("dependencies") == set()


def test_folders_are_those_of_the_service(tmp_path: Path) -> None:
    """The list in copier.yml names the folders that are rendered at the top."""
    top = {path.name for path in render(tmp_path).iterdir() if path.is_dir()}
    assert {name for name in top if not name.startswith(".")} - words("folders") == set()
