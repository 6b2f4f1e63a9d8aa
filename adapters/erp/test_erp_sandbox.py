from tests.support.sandboxes import running, sample


def test_it_books_each_order_and_shows_who_was_booked_twice(tmp_path, receiver):
    cost = sample("erp", "cost.post", "order")
    with running("erp", tmp_path, receiver.url) as erp:
        first = erp.call("/api/erp/cost", cost, "k1")
        assert erp.call("/api/erp/cost", cost, "k1") == first
        assert erp.get("/_state")["totals"] == {
            "orders": 1,
            "vouchers": 1,
            "double": 0,
            "costAmount": 118.8,
            "revenueAmount": 198.0,
        }
        # The same order under another key is a fault of the sender, and shows
        erp.call("/api/erp/cost", cost, "k2")
        assert erp.get("/_control")["summary"]["double"] == 1
