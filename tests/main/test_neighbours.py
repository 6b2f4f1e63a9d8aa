"""What a start wants of the environment: a scheme whose secret is not there would let everybody in who knows the
scheme.
"""

import pytest

from hub import settings as settings_table
from hub.catalog import load
from hub.catalog.scaffold.new_workspace import init
from hub.main.neighbours import check_secrets
from hub.settings import BadSetting

SCHEME = '{alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}'
HOOK = f"""\
hooks:
  paid:
    verify: {SCHEME}
    read: {{emit: shop/order.placed@1}}
"""


def started(folder, **environment):
    check_secrets(load(folder), settings_table.read({"HUB_WORKSPACE": str(folder), **environment}))


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


def shop(workspace, change):
    file = workspace / "adapters" / "shop" / "system.yaml"
    file.write_text(
        change(file.read_text("utf-8")) + "settings:\n  secret: {help: What it signs with, secret: true}\n", "utf-8"
    )


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda text: text.replace("{scheme: hub-signature}", f"{{scheme: {SCHEME}}}"), "its posts are proven by it"),
        (lambda text: text + HOOK, "hook paid wants it"),
    ],
    ids=["posts", "a hook"],
)
def test_a_proof_without_its_secret_is_refused_at_the_start(workspace, change, why):
    shop(workspace, change)
    with pytest.raises(BadSetting, match=f"shop: HUB_SHOP_SECRET is not set; {why}"):
        started(workspace)
    started(workspace, HUB_SHOP_SECRET="sk_own")
