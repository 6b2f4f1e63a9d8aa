"""The vault: sealed texts open only where they were sealed; references are resolved strictly (input B60, threat
S24).
"""

import os
import stat

import pytest

from hub.vault import Secret, Vault, VaultError, exposed, new_key, new_master_key, public_file, read_master_key, resolve

VAULT = Vault(bytes(32))


def test_a_sealed_text_opens_for_its_row_alone():
    sealed = VAULT.seal("whsec_x", "k_1")
    assert VAULT.open(sealed, "k_1") == "whsec_x"
    assert "whsec" not in sealed
    with pytest.raises(VaultError, match="another row"):
        VAULT.open(sealed, "k_2")


def test_another_master_key_opens_nothing_and_says_which_it_was():
    with pytest.raises(VaultError, match="another master key"):
        Vault(bytes(31) + b"1").open(VAULT.seal("x", "r"), "r")


def test_an_altered_text_does_not_open():
    sealed = VAULT.seal("x", "r")
    with pytest.raises(VaultError):
        VAULT.open(sealed[:-4] + "AAAA", "r")


def test_keys_are_random_and_hashed_with_a_pepper():
    assert new_key() != new_key()
    assert VAULT.hash_key("ak") != Vault(bytes(31) + b"1").hash_key("ak")
    assert len(read_master_key(new_master_key())) == 32


def test_references(tmp_path):
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    assert resolve("env:A", {"A": "x"}) == "x"
    assert resolve(f"file:{file}", {}) == "s3cret"
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        resolve(f"file:{file}", {})
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "big").chmod(0o600)
    for bad in (
        "env:MISSING",
        "env:",
        "plain",
        f"file:{tmp_path}/none",
        f"file:{tmp_path}/pipe",
        f"file:{tmp_path}/big",
        f"file:{tmp_path}",
    ):
        with pytest.raises(VaultError):
            resolve(bad, {})


@pytest.mark.parametrize(
    ("mode", "is_ours", "is_read_only", "verb"),
    [
        (0o400, True, False, ""),  # systemd's LoadCredential
        (0o600, True, False, ""),
        (0o440, False, False, ""),  # Kubernetes with fsGroup
        (0o444, False, False, ""),  # Docker, Swarm
        (0o444, True, False, ""),
        (0o640, False, False, ""),  # root's, handed to the hub's group
        (0o644, False, True, ""),  # Kubernetes without fsGroup: the mount is read-only
        (0o664, False, True, ""),
        (0o640, True, False, "read"),
        (0o644, True, False, "read"),
        (0o644, False, False, "read"),
        (0o660, False, False, "written"),
        (0o666, True, False, "written"),
        (0o622, True, False, "written"),
    ],
)
def test_who_may_read_a_secret(mode, is_ours, is_read_only, verb):
    assert exposed(stat.S_IFREG | mode, is_ours=is_ours, is_read_only=is_read_only) == verb


def test_a_secret_that_is_mounted_by_links_as_kubernetes_does(tmp_path):
    data = tmp_path / "..2026_11_30"
    data.mkdir()
    (data / "key").write_text("s3cret\n")
    (data / "key").chmod(0o440)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "key").symlink_to("..data/key")
    assert resolve(f"file:{tmp_path}/key", {}) == "s3cret"
    (data / "key").chmod(0o600)
    (data / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(VaultError, match="not UTF-8 text"):
        resolve(f"file:{tmp_path}/key", {})


def test_authorities_are_no_secret(tmp_path):
    file = tmp_path / "all.pem"
    file.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 20_000)
    for mode in (0o400, 0o444, 0o644, 0o664):
        file.chmod(mode)
        assert public_file(f"file:{file}") == str(file)
    file.chmod(0o666)
    with pytest.raises(VaultError, match="o-w"):
        public_file(f"file:{file}")
    for bad in (f"file:{tmp_path}", f"file:{tmp_path}/none", "env:CA", "file:"):
        with pytest.raises(VaultError):
            public_file(bad)


@pytest.mark.parametrize("written", ["whsec_9fKd2hPq", "env:whsec/9fKd2hPq==", "9fKd2hPq:rest", "hunter2-9fKd2hPq"])
def test_a_secret_that_stands_where_a_reference_belongs_is_not_repeated(written):
    with pytest.raises(VaultError) as caught:
        resolve(written, {})
    assert "9fKd2hPq" not in str(caught.value)


def test_a_resolved_secret_shows_nothing_when_it_is_printed():
    secret = resolve("env:A", {"A": "s3cret"})
    assert isinstance(secret, Secret)
    assert "s3cret" not in repr([secret])
    assert secret.encode() == b"s3cret"
