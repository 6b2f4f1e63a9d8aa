"""Whatever strangers, targets, queues and colleagues wrote: each page of the console shows it as text, and nothing of
it runs, asks elsewhere, or breaks the page.
"""

import json
from urllib.parse import quote, urlsplit

import pytest

from hub.console import attach
from hub.http.app import make_app
from tests.support import views
from tests.support.chromium import SIZES, Visitor
from tests.support.hostile import ALL, MAPPED, OPERATOR, TEXTS, hurt, order, printable
from tests.support.servers import small_hub

pytestmark = pytest.mark.timeout(300)  # hundreds of pages are opened; on a busy machine each takes its time

# Before anything of a page runs, in each of its frames: what was not hurt, and where a breach of the policy is told.
PLANTED = """
window.__hurt = 0;
document.addEventListener("securitypolicyviolation", (event) => console.error("breach: " + event.violatedDirective + " " + event.blockedURI));
"""
# What a text can only have made by being read as markup.
MADE = """() => {
  const found = [];
  for (const one of document.querySelectorAll("*")) {
    for (const {name, value} of one.attributes)
      if (/^on|^srcdoc$|^hx-on/.test(name) || (/^(href|src|action|formaction|xlink:href)$/.test(name) && !/^(\\/|#|\\?|$)/.test(value)) || /__hurt|evil[.]example/.test(name)) found.push(one.tagName + " " + name + "=" + value);
    if (/^(IFRAME|OBJECT|EMBED|BASE|ANIMATE|FRAME)$/i.test(one.tagName) || (one.closest("body") && /^(SCRIPT|LINK|META|STYLE)$/.test(one.tagName) && !(one.href || one.src || "").startsWith(location.origin + "/console/static/"))) found.push(one.outerHTML.slice(0, 200));
  }
  return found;
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDEST = """Array.from(document.querySelectorAll("main *")).filter((one) => one.getBoundingClientRect().right > innerWidth + 1
  && !one.closest(".table *, .document *, .scene *, pre")).slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(" | ")"""
SHOWN = (
    "document.body.textContent + Array.from(document.querySelectorAll('input, textarea'), (one) => one.value).join(' ')"
)
PARAMETERS = (
    "q status words state result by what object type target route system version since caller reason cluster tab delivery field side span good of ended next "
    "message revision with from to name key days window number"
).split()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with hurt(folder) as made:
        with small_hub(folder / "workspace", f"sqlite:///{folder}/views.sqlite3") as hub:
            made.views = views.pages(make_app(hub, pages=attach))
        yield made


@pytest.fixture
def visitor(browser, written):
    """Olga at a phone, whose browser tells all that it should not have done."""
    made = Visitor(browser, written.url, "en")
    made.page.set_viewport_size(SIZES["phone"])
    made.context.add_init_script(PLANTED)
    made.page.on("dialog", lambda dialog: (made.seen.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    made.context.on(
        "request",
        lambda request: (
            urlsplit(request.url).netloc in (urlsplit(written.url).netloc, "")
            or made.seen.wrong.append(f"asked: {request.url}")
        ),
    )
    made.sign_in(*OPERATOR)
    yield made
    made.close()


def addresses(written):
    """Of each view that needs names in its address, the addresses, and which texts must stand there as they are."""
    message, dead = written.messages, written.dead
    first = TEXTS["script"]
    revision = written.hub.ops("/revision")["revision"]
    return {
        "one_message": [
            *((f"/messages/{id_}?tab=content", (text,)) for text, id_ in message.items()),
            *((f"/messages/{id_}", ()) for id_ in message.values()),
            (f"/messages/{message[first]}?tab=routing&target={quote(first)}", (first,)),
            (f"/messages/{message[first]}?tab=today", (first,)),
            (f"/messages/{message[first]}?tab=content&side=source&field=/labels/{quote(first)}", (first,)),
        ],
        "one_object": [(f"/objects/{message[first]}", (first,))],
        "any_object": [(f"/objects?number={quote(text)}", (text,)) for text in message],
        "cause": [(f"/dead/causes/{id_}", ()) for id_ in written.causes[:6]],
        "one_delivery": [(f"/dead/deliveries/{id_}", ()) for id_ in dead.values()],
        "edit": [(f"/dead/deliveries/{dead[first]}/edit", ())],
        "one_repair": [(f"/repairs/{id_}", ()) for id_ in written.repairs[:3]],
        "one_refused": [(f"/refused/{id_}", ()) for id_ in written.refused],
        "one_unrouted": [("/unrouted/0123456789abcdef", ()), ("/unrouted/0123456789abcdef?preview=1", ())],
        "one_flow": [("/flow/target/warehouse", (printable(ALL, 500),)), ("/flow/route/orders", ())],
        "one_mapping": [(f"/mappings/{MAPPED}", ()), (f"/mappings/{MAPPED}?case=one-line", ())],
        "one_contract": [("/contracts/shop/order.placed", ()), ("/contracts/warehouse/order.create", ())],
        "one_sample": [("/contracts/shop/order.placed/samples/1/one-line", ())],
        "one_system": [("/systems/shop", ()), ("/systems/warehouse", ())],
        "one_change": [(f"/changes/{revision}", ())],
        "plan_back": [(f"/changes/{revision}/back", ())],
        # Files of the hub's own, and what is nowhere
        "static": [("/static/nothing", ())],
        "nowhere": [(f"/{quote(TEXTS[name], safe='')}", ()) for name in ("attribute", "template", "bidi", "long")],
    }


def opened(visitor, path, *texts, status=(200,)):
    """Opens a page; what does not hold of it."""
    answer = visitor.page.goto(f"/console{path}")
    found = [] if answer.status in status else [f"{path[:120]}: {answer.status}"]
    return found + faults(visitor, path[:120], *texts)


def faults(visitor, name, *texts):
    """What does not hold of the page as it stands: something ran, was asked for, became markup, is too wide, or is not
    what was written.
    """
    page, said = visitor.page, visitor.seen.wrong
    found = [f"ran: {hurt}"] if (hurt := page.evaluate("window.__hurt")) != 0 else []
    found += [f"markup: {one}" for one in page.evaluate(MADE)]
    found += [f"{wide} px too wide: {page.evaluate(WIDEST)}"] if (wide := page.evaluate(TOO_WIDE)) > 0 else []
    # That an address was refused is the answer that was wanted; browsers tell it as an error.
    found += [text for text in said if "the server responded with a status of 4" not in text]
    said.clear()
    shown = squeezed(page.evaluate(SHOWN)) if texts else ""
    found += [
        f"not shown: {text}"
        for text in texts
        if squeezed(text) not in shown and squeezed(json.dumps(text, ensure_ascii=False)[1:-1]) not in shown
    ]
    return [f"{name}: {one}" for one in found]


def squeezed(text):
    return "".join(one for one in text if one.isprintable() and one != " ")


def test_each_page_shows_as_text_what_strangers_wrote(visitor, written):
    known = addresses(written)
    missing = {name for name, (_, needs) in written.views.items() if needs} - known.keys()
    assert not missing, f"pages without an address here: {sorted(missing)}"
    found = []
    for name, (rule, _) in written.views.items():
        for path, texts in known.get(name) or [(rule.removeprefix("/console"), ())]:
            found += opened(visitor, path, *texts, status=(404,) if name in ("static", "nowhere") else (200,))
    assert not found, "\n".join(found)


def test_each_page_stands_whatever_its_address_asks(visitor, written):
    asked = "&".join(
        f"{name}={quote(TEXTS['attribute'] + TEXTS['script'] + TEXTS['long'][:50])}" for name in PARAMETERS
    )
    found = []
    for rule, needs in written.views.values():
        if not needs:
            found += opened(visitor, f"{rule.removeprefix('/console')}?{asked}", status=(200, 400, 404))
    assert not found, "\n".join(found)


def sent(visitor, path, **fields):
    """What a form of a page of ours sends; its answer is the page."""
    page = visitor.page
    fields = {"csrf": page.locator("input[name=csrf]").first.get_attribute("value"), **fields}
    with page.expect_navigation():
        page.evaluate(
            """([path, fields]) => {
              const form = Object.assign(document.createElement("form"), {method: "post", action: path});
              for (const [name, value] of Object.entries(fields)) {
                const field = document.createElement("textarea");
                field.name = name;
                field.value = value;
                form.append(field);
              }
              document.body.append(form);
              HTMLFormElement.prototype.submit.call(form);
            }""",
            [f"/console{path}", fields],
        )


def test_what_a_form_is_answered_with_stands_too(visitor, written):
    found = []
    visitor.open("/console/processes")
    text, why = TEXTS["attribute"], printable(ALL, 500)
    message, delivery = written.messages[text], written.dead[text]
    asked = {
        f"/messages/{message}/reveal": ({"why": why}, (text,)),
        f"/dead/deliveries/{delivery}/open": ({"why": why}, (text,)),
        f"/dead/deliveries/{delivery}/edit": ({"why": why, "body": json.dumps({ALL: ALL}, ensure_ascii=False)}, (ALL,)),
        "/people": ({"name": ALL[:100], "password": "x" * 20, "role": why[:20]}, (ALL[:20],)),
        "/callers/new": ({"name": why[:100], "system": ALL, "form": why[:20], "pins": ALL, "days": ""}, (why[:100],)),
        "/find/views": ({"name": why[:100], "q": why[:200], "for": "all"}, (why[:200],)),
        "/repairs": ({"why": why, "ids": ALL, "act": ALL, "with": ALL, "status": ALL}, ()),
        f"/mappings/{MAPPED}/try": ({"message": message}, (text,)),
        f"/mappings/{MAPPED}/try?": ({"pasted": json.dumps(order(text), ensure_ascii=False)}, (text,)),
        **{f"/refused/{id_}/show": ({"why": why}, ("__hurt=1",)) for id_ in written.refused[:3]},
    }
    for path, (fields, texts) in asked.items():
        sent(visitor, path, **fields)
        found += faults(visitor, path, *texts)
    assert not found, "\n".join(found)


def test_the_way_in_shows_as_text_what_was_typed(browser, written):
    made = Visitor(browser, written.url, "en")
    made.context.add_init_script(PLANTED)
    made.page.set_viewport_size(SIZES["phone"])
    found = []
    for text in (TEXTS["attribute"], TEXTS["url"]):
        made.open(f"/console/sign-in?next={quote(text)}&ended={quote(text)}")
        made.page.fill("input[name=name]", printable(text, 60))
        made.page.fill("input[name=password]", text)
        made.page.click("form.sign-in button")
        made.page.wait_for_selector("[role=alert]")
        found += faults(made, "sign-in")
    made.close()
    assert not found, "\n".join(found)


def test_what_is_let_through_is_seen(visitor, written):
    # Given a page that takes texts over as they are, in three kinds of places, and without a policy
    said = "<!doctype html><main>{0}<a href='{0}'>x</a><textarea>{0}</textarea></main>"
    visitor.page.route(
        "**/console/planted*",
        lambda route: route.fulfill(content_type="text/html", body=said.format(TEXTS[route.request.url.split("?")[1]])),
    )
    visitor.page.route("**/evil.example/**", lambda route: route.abort())
    # Then each text that can do something is found doing it
    # the last leaves the page: then there is nothing left to look at
    harmless = {"bidi", "unicode", "control", "template", "refresh"}
    silent = [name for name in TEXTS.keys() - harmless if not opened(visitor, f"/planted?{name}")]
    assert silent == []
