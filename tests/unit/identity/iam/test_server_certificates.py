"""Server certificates. Texts of refusals: as users of the AWS CLI and of Terraform have reported them."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from garrison.identity.iam import server_certificates
from tests.support.certificates import DAY, certificate, ec_key, edwards_key, private_pem, rsa_key
from tests.support.iam import ACCOUNT, NOW, Cloud, tags

ARN = f"arn:aws:iam::{ACCOUNT}:server-certificate"
KEY = private_pem(rsa_key())
BODY = certificate("www.example.com", rsa_key(), "below", ec_key(1))
BELOW = certificate("below", ec_key(1), "authority", ec_key(2))
AUTHORITY = certificate("authority", ec_key(2))
NOT_PEM = r"^Unable to parse certificate\. Please ensure the certificate is in PEM format\.$"


def upload(cloud: Cloud, name: str = "Web", **members: object) -> api.ServerCertificateMetadata:
    given = {"certificate_body": BODY, "private_key": KEY, **members}
    found: api.ServerCertificateMetadata = cloud.upload_server_certificate(
        server_certificate_name=name, **given
    ).server_certificate_metadata
    return found


def test_upload_get_list_delete(cloud: Cloud):
    chain = f"{BELOW}\n{AUTHORITY}\n"
    made = upload(cloud, path="/cloudfront/", certificate_chain=chain, certificate_body=f"\n{BODY}\n", tags=tags(team="blue"))
    assert (made.server_certificate_name, made.path, made.arn) == ("Web", "/cloudfront/", f"{ARN}/cloudfront/Web")
    assert made.server_certificate_id.startswith("ASCA")
    assert (made.upload_date, made.expiration) == (NOW + 1, NOW + 365 * DAY)
    (item,) = cloud.items
    assert (item.type, item.arn, dict(item.tags)) == ("AWS::IAM::ServerCertificate", made.arn, {"team": "blue"})
    found = cloud.get_server_certificate(server_certificate_name="web").server_certificate
    assert found.server_certificate_metadata == made
    assert (found.certificate_body, found.certificate_chain, found.tags) == (BODY, chain.strip(), tags(team="blue"))
    assert cloud.targets[0].tags == {"team": "blue"}
    assert cloud.list_server_certificates().server_certificate_metadata_list == [made]
    assert cloud.list_server_certificates(path_prefix="/other/").server_certificate_metadata_list == []
    assert cloud.targets[0].arn == f"{ARN}/other/"
    cloud.delete_server_certificate(server_certificate_name="Web")
    assert cloud.items[0].deleted
    assert cloud.row("SELECT COUNT(*) FROM iam_server_certificate") == (0,)


def test_the_private_key_is_sealed_and_stands_nowhere_else(cloud: Cloud):
    made = upload(cloud)
    (sealed,) = cloud.row("SELECT private_key FROM iam_server_certificate") or (b"",)
    assert KEY.splitlines()[1].encode() not in bytes(sealed)
    associated = f"{ACCOUNT}/{made.server_certificate_id}".encode()
    assert cloud.sealer.unseal(server_certificates.PURPOSE, bytes(sealed), associated).decode() == KEY
    assert "PRIVATE" not in str(cloud.items)


def test_an_elliptic_curve_and_a_single_certificate(cloud: Cloud):
    upload(cloud, certificate_body=certificate("alone", ec_key()), private_key=private_pem(ec_key()))
    assert cloud.get_server_certificate(server_certificate_name="Web").server_certificate.certificate_chain is None


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"certificate_body": "certificate"}, NOT_PEM),
        ({"certificate_body": " "}, NOT_PEM),
        ({"certificate_body": f"{BODY}\n{BELOW}"}, NOT_PEM),
        ({"certificate_body": f"Certificate:\n  Data:\n{BODY}"}, NOT_PEM),
        ({"certificate_body": BODY.replace("MII", "AAA", 1)}, NOT_PEM),
        ({"certificate_body": KEY}, NOT_PEM),
        ({"certificate_chain": "chain"}, NOT_PEM),
        ({"certificate_chain": " "}, NOT_PEM),
        ({"certificate_chain": f"{BELOW}\n{KEY}"}, NOT_PEM),
        ({"private_key": "key"}, "^Unable to parse key; "),
        ({"private_key": private_pem(edwards_key())}, "^Unable to parse key; "),
        ({"private_key": private_pem(rsa_key(), b"secret")}, r"^Unable to parse key; the body is encrypted\.$"),
    ],
)
def test_what_cannot_be_read(cloud: Cloud, members: dict[str, str], message: str):
    with pytest.raises(api.MalformedCertificateException, match=message):
        upload(cloud, **members)
    assert cloud.list_server_certificates().server_certificate_metadata_list == []


def test_a_key_of_another_certificate(cloud: Cloud):
    for other in (rsa_key(1), ec_key()):
        with pytest.raises(api.KeyPairMismatchException) as caught:
            upload(cloud, private_key=private_pem(other))
        assert caught.value.__cause__ is None, "a traceback might tell of the key"


IMPOSTOR = certificate("below", ec_key(3), "authority", ec_key(2))


@pytest.mark.parametrize(
    ("chain", "index"),
    [
        ([AUTHORITY, BELOW], 0),
        ([AUTHORITY], 0),
        ([IMPOSTOR, AUTHORITY], 0),
        ([BELOW, certificate("authority", ec_key(4))], 1),
        ([BELOW, BELOW], 1),
        ([BELOW, AUTHORITY, BELOW], 2),
    ],
    ids=["reversed", "one left out", "a name taken", "another of its name", "twice", "too many"],
)
def test_a_chain_that_breaks(cloud: Cloud, chain: list[str], index: int):
    with pytest.raises(api.MalformedCertificateException, match=rf"^Unable to validate certificate chain\..* is: {index}$"):
        upload(cloud, certificate_chain="\n".join(chain))


def test_out_of_its_time(cloud: Cloud):
    over = certificate("www", rsa_key(), begins=NOW - 2 * DAY, ends=NOW - DAY)
    message = r"^Certificate is no longer valid\. The 'Not After' date restriction on the certificate has passed\.$"
    with pytest.raises(api.MalformedCertificateException, match=message):
        upload(cloud, certificate_body=over)
    with pytest.raises(api.MalformedCertificateException, match="Certificate is not yet valid"):
        upload(cloud, certificate_body=certificate("www", rsa_key(), begins=NOW + DAY, ends=NOW + 2 * DAY))


def test_names_and_quota(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    upload(cloud)
    with pytest.raises(api.EntityAlreadyExistsException, match=r"^The Server Certificate with name WEB already exists\.$"):
        upload(cloud, "WEB")
    monkeypatch.setattr(server_certificates, "CERTIFICATES_PER_ACCOUNT", 1)
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for ServerCertificatesPerAccount: 1$"):
        upload(cloud, "other")


def test_rename(cloud: Cloud):
    made = upload(cloud)
    upload(cloud, "other")
    cloud.update_server_certificate(server_certificate_name="Web", new_server_certificate_name="Site", new_path="/a/")
    assert [target.arn for target in cloud.targets] == [f"{ARN}/Web", f"{ARN}/a/Site"]
    found = cloud.get_server_certificate(server_certificate_name="Site").server_certificate.server_certificate_metadata
    assert (found.server_certificate_id, found.arn) == (made.server_certificate_id, f"{ARN}/a/Site")
    with pytest.raises(api.EntityAlreadyExistsException, match="The Server Certificate with name OTHER already exists"):
        cloud.update_server_certificate(server_certificate_name="Site", new_server_certificate_name="OTHER")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_server_certificate", {}),
        ("update_server_certificate", {"new_path": "/a/"}),
        ("delete_server_certificate", {}),
        ("tag_server_certificate", {"tags": tags(a="b")}),
        ("untag_server_certificate", {"tag_keys": ["a"]}),
        ("list_server_certificate_tags", {}),
    ],
)
def test_a_certificate_that_is_not_there(cloud: Cloud, operation: str, members: dict[str, object]):
    with pytest.raises(api.NoSuchEntityException, match=r"^The Server Certificate with name nobody cannot be found\.$"):
        getattr(cloud, operation)(server_certificate_name="nobody", **members)
    assert cloud.targets[0].arn == f"{ARN}/nobody"


def test_tags(cloud: Cloud):
    upload(cloud)
    cloud.tag_server_certificate(server_certificate_name="Web", tags=tags(team="blue", Team="red"))
    assert cloud.list_server_certificate_tags(server_certificate_name="Web").tags == tags(Team="red", team="blue")
    cloud.untag_server_certificate(server_certificate_name="Web", tag_keys=["team"])
    assert cloud.list_server_certificate_tags(server_certificate_name="Web").tags == tags(Team="red")


def test_lists_in_pages(cloud: Cloud):
    for name in ("c", "a", "b"):
        upload(cloud, name)
    first = cloud.list_server_certificates(max_items=2)
    second = cloud.list_server_certificates(max_items=2, marker=first.marker)
    names = [one.server_certificate_name for page in (first, second) for one in page.server_certificate_metadata_list]
    assert (names, second.is_truncated) == (["a", "b", "c"], False)
