"""What the app itself says that it has, so that no test leaves out what is new."""

SAFE = {"GET", "HEAD", "OPTIONS"}


def pages(app):
    """Of each page of the console its view's name → (its address, the names that the address needs)."""
    return {
        rule.endpoint.removeprefix("console."): (rule.rule, frozenset(rule.arguments))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and "GET" in rule.methods
    }
