"""What a fault of the store means to a person: one line with what, where and what to do. Never a statement, a
parameter, a row or a password.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from hub.core.errors import StoreUnusable

LONGEST = 300
# What a driver's text may quote: a row that a constraint refused, a value, a statement.
_ROWS = re.compile(
    r"\s*(?:\bDETAIL:|\bCONTEXT:|\[SQL:|\[parameters:|\bFailing row|\bDuplicate entry|LINE \d+:).*", re.DOTALL
)
_BLANKS = re.compile(r"\s+")

# In the drivers' own words; the first that fits counts. `None`: what may pass by itself needs no advice.
_ADVICE: tuple[tuple[str, str], ...] = (
    (r"no such (table|column)|has no column|UndefinedTable|UndefinedColumn|1146|1054|relation .* does not exist|column .* does not exist|Unknown column", ""),
    (r"not a database|malformed|1033|1034|invalid page", "Keep the file for a look, and put a backup in its place (docs/keeping.md)."),
    (r"disk is full|No space|Disk quota|I/O error|1021|could not extend", "Free space on its disk, then try again."),
    (r"unable to open|readonly|read-only|ermission denied|Is a directory|Not a directory|File exists|42501|1142", "See that this user may write it and its folder."),
    (r"authentication|password|Access denied|1045|1698|1044|pg_hba|role .* does not exist|no encryption", "Check user and password, in HUB_STORE or PGPASSWORD."),
    (r"database .* does not exist|Unknown database|1049", "Make the database, or name another in HUB_STORE."),
    (r"refused|timed? ?out|timeout|translate host|not known|Can't connect|unreachable|resolve|2003|2002|gone away|closed", "See that its server runs, and that HUB_STORE names its host and port."),
    (r"locked|1205|lock timeout", "Somebody else writes for long; try again in a moment."),
)  # fmt: skip
UNFIT = "Its tables are not those of this hub: see `hub migrate`, and docs/keeping.md."
_FOR_GOOD = re.compile(
    r"authentication|no password supplied|no pg_hba|role .* does not exist|database .* does not exist|unable to open database file|readonly database"
    r"|already exists|no such|syntax error|has no column"
)


def where(url: sa.URL) -> str:
    """The store's address as people may see it: without its password and its options, which may hold one."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def brief(error: BaseException) -> str:
    """What the driver says, on one line, without what it quotes."""
    text = str(getattr(error, "orig", None) or error)
    return _BLANKS.sub(" ", _ROWS.sub("", text)).strip()[:LONGEST].rstrip(".") or type(error).__name__


def advice(text: str) -> str:
    """What to do about it."""
    return next((words or UNFIT for pattern, words in _ADVICE if re.search(pattern, text)), "See docs/operating.md.")


def line(what: str, text: str, url: sa.URL) -> str:
    """One line: what, why, where, what to do."""
    return f"{what}: {text} ({where(url)}). {advice(text)}"


def passes(text: str) -> bool:
    """Whether a driver's text without a number of its own tells of what may pass by itself."""
    return _FOR_GOOD.search(text) is None


def of_store(error: Exception, url: sa.URL) -> StoreUnusable | None:
    """The fault, if it is the store's as a whole; None for one of a single statement: a constraint, a value, a fault of
    ours.
    """
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError | sa.exc.NotSupportedError) or not isinstance(
        error, sa.exc.DBAPIError
    ):
        return None
    text = brief(error)
    if isinstance(error, sa.exc.ProgrammingError) and advice(text) == "See docs/operating.md.":
        return None
    return StoreUnusable(line("The store cannot be used", text, url))


def of_system(error: OSError, url: sa.URL) -> StoreUnusable:
    """A file or folder that cannot be opened."""
    return StoreUnusable(line("The store cannot be opened", f"{error.strerror}: {error.filename}", url))
