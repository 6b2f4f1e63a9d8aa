"""The digests of the migrations, in hub/store/migrations/versions.lock: what is locked is on somebody's store, and is
never edited again.

.venv/bin/python -m tests.support.migration_lock        adds a line for each new migration, and drops those of files
that are renumbered
"""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "hub" / "store" / "migrations"
LOCK = FOLDER / "versions.lock"


def digests(folder=FOLDER / "versions"):
    """Each migration's name with the SHA-256 of its text."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("[0-9]*_*.py"))}


def locked(lock=LOCK):
    return dict(reversed(line.split()) for line in lock.read_text("ascii").splitlines())


def faults(given, known):
    """What is wrong, a line each: an edited or removed migration, one without a line, a number twice or left out."""
    wrong = [
        f"{name} is locked, and was edited. Put it back; add a migration that changes what it made."
        for name in known
        if given.get(name, known[name]) != known[name]
    ]
    wrong += [f"{name} is locked, and is gone. Put it back." for name in known if name not in given]
    new = [name for name in given if name not in known]
    wrong += [
        f"{name} is new: .venv/bin/python -m tests.support.migration_lock, or append to versions.lock: {given[name]}  {name}"
        for name in new
    ]
    numbers = [name.partition("_")[0] for name in given]
    if numbers != [f"{number:04}" for number in range(1, len(numbers) + 1)]:
        wrong.append(
            f"The numbers are not 0001, 0002, …: {', '.join(numbers)}. Renumber what is not on main yet, and its down_revision."
        )
    return wrong


def main():
    given, known = digests(), locked() if LOCK.exists() else {}
    edited = [name for name, digest in known.items() if given.get(name, digest) != digest]
    if edited:
        raise SystemExit("\n".join(faults(given, known)))
    LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in given.items()), "ascii")
    print(f"{len(given)} migrations are locked.")


if __name__ == "__main__":
    main()
