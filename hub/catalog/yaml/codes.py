"""The stable codes of findings, and what each means. Append-only; docs/checks.md has the same table, and a test
compares them.
"""

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
    Check.UNREADABLE: "A file cannot be read, is not a regular file, is outside the workspace, or changed while it was read.",
    Check.NOT_TEXT: "A file is not plain UTF-8 text. It has a byte order mark, UTF-16, NUL, or a control character.",
    Check.TOO_LARGE: "A file or the workspace exceeds a limit: size, nesting depth, or length.",
    Check.EMPTY: "A file is empty or has only comments.",
    Check.NOT_YAML: "A file is not well-formed YAML.",
    Check.NOT_ONE_DOCUMENT: "A file has a second document, or a directive.",
    Check.TAG: "A value has a tag (`!...`).",
    Check.DUPLICATE_KEY: "A key occurs twice in one YAML mapping.",
    Check.ALIAS: "An alias refers to an anchor that does not exist, or a merge key (`<<`) is used.",
    Check.NEEDS_QUOTES: "An expression contains characters that are YAML syntax. It needs quotes.",
    Check.NOT_JSON: "A JSON file is not valid JSON, as the strict decoder reads it.",
    Check.MISSING_FILE: "A required file of the workspace or of a system is missing.",
    Check.MISPLACED_FILE: "A file has a name or location that the hub does not read.",
    Check.UNKNOWN_KEY: "A key is unknown at this position.",
    Check.NOT_YET: "A key is reserved, and this version of the hub does not support it.",
    Check.MISSING_KEY: "A required key is missing.",
    Check.WRONG_TYPE: "A value has the wrong type.",
    Check.AMBIGUOUS: "A value without quotes is ambiguous: YAML parsers read it differently.",
    Check.OUT_OF_RANGE: "A value has the wrong format, or is out of range.",
    Check.BAD_EXPRESSION: "An expression does not compile.",
    Check.EXCLUDES: "Two keys exclude or contradict each other.",
    Check.FOLDER_NAME: "A system's folder and its name differ, or the name is not valid.",
    Check.FILE_NAME: "A mapping's file name does not match its `from` and `to`.",
    Check.UNKNOWN_SYSTEM: "A system does not exist in the workspace.",
    Check.UNKNOWN_MESSAGE: "A message is not in the `emits` or `accepts` of its system.",
    Check.UNKNOWN_VERSION: "A version of a message does not exist.",
    Check.NO_CONTRACT: "A declared version has no contract file.",
    Check.UNDECLARED_CONTRACT: "A contract or sample belongs to a version that its system does not declare.",
    Check.DOUBLE_NAME: "A name is used twice.",
    Check.NO_URL: "A system accepts messages, but has no setting `url`.",
    Check.BAD_CONTRACT: "A contract is not a usable JSON Schema.",
    Check.SAMPLE_FAILS: "A sample does not pass its contract.",
    Check.BAD_SAMPLE_PASSES: "A bad sample passes its contract, fails at a different place from the one that it states, or states no place.",
    Check.CONTRACT_CHANGED: "A published contract was changed or removed.",
    Check.BAD_LOCK: "contracts/versions.lock has a line that is not valid.",
    Check.WITHDRAWN: "A line of contracts/versions.lock of an earlier active configuration is missing, or has another hash. hub plan and hub apply find this.",
    Check.BAD_MAPPING: "A mapping cannot be compiled.",
    Check.EXAMPLE_FAILS: "The result of a mapping's example differs from what the example expects.",
    Check.EXAMPLE_UNFIT: "The result of a mapping's example violates the target's contract.",
    Check.NO_SAMPLE: "A mapping's example or a route's test refers to a sample that does not exist.",
    Check.ROUTE_TEST_FAILS: "The deliveries or payloads of a route's test differ from what the test expects.",
    Check.UNKNOWN_PATH: "An expression reads a field that is not in the source's contract.",
    Check.MISSING_FIELD: "A mapping does not set a field that the target's contract requires.",
    Check.UNKNOWN_FIELD: "A mapping sets a field that is not in the target's contract.",
    Check.WRONG_KIND: "The value of a field has a type that the target's contract does not allow.",
    Check.UNKNOWN_VALUE: "The value of a field can be one that the target's contract does not list.",
    Check.MAY_BE_NULL: "The value of a field can be null, and the target's contract does not allow null.",
    Check.MAY_BE_MISSING: "The value of a field can be missing, and the target's contract requires it.",
    Check.MANY_INTO_ONE: "The value of a field can be a list, and the target's contract requires a single value.",
    Check.ONE_OR_MANY: "The target's contract requires a list. The value of a field is a list only if it has several elements; otherwise it is a single value.",
    Check.FRACTION: "The value of a field can have a fraction, and the target's contract requires an integer.",
    Check.TOO_LONG: "The value of a field can be longer than the target's contract allows.",
    Check.OTHER_FORMAT: "The value of a field has another format than the target's contract requires.",
    Check.LOST_DIGITS: "An expression computes with double precision, and the number can have more digits. Digits can be lost.",
    Check.WRONG_ARGUMENT: "A function or an operator gets a type of value that it does not accept.",
    Check.PERSONAL: "Personal data (x-pii) is written to a field that the target's contract does not mark as personal.",
    Check.TABLE_LACKS: "A code list has no row for a value that its source can have, and has no `otherwise`.",
    Check.NO_LIST: "`each` or `split` is applied to a value that is not a list.",
    Check.OUT_OF_BOUNDS: "The value of a field can be a number or a text length outside the limits of the target's contract.",
    Check.NO_MAPPING: "A route has no mapping from a live version of its source to a target.",
    Check.DEAD_ROUTE: "A route's source has no live version.",
    Check.LOOP: "Routes form a loop: they always lead a message back to its own type.",
    Check.NEVER_TRUE: "A condition is never true: the contract, another part of it or an earlier condition excludes it. Also reported if a route drops every message.",
    Check.BAD_REPLY: "A reply is not a message that the target emits.",
    Check.RETIRED_TARGET: "The version of a target is a draft or is retired.",
    Check.SECRET: "A secret is written into a file.",
    Check.BAD_URL: "The default address of a target is not a plain http or https URL.",
    Check.UNSIGNED: "A hook reads its event from a part of the request that the partner's signature does not cover.",
    Check.NO_OWNER: "A system or route has no owner.",
    Check.MAY_LOOP: "Routes may form a loop: they can lead a message back to its own type, and only their conditions end it.",
    Check.UNLOCKED: "A published contract is not in contracts/versions.lock.",
    Check.UNREACHED: "No route and no look-up has this accepted message as its target. Or: no hook and no queue uses this mapping.",
    Check.NOTHING_IGNORED: "A `# check: ignore` has no reason, or its line has nothing to ignore.",
    Check.NO_UPGRADE: "A newer live version refuses messages that an older live version accepts, and no mapping converts between the two.",
    Check.WEAK_PROOF: "Authentication of incoming calls is weak. Causes: the legacy form; `peers` that include the hub's own machine; a hook with no signature and no peers; a signature that does not cover the body or a field that is read.",
    Check.NOT_TOLD: "A route has an alert level, and this version of the hub sends no alerts.",
    Check.SUNSET: "A version that is still accepted ends within 30 days, or has ended. From its `sunset` on, its messages are refused.",
    Check.NOT_SET: "A secret is not set on this machine. Incoming calls cannot be authenticated; on apply, outgoing calls cannot be signed either.",
    Check.NOT_SET_HERE: "A secret that signs outgoing calls is not set on this machine.",
    Check.BRIEF_LEASE: "A call may take longer than its lease (HUB_LEASE). Another worker would send the delivery again.",
    Check.COSTLY: "An expression is costly: it loops over a list inside a loop over a list, or its cost has no limit in the message.",
    Check.NO_ID: "A hook cannot tell a repeat from a new event: it has no `id`, and no signed time or nonce.",
}
