"""What a team adds to files that the template changes as well, and what the template adds there."""

_PACKAGE = "src/trading_service"

# What the team adds below each marker of a file, from the first to the last.
BELOW: dict[str, list[str]] = {
    ".dockerignore": ["research/\n"],
    ".gitignore": ["research/\n"],
    ".github/workflows/ci.yml": [
        "      - run: uv run desk-report\n",
        "      - run: uv run pytest -m desk\n",
        """\
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - run: pip install uv && uv run desk-report
""",
    ],
    "README.md": ["\n## The desk\n\nIt is the ninth.\n"],
    "deploy/Dockerfile": ['LABEL desk="nine"\n'],
    "deploy/compose.yaml": [
        '    DESK_NAME: nine\n    DESK_LIMIT: "5" # notes\n',
        """\
  report:
    <<: *service
    command: ["check-config"]
    volumes:
      - desk:/srv/desk
""",
        "  desk:\n",
    ],
    "deploy/prometheus/rules.yml": [
        """\
  - name: desk
    rules:
      - alert: DeskIsDown
        expr: up == 0
        labels: { severity: warning }
        annotations:
          summary: "The desk is down"
          runbook: docs/desk.md#deskisdown
"""
    ],
    "pyproject.toml": [
        '    "humanize>=4.17,<5",\n',
        'research = ["humanize>=4.17,<5"]\n',
        'desk-report = "trading_service.desk.report:main"\n',
        '    "dirty-equals>=0.9,<1",\n',
        '    "PLR0915",  # a strategy is as long as it is\n',
        '"src/trading_service/desk/*" = ["T20"]  # its report is printed\n',
        '    "ignore:of our desk:UserWarning",\n',
        '    "desk: of our desk",\n',
        '    "desk",\n',
        '\n[tool.desk]\nname = "nine"\n',
    ],
    f"{_PACKAGE}/main.py": [
        "from .desk.feed import look, open_feed\n",
        "    app.add_resource(open_feed)\n    app.add_periodic_work(1, look)\n",
    ],
    f"{_PACKAGE}/cli.py": [
        "from .desk import MOST_NOTES\n",
        '''\


@cli.command()
def note(text: str, account: str = "demo") -> None:
    """Write a note to an account."""
    from .trading.notes import list_notes, write_note

    desk = get_settings().desk

    async def write(session: AsyncSession) -> None:
        owner = await _account(session, account)
        if len(await list_notes(session, owner.id)) >= min(desk.limit, MOST_NOTES):
            fail(f"The desk {desk.name} has {desk.limit} notes at most")
        await write_note(session, owner.id, text)

    with_transaction(write)
''',
    ],
    f"{_PACKAGE}/settings.py": [
        "from .desk.settings import DeskSettings\n",
        "    desk: DeskSettings = DeskSettings()\n",
    ],
    f"{_PACKAGE}/api/router.py": [
        "from . import notes\n",
        '    {"name": "notes", "description": "What is written to an account."},\n',
        "router.include_router(notes.router)\n",
    ],
    f"{_PACKAGE}/notifications/__init__.py": [
        "from .pager import Pager, PagerSettings\n",
        "    pager: PagerSettings = PagerSettings()\n",
        "    Pager.configured,\n",
    ],
    "tests/trading/test_no_floats.py": ['    "trading/notes.py": {"0.5"},\n'],
    "tests/test_tables.py": [
        '    "desks": "are of the house",\n',
        '    "desks.owner_id": "is a name of the house",\n',
    ],
}

# What the team changes elsewhere: a line of a document, and the example that a command writes.
CHANGED = [
    ("README.md", "Places and tracks orders.", "Places orders, and has a desk."),
    (
        ".env.example",
        "# Where orders are sent;",
        "# Number of the desk's pager\n#PAGER_NUMBER=\n\n# Where orders are sent;",
    ),
    (
        ".env.example",
        "# --- Added in settings.py ---\n",
        "# --- Added in settings.py ---\n\n# Name of the desk\n#DESK_NAME=\n"
        "# Notes that an account may have\n#DESK_LIMIT=10\n",
    ),
]

# What the template adds above each marker of a file, from the first to the last.
ABOVE: dict[str, list[str | None]] = {
    ".dockerignore": ["outbox/\n"],
    ".gitignore": ["outbox/\n"],
    ".github/workflows/ci.yml.jinja": [
        "      - run: uv run {{ project_slug }} --help\n",
        "      - run: uv run {{ project_slug }} --help\n",
        """\
  outbox:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6

""",
    ],
    "README.md.jinja": ["## The outbox\n\nIt has what is to be sent.\n\n"],
    "deploy/Dockerfile.jinja": ['LABEL outbox="yes"\n'],
    "deploy/compose.yaml.jinja": [
        "    OUTBOX_INTERVAL: 1\n",
        """\
  dispatcher:
    <<: *service
    command: ["check-config"]
    volumes:
      - outbox:/srv/outbox

""",
        "  outbox:\n",
    ],
    "deploy/prometheus/rules.yml": [
        """\
  - name: outbox
    rules:
      - alert: RedisSlow
        expr: up == 0
        labels: { severity: warning }
        annotations:
          summary: "Nothing is dispatched"
          runbook: docs/metrics.md#redisslow

"""
    ],
    "pyproject.toml.jinja": [
        '    "idna>=3.7,<4",\n',
        'outbox = ["idna>=3.7,<4"]\n',
        '{{ project_slug }}-outbox = "{{ package_name }}.cli:cli"\n',
        '    "iniconfig>=2,<3",\n',
        '    "PLR0912",\n',
        '"src/{{ package_name }}/ledger/*" = ["E501"]\n',
        '    "ignore:of the outbox:UserWarning",\n',
        '    "outbox: of the outbox",\n',
        '    "(ledger)",\n',
        '[tool.outbox]\nname = "ledger"\n\n',
    ],
    "src/{{ package_name }}/main.py.jinja": [
        None,
        "    app.add_resource(open_dispatcher)\n"
        "    app.add_periodic_work(settings.outbox_interval, dispatch)\n",
    ],
    "src/{{ package_name }}/cli.py.jinja": [
        None,
        '''\
@cli.command()
def outbox() -> None:
    """Print how many messages wait in the outbox."""
    typer.echo(with_session(count_messages))


''',
    ],
    "src/{{ package_name }}/settings.py.jinja": [
        None,
        "    monitor: MonitorSettings = MonitorSettings()\n",
    ],
    "src/{{ package_name }}/api/router.py.jinja": [
        None,
        '    {"name": "outbox", "description": "What is to be sent."},\n',
        "# The outbox has no routes.\n",
    ],
    "src/{{ package_name }}/notifications/__init__.py.jinja": [
        None,
        "    # The outbox is no channel.\n",
        "    # The outbox is no channel.\n",
    ],
    "tests/trading/test_no_floats.py.jinja": ['    "trading/messages.py": {"0.25"},\n'],
    "tests/test_tables.py.jinja": [
        '    "dispatchers": "are of the service",\n',
        '    "dispatchers.host_id": "is a name of the service",\n',
    ],
}

# What the template changes elsewhere. An import stands where isort puts it, not above a marker.
IMPROVED = [
    (
        "src/{{ package_name }}/main.py.jinja",
        "from .trading.service import",
        "from .trading.messages import dispatch, open_dispatcher\nfrom .trading.service import",
    ),
    (
        "src/{{ package_name }}/cli.py.jinja",
        "\n# isort: split\n",
        "from .trading.messages import count_messages\n\n# isort: split\n",
    ),
    (
        "src/{{ package_name }}/settings.py.jinja",
        "from .exchanges.settings import",
        "from .core.config.groups import MonitorSettings\nfrom .exchanges.settings import",
    ),
    (
        "src/{{ package_name }}/trading/settings.py",
        "class TradingSettings(Settings):\n",
        "class TradingSettings(Settings):\n"
        '    outbox_interval: float = Field(1, description="Seconds between two rounds")\n',
    ),
    (
        ".env.example.jinja",
        "# Name of this database,",
        "# Seconds between two rounds\n#OUTBOX_INTERVAL=1\n\n# Name of this database,",
    ),
]
