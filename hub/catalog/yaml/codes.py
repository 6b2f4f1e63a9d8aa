"""The stable codes of findings, and what each means. Append-only; docs/checks.md has the same table, and a test compares them."""

from __future__ import annotations

from enum import StrEnum


class Check(StrEnum):
    """A finding's code. E refuses the workspace; W is reported and refuses nothing."""

    UNREADABLE = "E101"
    NOT_TEXT = "E102"
    TOO_LARGE = "E103"
    EMPTY = "E104"
    NOT_YAML = "E105"
    NOT_ONE_DOCUMENT = "E106"
    TAG = "E107"
    DUPLICATE_KEY = "E108"
    ALIAS = "E109"
    NEEDS_QUOTES = "E110"
    NOT_JSON = "E111"
    MISSING_FILE = "E112"
    MISPLACED_FILE = "E113"
    UNKNOWN_KEY = "E201"
    NOT_YET = "E202"
    MISSING_KEY = "E203"
    WRONG_TYPE = "E204"
    AMBIGUOUS = "E205"
    OUT_OF_RANGE = "E206"
    BAD_EXPRESSION = "E207"
    EXCLUDES = "E208"
    FOLDER_NAME = "E301"
    FILE_NAME = "E302"
    UNKNOWN_SYSTEM = "E303"
    UNKNOWN_MESSAGE = "E304"
    UNKNOWN_VERSION = "E305"
    NO_CONTRACT = "E306"
    UNDECLARED_CONTRACT = "E307"
    DOUBLE_NAME = "E308"
    NO_URL = "E309"
    BAD_CONTRACT = "E401"
    SAMPLE_FAILS = "E402"
    BAD_SAMPLE_PASSES = "E403"
    CONTRACT_CHANGED = "E404"
    BAD_LOCK = "E405"
    WITHDRAWN = "E406"
    BAD_MAPPING = "E501"
    EXAMPLE_FAILS = "E502"
    EXAMPLE_UNFIT = "E503"
    NO_SAMPLE = "E504"
    ROUTE_TEST_FAILS = "E505"
    UNKNOWN_PATH = "E510"
    MISSING_FIELD = "E511"
    UNKNOWN_FIELD = "E512"
    WRONG_KIND = "E513"
    UNKNOWN_VALUE = "E514"
    MAY_BE_NULL = "E515"
    MAY_BE_MISSING = "E516"
    MANY_INTO_ONE = "E517"
    ONE_OR_MANY = "E518"
    FRACTION = "E519"
    TOO_LONG = "E520"
    OTHER_FORMAT = "E521"
    LOST_DIGITS = "E522"
    WRONG_ARGUMENT = "E523"
    PERSONAL = "E524"
    TABLE_LACKS = "E525"
    NO_LIST = "E526"
    OUT_OF_BOUNDS = "E527"
    NO_MAPPING = "E601"
    DEAD_ROUTE = "E602"
    LOOP = "E603"
    NEVER_TRUE = "E604"
    BAD_REPLY = "E605"
    RETIRED_TARGET = "E606"
    SECRET = "E701"  # noqa: S105  a code, no password
    BAD_URL = "E702"
    UNSIGNED = "E703"
    NOT_SET = "E704"
    NO_OWNER = "W801"
    MAY_LOOP = "W802"
    UNLOCKED = "W803"
    UNREACHED = "W804"
    NOTHING_IGNORED = "W805"
    NO_UPGRADE = "W806"
    WEAK_PROOF = "W807"
    NOT_TOLD = "W808"
    SUNSET = "W809"
    NOT_SET_HERE = "W810"
    BRIEF_LEASE = "W811"
    COSTLY = "W812"
    NO_ID = "W813"


MEANING: dict[Check, str] = {
    Check.UNREADABLE: "A file cannot be read, is no regular file, leads out of the workspace, or changed while it was read.",
    Check.NOT_TEXT: "A file is not plain UTF-8 text: a byte order mark, UTF-16, NUL, or a control character.",
    Check.TOO_LARGE: "A file or the workspace is larger, deeper or longer than the hub reads.",
    Check.EMPTY: "A file is empty or has only comments.",
    Check.NOT_YAML: "A file is not well-formed YAML.",
    Check.NOT_ONE_DOCUMENT: "A file has a second document, or a directive.",
    Check.TAG: "A value has a tag (`!...`).",
    Check.DUPLICATE_KEY: "A key stands twice in one mapping.",
    Check.ALIAS: "An alias names no anchor, or a merge key is used.",
    Check.NEEDS_QUOTES: "An expression has characters that YAML takes for its own; it needs quotes.",
    Check.NOT_JSON: "A JSON file does not pass the strict decoder.",
    Check.MISSING_FILE: "A file that every workspace or system has is missing.",
    Check.MISPLACED_FILE: "A file has a name or place that the hub does not read.",
    Check.UNKNOWN_KEY: "A key is not known here.",
    Check.NOT_YET: "A key of the language that is not in this version of the hub.",
    Check.MISSING_KEY: "A required key is missing.",
    Check.WRONG_TYPE: "A value is of the wrong kind.",
    Check.AMBIGUOUS: "A value without quotes that YAML readers understand differently.",
    Check.OUT_OF_RANGE: "A value is not of the form or not in the range that is wanted.",
    Check.BAD_EXPRESSION: "An expression does not compile.",
    Check.EXCLUDES: "Two keys stand together that exclude each other, or contradict each other.",
    Check.FOLDER_NAME: "A system's folder and its name differ, or the name is none.",
    Check.FILE_NAME: "A mapping's file name and its `from` and `to` differ.",
    Check.UNKNOWN_SYSTEM: "A system is named that the workspace does not have.",
    Check.UNKNOWN_MESSAGE: "A message is named that its system does not emit or accept.",
    Check.UNKNOWN_VERSION: "A version is named that its message does not have.",
    Check.NO_CONTRACT: "A declared version has no contract file.",
    Check.UNDECLARED_CONTRACT: "A contract or sample belongs to a version that its system does not declare.",
    Check.DOUBLE_NAME: "One name stands for two things.",
    Check.NO_URL: "A system accepts messages, but has no setting `url`.",
    Check.BAD_CONTRACT: "A contract is not a usable JSON Schema.",
    Check.SAMPLE_FAILS: "A sample does not pass its contract.",
    Check.BAD_SAMPLE_PASSES: "A bad sample passes its contract, fails elsewhere than it says, or does not say where.",
    Check.CONTRACT_CHANGED: "A published contract was changed or removed.",
    Check.BAD_LOCK: "contracts/versions.lock has a line that is none.",
    Check.WITHDRAWN: "A line of contracts/versions.lock that was active before is gone, or names another hash. Found by hub plan and hub apply.",
    Check.BAD_MAPPING: "A mapping cannot be compiled.",
    Check.EXAMPLE_FAILS: "A mapping's example gives something else than it says.",
    Check.EXAMPLE_UNFIT: "What a mapping's example gives does not pass the target's contract.",
    Check.NO_SAMPLE: "A mapping's example or a route's test names a sample that is not there.",
    Check.ROUTE_TEST_FAILS: "A route's test gives other deliveries, or other payloads, than it says.",
    Check.UNKNOWN_PATH: "An expression names a field that its source's contract does not have.",
    Check.MISSING_FIELD: "A mapping does not make a field that the target's contract requires.",
    Check.UNKNOWN_FIELD: "A mapping makes a field that the target's contract does not have.",
    Check.WRONG_KIND: "A leaf gives another kind of value than the target's contract takes.",
    Check.UNKNOWN_VALUE: "A leaf can give a value that the target's contract does not know.",
    Check.MAY_BE_NULL: "A leaf can be null where the target's contract takes no null.",
    Check.MAY_BE_MISSING: "A leaf can be missing where the target's contract requires it.",
    Check.MANY_INTO_ONE: "A leaf can give a list where the target's contract takes a single value.",
    Check.ONE_OR_MANY: "A leaf gives a single value, or a list only of several, where the target's contract takes a list.",
    Check.FRACTION: "A leaf can have a fraction where the target's contract takes an integer.",
    Check.TOO_LONG: "A leaf can be longer than the target's contract takes.",
    Check.OTHER_FORMAT: "A leaf is of another format than the target's contract takes.",
    Check.LOST_DIGITS: "An expression computes in doubles with a number that can have more digits.",
    Check.WRONG_ARGUMENT: "A function or an operator gets a kind of value that it never takes.",
    Check.PERSONAL: "Personal data (x-pii) goes to a field whose contract does not declare it.",
    Check.TABLE_LACKS: "A code list has no row for a value that its source can have, and there is no otherwise.",
    Check.NO_LIST: "each or split goes over what is no list.",
    Check.OUT_OF_BOUNDS: "A leaf can be a number, or a text's length, outside the bounds of the target's contract.",
    Check.NO_MAPPING: "A route has no mapping from a live version of its source to a target.",
    Check.DEAD_ROUTE: "A route's source has no live version.",
    Check.LOOP: "Routes lead a message back to its own type, whatever it holds.",
    Check.NEVER_TRUE: "A condition holds for no message: its contract does not allow it, its parts exclude each other, or those before it do; or all is dropped.",
    Check.BAD_REPLY: "A reply is not a message that the target emits.",
    Check.RETIRED_TARGET: "A target's version is a draft or retired.",
    Check.SECRET: "A secret is written into a file.",
    Check.BAD_URL: "The default address of a target is not a plain http or https address.",
    Check.UNSIGNED: "A hook reads its event from a place that its partner's signature does not cover.",
    Check.NO_OWNER: "A system or route has no owner.",
    Check.MAY_LOOP: "Routes may lead a message back to its own type; only their conditions end it.",
    Check.UNLOCKED: "A published contract is not in contracts/versions.lock.",
    Check.UNREACHED: "A message that a system accepts is the target of no route and no look-up; or no hook and no queue uses a mapping.",
    Check.NOTHING_IGNORED: "A `# check: ignore` has no reason, or there is nothing on its line to ignore.",
    Check.NO_UPGRADE: "A newer live version refuses what an older live one takes, and no mapping leads from one to the other.",
    Check.WEAK_PROOF: "What comes in is proven weakly: the legacy form, the hub's own machine among `peers`, a hook without a signature and without peers, or a signature that leaves out the body, or a field that is read.",
    Check.NOT_TOLD: "A route has an alert level, and this version of the hub tells nobody by it.",
    Check.SUNSET: "A version that may be posted ends within 30 days, or has ended: posts in it are refused from that day on.",
    Check.NOT_SET: "A secret is not set on the machine that it is checked for: what comes in could not be proven; when applied, nor what goes out signed.",
    Check.NOT_SET_HERE: "A secret that calls out are signed with is not set on this machine.",
    Check.BRIEF_LEASE: "A call may outlast the claim that it is made under (HUB_LEASE): another worker would send it again meanwhile.",
    Check.COSTLY: "An expression goes through a list once for each element of a list, or nothing in the message bounds what it costs.",
    Check.NO_ID: "A hook says nothing by which a repeat is told from a new event: neither an `id`, nor a time or nonce that is signed.",
}
