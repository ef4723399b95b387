"""Does what the page "Where to put things" tells, word by word.

`python tests/walkthrough.py SERVICE` adds the page's resource to a rendered service whose
environment is installed, with the page's own code and commands.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

from teamwork import insert_below

PAGE = Path("docs") / "where-to-put-things.md"
MARKER = "# yours below"
PORT = "8137"
FILE = re.compile(r"^`([\w./]+)`:\n\n```python\n(.*?)```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^    (uv run .+)$", re.MULTILINE)


def main(service: Path) -> None:
    """Add the files and lines of the page, then run its commands while `dev` runs."""
    text = (service / PAGE).read_text()
    text = text[text.index("## Add a resource") : text.index("## Add something")]
    for name, code in FILE.findall(text):
        (service / name).write_text(code)
    _add_to_router(service, text)
    commands = COMMAND.findall(text)
    (program,) = {
        found[1] for line in commands if (found := re.search(r"env ([\w-]+) migrate", line))
    }
    dev = subprocess.Popen(
        [service / ".venv" / "bin" / program, "dev", "--port", PORT],  # itself, to be killed
        cwd=service,
        stdout=subprocess.PIPE,
        text=True,
    )
    ending = Timer(120, dev.kill)  # or the loop below would wait for ever
    ending.start()
    try:
        assert dev.stdout is not None
        for line in dev.stdout:
            if line.startswith("Serving "):
                ending.cancel()
                break
        else:
            sys.exit("dev did not start")
        for command in commands:
            print(f"$ {command}", flush=True)
            installed = command.replace("uv run", "uv run --no-sync")
            subprocess.run(installed, shell=True, cwd=service, check=True)
    finally:
        ending.cancel()
        dev.send_signal(signal.SIGTERM)
        dev.wait(30)


def _add_to_router(service: Path, text: str) -> None:
    """Insert the two lines that the page shows below the two markers."""
    (router,) = re.findall(r"In `([\w./]+)`, two lines", text)
    import_line, include_line = re.findall(r"```python\n([^\n]+)\n```", text)
    path = service / router
    insert_below(path, MARKER, import_line)
    head, _, tail = path.read_text().rpartition(MARKER)
    path.write_text(f"{head}{MARKER}\n{include_line}{tail}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
