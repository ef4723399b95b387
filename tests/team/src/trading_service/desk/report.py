"""What the desk prints in the morning."""

from humanize import intword

from .. import project


def main() -> None:
    """Print what we are here for."""
    print(f"{project.NAME}: make {intword(1_000_000)}")
