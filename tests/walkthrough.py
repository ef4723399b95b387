"""Does what pages of a service tell, word by word.

`python tests/walkthrough.py SERVICE` adds the resource of "Where to put things" and the strategy of
"Strategies" to a rendered service whose environment is installed, with the pages' own code and
commands, and runs every command that the pages on candles, backtests and strategies show, but what
is for a cluster: cluster.py does that. Names of pages after it have it follow only these, such as
`strategies.md`.
"""

import re
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from newcomer import BLOCK, Terminal, commands_in, compare, dev
from teamwork import insert_below

MARKER = "# yours below"
PORT = 8137
PAGES = (
    "where-to-put-things.md",
    "strategies.md",
    "running-strategies.md",
    "candles.md",
    "backtests.md",
)
FILE = re.compile(r"^`([\w./]+)`:\n\n```python\n(.*?)```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LANGUAGE = re.compile(r"^```(\S+)$", re.MULTILINE)
ON_A_CLUSTER = re.compile(r"--backend dask$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n.*?^```$", re.DOTALL | re.MULTILINE)


def main(service: Path, *chosen: str) -> None:
    """Follow each page, or the chosen ones, while `dev` runs and notices what is written."""
    resource, strategy, *others = PAGES
    pages = {name: (service / "docs" / name).read_text() for name in chosen or PAGES}
    if text := pages.pop(resource, ""):
        text = text[text.index("## Add a resource") : text.index("## Add something")]
        write_files(service, text)
        _add_to_router(service, text)
    with dev(service, PORT):
        if text:
            follow(service, text)
        if text := pages.get(strategy, ""):
            write_files(service, text)
            follow(service, text)
        with ThreadPoolExecutor(max_workers=2) as two:  # these are about different things
            list(two.map(follow, repeat(service), filter(None, map(pages.get, others))))


def write_files(service: Path, text: str) -> None:
    """Write each file that a page shows whole."""
    for name, code in FILE.findall(text):
        (service / name).write_text(code)


def follow(service: Path, text: str) -> None:
    """Run the commands of a page, one after the other, and compare what they print."""
    program = tomllib.loads((service / "pyproject.toml").read_text())["project"]["name"]
    terminal = Terminal(service)
    terminal.run(f"""{program}() {{ uv run --env-file .dev/env {program} "$@"; }}""")
    terminal.run(f"API=http://127.0.0.1:{PORT}/v1")
    terminal.run('AUTH="Authorization: Bearer $(cat .dev/api-key)"')
    came = ""
    unknown = set(LANGUAGE.findall(text)) - {"sh", "python", "json"}
    assert not unknown, f"nobody would run what is in {unknown}"
    blocks = BLOCK.findall(PYTHON.sub("", SHELL.sub(_of_this_machine, text)))
    assert any(typed for _, typed in blocks), "the page shows no command"
    for shown, typed in blocks:
        if shown:
            terminal.ids |= compare(shown, came)
            came = ""
        else:
            came = "\n".join([came, *map(terminal.run, commands_in(typed))])


def _of_this_machine(block: re.Match[str]) -> str:
    return "" if ON_A_CLUSTER.search(block[0]) else indented(block)


def indented(block: re.Match[str]) -> str:
    """Return the commands of a block as those of an indented one."""
    return re.sub(r"^(?=.)", "    ", block[1], flags=re.MULTILINE)


def _add_to_router(service: Path, text: str) -> None:
    """Insert the two lines that the page shows below the two markers."""
    (router,) = re.findall(r"In `([\w./]+)`, two lines", text)
    import_line, include_line = re.findall(r"```python\n([^\n]+)\n```", text)
    path = service / router
    insert_below(path, MARKER, import_line)
    head, _, tail = path.read_text().rpartition(MARKER)
    path.write_text(f"{head}{MARKER}\n{include_line}{tail}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), *sys.argv[2:])
