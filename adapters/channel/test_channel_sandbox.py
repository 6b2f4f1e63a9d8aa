from tests.support.sandboxes import running, sample, wait_for


def test_it_places_the_orders_of_its_seed(tmp_path, receiver):
    for life in ("one", "two"):
        with running("channel", tmp_path / life, receiver.url) as channel:
            assert channel.act("/_place", {"count": 30})[1]["data"] == {"first": 1, "count": 30}
            wait_for(lambda: channel.get("/_control")["posted"] == 30)
    # Whatever it posts keeps the contract (the receiver checks); both lives with one seed place the same orders
    orders = receiver.of("channel/order.placed")
    assert len(orders) == 60
    made = [{name: value for name, value in order.items() if name != "placedTime"} for order in orders]
    for order in made[:30]:
        assert order in made[30:]
        assert sum(line["price"] * line["quantity"] for line in order["items"]) == order["totalAmount"]


def test_it_keeps_the_rate_that_is_asked(tmp_path, receiver):
    with running("channel", tmp_path, receiver.url) as channel:
        channel.act("/_place", {"count": 5, "rate": 20})
        figures = channel.get("/_control")
        assert figures["summary"]["placed"] <= 2
        wait_for(lambda: channel.get("/_control")["summary"]["placed"] == 5)


def test_it_hears_how_far_an_order_has_come(tmp_path, receiver):
    with running("channel", tmp_path, receiver.url) as channel:
        channel.act("/_place", {"order": {"channelOrderNo": "APP20251122000001"}})
        wait_for(lambda: channel.get("/_state")["orders"])
        assert channel.call("/api/channel/orders/status", sample("channel", "order.status", "shipped"), "k1")[0] == 200
        assert channel.get("/_state")["orders"]["APP20251122000001"]["status"] == "SHIPPED"
        assert (
            channel.call(
                "/api/channel/orders/status",
                {**sample("channel", "order.status", "shipped"), "channelOrderNo": "X"},
                "k2",
            )[0]
            == 404
        )


def test_nonsense_is_refused_and_leaves_no_trace(tmp_path, receiver):
    with running("channel", tmp_path, receiver.url) as channel:
        for body in ({"count": 0}, {"count": "many"}, {"rate": -1}, {"order": 1}):
            assert channel.act("/_place", body)[0] == 400
    with running("channel", tmp_path, receiver.url) as channel:
        assert channel.get("/_control")["summary"] == {"planned": 0, "placed": 0, "by_status": {}}
