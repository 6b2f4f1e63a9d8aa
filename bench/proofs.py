"""Runs the long proofs one after the other and writes what each found into docs/proofs.md: `make proofs`, or some of
them with `make proofs ARGS="journey faults"`.

A proof that fails is written as failed, and the exit code is 1. The table keeps the rows of proofs that were not run.
"""

import argparse
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "proofs.md"
HEADING = "## Long proofs\n"
HEAD = "| command | shows | last figure | took | date |\n|---|---|---|---|---|\n"
# In the order in which they run: what is most likely to fail comes first.
PROOFS = (
    "crash",
    "faults",
    "conformance",
    "journey",
    "browser",
    "worst-caller",
    "isolation",
    "outage",
    "rolling",
    "nemesis",
    "reload",
    "herd",
    "million",
    "what-if",
    "suites",
    "bench-check",
    "bench",
)
SUMMARY = re.compile(r"^=+ (.*\b(?:passed|failed|error)\b.*?) in [0-9.]+s.*=+$")
RULES = re.compile(r"^(make: |\s*$|[-=]+$)")


def described(makefile: str) -> dict[str, str]:
    """What each target shows, as `make` prints it."""
    return dict(re.findall(r"^([a-z-]+):.*?## (.*)$", makefile, re.MULTILINE))


def figure(output: str, code: int) -> str:
    """The summary line of pytest, or the last line that a program printed."""
    lines = [line.strip() for line in output.splitlines() if not RULES.match(line)]
    summaries = [found[1] for line in lines if (found := SUMMARY.match(line))]
    text = summaries[-1] if summaries else lines[-1] if lines else "no output"
    return ("" if code == 0 else "FAILED: ") + text.replace("|", "/")[:200]


def rows(page: str) -> dict[str, str]:
    """The rows that the page has, by target."""
    found = re.findall(r"^(\| `make ([a-z-]+)` .*)$", page.partition(HEADING)[2], re.MULTILINE)
    return {name: row for row, name in found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PROOF", help=f"some of: {', '.join(PROOFS)}")
    names = parser.parse_args().names or list(PROOFS)
    unknown = [name for name in names if name not in PROOFS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; write some of {', '.join(PROOFS)}")
    shows = described((ROOT / "Makefile").read_text("utf-8"))
    is_good = True
    for number, name in enumerate(names, 1):
        print(f"{number} of {len(names)}: make {name}", flush=True)
        began = time.monotonic()
        run = subprocess.run(["make", "-s", name, "ARGS="], cwd=ROOT, capture_output=True, text=True, check=False)
        minutes = (time.monotonic() - began) / 60
        text = figure(run.stdout, run.returncode)
        print(f"  {text} ({minutes:.1f} minutes)", flush=True)
        if run.returncode:
            print(run.stdout[-4_000:] + run.stderr[-2_000:], file=sys.stderr)
        is_good &= run.returncode == 0
        write(name, f"| `make {name}` | {shows[name]} | {text} | {minutes:.1f} min | {datetime.now(UTC):%Y-%m-%d} |")
    return 0 if is_good else 1


def write(name: str, row: str) -> None:
    """Puts the row into the page at once: a run that is stopped keeps what it has shown."""
    page = PAGE.read_text("utf-8")
    table = rows(page) | {name: row}
    lines = "".join(f"{table[known]}\n" for known in PROOFS if known in table)
    PAGE.write_text(f"{page.partition(HEADING)[0].rstrip()}\n\n{HEADING}\n{HEAD}{lines}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
