from __future__ import annotations

from garrison.wire.sigv4.signing_keys import SigningKeys, signing_key

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def test_published_key():
    """IAM User Guide, "Examples of how to derive a signing key"."""
    key = signing_key(SECRET, "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_cached_key_gives_the_same_mac_each_time():
    keys = SigningKeys()
    macs = []
    for _ in range(3):
        mac = keys.mac(SECRET, "20150830", "us-east-1", "iam")
        mac.update(b"text")
        macs.append(mac.hexdigest())
    assert len(set(macs)) == 1
    assert len(keys) == 1


def test_each_part_of_the_name_counts():
    keys = SigningKeys()
    parts = [
        (SECRET, "20150830", "us-east-1", "iam"),
        ("other", "20150830", "us-east-1", "iam"),
        (SECRET, "20150831", "us-east-1", "iam"),
        (SECRET, "20150830", "us-west-1", "iam"),
        (SECRET, "20150830", "us-east-1", "sts"),
    ]
    assert len({keys.mac(*part).hexdigest() for part in parts}) == len(parts) == len(keys)


def test_the_least_recently_used_key_goes():
    keys = SigningKeys(limit=2)
    for service in ("a", "b", "a", "c"):
        keys.mac(SECRET, "20150830", "us-east-1", service)
    assert [name[3] for name in keys._keys] == ["a", "c"]


def test_secret_is_not_kept():
    keys = SigningKeys()
    keys.mac(SECRET, "20150830", "us-east-1", "iam")
    assert SECRET not in repr(keys._keys)
    assert all(SECRET.encode() not in part for name in keys._keys for part in name if isinstance(part, bytes))
