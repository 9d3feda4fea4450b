"""X.509 signing certificates."""

from __future__ import annotations

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from tests.support.certificates import DAY, certificate, rsa_key
from tests.support.iam import ACCOUNT, NOW, Cloud

FIRST, SECOND, THIRD = (certificate(name, rsa_key()) for name in ("first", "second", "third"))


@pytest.fixture
def user(cloud: Cloud) -> Cloud:
    cloud.create_user(user_name="ann")
    return cloud


def test_upload_list_update_delete(user: Cloud):
    made = user.upload_signing_certificate(user_name="ann", certificate_body=FIRST).certificate
    assert 24 <= len(made.certificate_id) <= 128
    assert (made.user_name, made.certificate_body, made.status, made.upload_date) == ("ann", FIRST, "Active", NOW + 2)
    assert user.list_signing_certificates(user_name="ann").certificates == [made]
    named = {"user_name": "ann", "certificate_id": made.certificate_id}
    user.update_signing_certificate(status="Inactive", **named)
    assert user.list_signing_certificates(user_name="ann").certificates[0].status == "Inactive"
    with pytest.raises(api.InvalidInputException, match="Invalid Status value"):
        user.update_signing_certificate(status="Expired", **named)
    with pytest.raises(api.DeleteConflictException, match=r"^Cannot delete entity, must delete signing certificates first\.$"):
        user.delete_user(user_name="ann")
    user.delete_signing_certificate(**named)
    assert user.items[0].deleted
    assert user.list_signing_certificates(user_name="ann").certificates == []
    user.delete_user(user_name="ann")


def test_two_and_no_more(user: Cloud):
    for body in (FIRST, SECOND):
        user.upload_signing_certificate(user_name="ann", certificate_body=body)
    with pytest.raises(api.LimitExceededException, match=r"^Cannot exceed quota for SigningCertificatesPerUser: 2$"):
        user.upload_signing_certificate(user_name="ann", certificate_body=THIRD)
    first = user.list_signing_certificates(user_name="ann", max_items=1)
    second = user.list_signing_certificates(user_name="ann", max_items=1, marker=first.marker)
    assert {first.certificates[0].certificate_body, second.certificates[0].certificate_body} == {FIRST, SECOND}


def test_one_certificate_is_one_users(user: Cloud):
    user.upload_signing_certificate(user_name="ann", certificate_body=FIRST)
    user.create_user(user_name="bob")
    for name in ("ann", "bob"):
        with pytest.raises(api.DuplicateCertificateException):
            user.upload_signing_certificate(user_name=name, certificate_body=f"\n{FIRST}\n")


def test_what_is_no_certificate_or_out_of_its_time(user: Cloud):
    for body in ("certificate", f"{FIRST}\n{SECOND}", FIRST.replace("MII", "AAA", 1)):
        with pytest.raises(api.MalformedCertificateException):
            user.upload_signing_certificate(user_name="ann", certificate_body=body)
    for begins, ends in ((NOW - 2 * DAY, NOW - DAY), (NOW + DAY, NOW + 2 * DAY)):
        with pytest.raises(api.InvalidCertificateException):
            user.upload_signing_certificate(
                user_name="ann", certificate_body=certificate("ann", rsa_key(), begins=begins, ends=ends)
            )


def test_the_root_users_own(user: Cloud):
    made = user.upload_signing_certificate(certificate_body=FIRST).certificate
    assert user.targets[0].arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert user.list_signing_certificates().certificates == [made]
    with pytest.raises(api.NoSuchEntityException, match=f"The Certificate with id {made.certificate_id} cannot be found"):
        user.delete_signing_certificate(user_name="ann", certificate_id=made.certificate_id)
    user.as_session()
    with pytest.raises(CommonError, match="Must specify userName"):
        user.upload_signing_certificate(certificate_body=SECOND)


def test_users_that_are_not_there(user: Cloud):
    with pytest.raises(api.NoSuchEntityException, match="The user with name nobody cannot be found"):
        user.upload_signing_certificate(user_name="nobody", certificate_body=FIRST)
    with pytest.raises(api.NoSuchEntityException, match="The user with name nobody cannot be found"):
        user.list_signing_certificates(user_name="nobody")
    with pytest.raises(api.NoSuchEntityException, match="The Certificate with id AAAABBBBCCCCDDDDEEEEFFFF cannot be found"):
        user.update_signing_certificate(user_name="ann", certificate_id="AAAABBBBCCCCDDDDEEEEFFFF", status="Inactive")
