"""What the runbook quotes is what is said: by the service, or by what it stands on."""

import ast
import re
from collections.abc import Iterator

import pytest
from rendering import ROOT

RUNBOOK = (ROOT / "template" / "docs" / "runbook.md.jinja").read_text()
SOURCE = ROOT / "template" / "src" / "{{ package_name }}"

OF_OTHERS = {
    "QueuePool limit of size ... reached": "SQLAlchemy",
    "QueuePool limit of size 5 overflow 10 reached, ...": "SQLAlchemy",
    "the underlying connection is closed": "asyncpg",
    'database "..." does not exist': "PostgreSQL",
    "password authentication failed": "PostgreSQL",
    "does not exist": "PostgreSQL",
    'database "..." is not currently accepting connections': "PostgreSQL",
    "read-only transaction": "PostgreSQL",
    "Connection refused": "the system",
    "No such file or directory": "the system",
    "permission denied": "PostgreSQL",
    "permission denied for ...": "PostgreSQL",
    "relation ... already exists": "PostgreSQL",
    "prepared statement ... already exists": "PostgreSQL",
    "unsupported startup parameter": "PgBouncer",
    "deadlock detected": "PostgreSQL",
    "idle in transaction": "PostgreSQL",
    "Waiting for connections to close": "uvicorn",
    "Target database is not up to date": "Alembic",
    "Failed to export": "OpenTelemetry",
    "chat not found": "Telegram",
}
"""Quoted, and not ours: who says it."""

# Not what is said but what is typed, or where.
COMMAND = re.compile(
    r"(?:\{\{ project_slug \}\}|docker|grep|kill|ps|ss|uv|keys|accounts|check-config|alembic|SELECT"
    r"|GRANT|CREATE|ALTER|REASSIGN|ulimit|GET|POST|REPEATABLE|await|async|Authorization:|--\w+) ?"
)


def quotes() -> Iterator[str]:
    """The texts in backticks that have more than one word, and the names of log lines."""
    prose = re.sub(r"^    .*$", "", RUNBOOK, flags=re.MULTILINE)
    for quote in re.findall(r"`` (.+?) ``|(?<!`)`([^`]+)`(?!`)", prose):
        text = " ".join("".join(quote).split())
        if event := re.fullmatch(r'"event":"(.+)"', text):
            yield event[1]
        elif " " in text and not COMMAND.match(text):
            yield text.strip('"') if '" ' not in text else text


QUOTES = sorted(set(quotes()))

VALUES = re.compile(
    r"""'?\.\.\.\S*|<.+?>|/x|\d+|[`"]|ENVIRONMENT=\w+|: |PGSSLROOTCERT|DATABASE_URL"""
    r"|PostgreSQL(?= did)|database connections|does not exist(?= in)"
)
"""What stands in a quote for what differs from time to time."""


def texts_of_the_source() -> Iterator[str]:
    """Every text in the code, and the parts of those with something between them."""
    for module in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.py.jinja")):
        code = re.sub(r"{%.*?%}", "", module.read_text())
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield " ".join(node.value.split())


TEXTS = "\n".join(texts_of_the_source())


def parts_of(quote: str) -> list[str]:
    """What stands between the values of a quote, without the setting's name before a fault."""
    text = re.sub(r"^(?:\.\.\.)?[A-Z_.]+: |^\.env: ", "", quote)
    parts = [part.strip(" ;,.'()=") for part in VALUES.split(text)]
    return [part for part in parts if part]


@pytest.mark.parametrize("quote", [quote for quote in QUOTES if quote not in OF_OTHERS])
def test_what_the_runbook_quotes_is_in_the_source(quote: str) -> None:
    """Who searches the runbook for a message finds it, also after the message was changed."""
    for part in parts_of(quote):
        assert part in TEXTS, part


def test_what_others_say_is_still_quoted() -> None:
    """The list above holds nothing that the runbook no longer has."""
    assert set(OF_OTHERS) - set(QUOTES) == set()
