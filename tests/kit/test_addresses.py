"""Where a target may lie (input B62, threat S11): the address decides, not the text."""

import ipaddress

import pytest

from hub.kit.http.address_rules import judge_url, may_connect

DENIED = """127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 ::1 :: ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: 100::1
2001:db8::1 2001::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1""".split()
ALLOWED = "1.1.1.1 8.8.8.8 93.184.216.34 172.15.255.255 172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 64:ff9b::808:808 2002:808:808::".split()
BAD = """file:///etc/passwd gopher://h/ ftp://h/ http:// http://user:pw@h/ http://h#@evil/ http://h\\@evil/ http://evil%00.h/ http://127.1/ http://2130706433/
http://0x7f.1/ http://0177.0.0.1/ http://[::ffff:127.0.0.1]/ http://[64:ff9b::7f00:1]/ http://169.254.169.254/ http://localhost./ http://h:22/ http://h:0/ http://h:99999/ //h/x h/x""".split()


@pytest.mark.parametrize("address", DENIED)
def test_what_is_private_or_reserved_is_not_connected_to(address):
    assert not may_connect(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_global_addresses_are(address):
    assert may_connect(address)


def test_an_operator_allows_a_range():
    loopback = [ipaddress.ip_network("127.0.0.0/8")]
    assert may_connect("127.0.0.1", loopback)
    assert may_connect("::ffff:127.0.0.1", loopback)
    assert not may_connect("10.0.0.1", loopback)


@pytest.mark.parametrize("url", BAD)
def test_a_url_that_is_odd_is_refused_with_a_reason(url):
    assert judge_url(url)


@pytest.mark.parametrize("url", ["http://wms.example/api", "https://api.example.com:8443", "http://93.184.216.34/x"])
def test_a_plain_url_is_taken(url):
    assert judge_url(url) is None
