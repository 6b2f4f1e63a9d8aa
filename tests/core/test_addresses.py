"""Addresses as proxies write them down."""

from ipaddress import ip_network

import pytest

from hub.core.model.addresses import bare, client, hops, in_url, is_among

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:51234 ", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ('"[2001:db8::7]:51234"', "2001:db8::7"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
        ("unknown", "unknown"),
        ("_hidden", "_hidden"),
        ("203.0.113.7:port", "203.0.113.7:port"),
        ("[203.0.113.7", "[203.0.113.7"),
        ("", ""),
    ],
)
def test_an_address_without_its_port(text, address):
    assert bare(text) == address


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "address"),
    [
        ([], [], "10.0.0.1"),
        (["203.0.113.7"], [], "203.0.113.7"),
        (["203.0.113.7:51234"], [], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7"], [], "203.0.113.7"),  # what a stranger wrote stands first
        (["6.6.6.6", "203.0.113.7, 10.1.1.1"], [], "203.0.113.7"),  # two trusted proxies, two headers
        (["6.6.6.6, [2001:db8::7]:4711, [fd00::1]:80, 10.1.1.1:80"], [], "2001:db8::7"),
        (["10.2.2.2, 10.1.1.1"], [], "10.2.2.2"),  # all of it inside: the farthest
        (["203.0.113.7, unknown"], [], "unknown"),  # nobody is taken for whom the proxy did not see
        ([], ["for=203.0.113.7"], "203.0.113.7"),
        ([], ['For="[2001:db8::7]:4711";proto=https;by=10.0.0.1'], "2001:db8::7"),
        ([], ['for=6.6.6.6, for="203.0.113.7:80";host="a, for=9.9.9.9"', "proto=http;for=10.1.1.1"], "203.0.113.7"),
        ([], ["proto=https"], "10.0.0.1"),
        # a proxy that writes X-Forwarded-For may hand on a stranger's Forwarded
        (["203.0.113.7"], ["for=6.6.6.6"], "203.0.113.7"),
    ],
)
def test_the_client_behind_proxies(forwarded_for, forwarded, address):
    assert client("10.0.0.1", hops(forwarded_for, forwarded), PROXIES) == address


def test_nobody_who_is_no_proxy_is_believed():
    assert client("203.0.113.9", hops(["10.1.1.1"], []), PROXIES) == "203.0.113.9"
    assert not is_among("unknown", PROXIES)
    assert is_among("::ffff:10.0.0.1", PROXIES)


def test_a_host_in_a_url():
    assert [in_url(host) for host in ("127.0.0.1", "::1", "[::1]", "hub.example")] == [
        "127.0.0.1",
        "[::1]",
        "[::1]",
        "hub.example",
    ]
