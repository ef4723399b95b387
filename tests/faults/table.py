"""The table that the scenarios fill: fault, answers meanwhile, longest silence, audit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from audit import Audit
from load import Request, between, longest_gap


@dataclass
class Row:
    """A fault and what came of it. `misses` are the promises that were not kept."""

    fault: str
    answers: str
    longest_silence: float | None
    """Seconds without a success."""
    audit: Audit | None
    figures: dict[str, str] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)

    def expect(self, holds: bool, promise: str) -> None:
        """Note the promise as missed unless it holds."""
        if not holds:
            self.misses.append(promise)

    @property
    def is_right(self) -> bool:
        return not self.misses and not (self.audit and self.audit.faults)


def not_shown(fault: str, reason: str) -> Row:
    """Return the row of a fault that can't be made on this machine."""
    return Row(fault, f"not shown here: {reason}", None, None)


def answers_of(requests: Iterable[Request]) -> str:
    """How often each status was answered, such as `4,000 x 201, 80 x 503`."""
    counts = Counter(request.status for request in requests)
    return ", ".join(f"{count:,} x {status or 'none'}" for status, count in sorted(counts.items()))


def row_of(fault: str, requests: Iterable[Request], begin: float, end: float, found: Audit) -> Row:
    """The row of what came of the requests between these times."""
    asked = list(requests)
    answers = answers_of(between(asked, begin, end))
    return Row(fault, answers, longest_gap(asked, begin, end), found)


def print_table(rows: list[Row]) -> None:
    """Print a line for each row, and below it its figures and what was missed."""
    lines = [("fault", "answers meanwhile", "longest time without a success", "audit")]
    lines += [
        (
            row.fault,
            row.answers,
            "-" if row.longest_silence is None else f"{row.longest_silence:.2f} s",
            str(row.audit or "-"),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
        if number:
            row = rows[number - 1]
            print("".join(f"    {name}: {value}\n" for name, value in row.figures.items()), end="")
            print("".join(f"    MISSED: {promise}\n" for promise in row.misses), end="")
