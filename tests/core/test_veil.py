"""What is personal is masked wherever it turns up: in documents by their contracts, elsewhere by its value."""

from hub.core.documents.difference import difference
from hub.core.message import Ref
from hub.core.schemas.contract import MASK, compile_contract
from hub.core.schemas.masking import Masker

SCHEMA = {
    "type": "object",
    "properties": {
        "phone": {"type": "string", "x-pii": "phone"},
        "lines": {"type": "array", "items": {"properties": {"to": {"x-pii": "name"}}}},
        "no": {},
    },
}
PLAIN = {"type": "object"}
ORDER = {"phone": "13812345678", "lines": [{"to": "Li Lei"}], "no": 7}


def contract(schema):
    return compile_contract(Ref("oms", "order.created", 1), schema)


def test_a_document_is_masked_by_its_contract():
    veil = Masker()
    assert veil.over(contract(SCHEMA), {"no": 7}) == {"no": 7}
    assert not veil.has_masked
    assert veil.over(contract(SCHEMA), ORDER) == {"phone": MASK, "lines": [{"to": MASK}], "no": 7}
    assert veil.has_masked


def test_what_no_contract_describes_is_masked_by_what_is_known():
    veil = Masker()
    veil.learn(contract(SCHEMA), ORDER)
    assert veil.over_text("Li Lei (13812345678) was not found") == f"{MASK} ({MASK}) was not found"
    assert veil.over(None, {"said": ["to Li Lei", 13812345678, True, None, 7]}) == {
        "said": [f"to {MASK}", MASK, True, None, 7]
    }


def test_a_change_shows_neither_side_of_what_is_personal_on_one():
    old, new = {"phone": "13812345678", "no": 1}, {"mobile": "13812345678", "no": 2}
    told = Masker().over_changes(difference(old, new), (contract(SCHEMA), old), (contract(PLAIN), new))
    assert told == [
        {"kind": "changed", "pointer": "/no", "old": 1, "new": 2},
        {"kind": "moved", "pointer": "/mobile", "from": "/phone", "old": MASK, "new": MASK},
    ]
    lifted = Masker(is_lifted=True).over_changes(difference(old, new), (contract(SCHEMA), old), (contract(PLAIN), new))
    assert "13812345678" in str(lifted)
