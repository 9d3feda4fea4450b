from __future__ import annotations

import pytest

from garrison.wire.hosts import HostParts, Hosts

HOSTS = Hosts(("amazonaws.com", "localhost", "aws.example.test", "example.test"))


@pytest.mark.parametrize(
    ("host", "service", "bucket"),
    [
        # Amazon S3 User Guide, "Virtual hosting of general purpose buckets" and "Legacy endpoints".
        ("s3.amazonaws.com", "s3", ""),
        ("s3.us-west-2.amazonaws.com", "s3", ""),
        ("amzn-s3-demo-bucket1.s3.us-west-2.amazonaws.com", "s3", "amzn-s3-demo-bucket1"),
        ("example.com.s3.us-west-2.amazonaws.com", "s3", "example.com"),
        ("amzn-s3-demo-bucket1.s3-us-west-2.amazonaws.com", "s3-us-west-2", "amzn-s3-demo-bucket1"),
        ("amzn-s3-demo-bucket1.s3.amazonaws.com", "s3", "amzn-s3-demo-bucket1"),
        ("amzn-s3-demo-bucket1.s3.dualstack.us-west-2.amazonaws.com", "s3", "amzn-s3-demo-bucket1"),
        ("amzn-s3-demo-bucket1.s3-accelerate.amazonaws.com", "s3-accelerate", "amzn-s3-demo-bucket1"),
        ("amzn-s3-demo-bucket1.s3-fips.us-gov-west-1.amazonaws.com", "s3", "amzn-s3-demo-bucket1"),
        ("a.s3.s3.eu-west-1.amazonaws.com", "s3", "a.s3"),
        # S3 Control puts the account in front.
        ("123456789012.s3-control.us-west-2.amazonaws.com", "s3-control", "123456789012"),
        # One's own name: in front of it a bucket, or S3's label.
        ("localhost:4566", "", ""),
        ("bucket.localhost:4566", "", "bucket"),
        ("my.bucket.localhost", "", "my.bucket"),
        ("s3.localhost:4566", "s3", ""),
        ("bucket.s3.localhost:4566", "s3", "bucket"),
        ("BUCKET.S3.LOCALHOST:4566", "s3", "bucket"),
        ("bucket.s3.localhost.:4566", "s3", "bucket"),
        ("bucket.aws.example.test", "", "bucket"),
        ("bucket.example.test", "", "bucket"),
        # Addresses and strangers' names have no prefix.
        ("127.0.0.1:4566", "", ""),
        ("[::1]:4566", "", ""),
        ("[::1]", "", ""),
        ("bucket.elsewhere.test", "", ""),
        ("notlocalhost", "", ""),
        ("", "", ""),
    ],
)
def test_what_a_host_says_of_s3(host: str, service: str, bucket: str):
    parts = HOSTS.parts(host)
    assert (parts.s3_service, parts.bucket) == (service, bucket)


def test_labels_lose_their_fips_mark():
    assert HOSTS.parts("kms-fips.us-east-1.amazonaws.com").labels == ("kms", "us-east-1")


def test_the_longer_of_two_names_wins():
    assert HOSTS.parts("aws.example.test") == HostParts("", "", "", ())


def test_what_is_longer_than_a_name_can_be_is_nobodys():
    assert HOSTS.parts("a" * 300 + ".localhost") == HostParts("", "", "", ())
