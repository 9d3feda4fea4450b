"""Principal and NotPrincipal. Source: IAM User Guide, "AWS JSON policy elements: Principal" and "…: NotPrincipal"."""

from __future__ import annotations

import pytest

from garrison.policy.document import PrincipalElement
from garrison.policy.principal import FEDERATED_PROVIDER, Grant, PrincipalPattern, account_of
from tests.support.policies import CANONICAL, FEDERATED, MINE, OTHER, PRINCIPALS, PROVIDER, ROLE, SESSION, USER

ROOT, ANN, JOB, GUEST, TRAIL, NOBODY = PRINCIPALS
EVERYONE = PrincipalElement(everyone=True)


def named(element: PrincipalElement, number: int, **keys: str) -> Grant:
    return PrincipalPattern(element, negated=False).grant(PRINCIPALS[number], {**keys}.get, CANONICAL)


@pytest.mark.parametrize(
    ("entry", "grants"),
    [
        # root, user, role session, federated user, service, anonymous
        (MINE, "account account account account none none"),
        (f"arn:aws:iam::{MINE}:root", "account account account account none none"),
        (OTHER, "none none none none none none"),
        (USER, "none direct none entity none none"),
        ("AIDAANN0000000000000", "none direct none entity none none"),
        (ROLE, "none none entity none none none"),
        ("AROAAPP0000000000000", "none none entity none none none"),
        ("AROAAPP0000000000000:job", "none none direct none none none"),
        (SESSION, "none none direct none none none"),
        (FEDERATED, "none none none direct none none"),
        (f"arn:aws:iam::{MINE}:role/other", "none none none none none none"),
        (f"arn:aws:iam::{MINE}:role/*", "none none none none none none"),
    ],
)
def test_aws_entries(entry: str, grants: str) -> None:
    element = PrincipalElement(aws=(entry,))
    assert [named(element, number).name.lower() for number in range(6)] == grants.split()


def test_everyone_is_everyone() -> None:
    assert {named(EVERYONE, number) for number in range(6)} == {Grant.DIRECT}


def test_services_federated_providers_and_canonical_users() -> None:
    service = PrincipalElement(service=("cloudtrail.amazonaws.com",))
    assert [named(service, number) for number in range(6)] == [Grant.NONE] * 4 + [Grant.DIRECT, Grant.NONE]
    corp = PrincipalPattern(PrincipalElement(federated=(PROVIDER,)), negated=False)
    assert corp.grant(NOBODY, {FEDERATED_PROVIDER: PROVIDER}.get) is Grant.DIRECT
    assert corp.grant(NOBODY, {FEDERATED_PROVIDER: "other"}.get) is Grant.NONE
    assert corp.grant(NOBODY, lambda _key: None) is Grant.NONE
    owner = PrincipalPattern(PrincipalElement(canonical=(CANONICAL,)), negated=False)
    assert owner.grant(ANN, lambda _key: None, CANONICAL) is Grant.ACCOUNT
    assert owner.grant(ANN, lambda _key: None) is Grant.NONE


@pytest.mark.parametrize(
    ("entries", "spared"),
    [
        ((), "- - - - - -"),
        ((USER,), "- - - - - -"),
        ((MINE,), "root - - - - -"),
        ((MINE, USER), "root ann - - - -"),
        ((MINE, SESSION), "root - - - - -"),
        ((MINE, ROLE), "root - - - - -"),
        ((f"arn:aws:iam::{MINE}:root", ROLE, SESSION), "root - job - - -"),
        ((MINE, USER, FEDERATED), "root ann - guest - -"),
        ((OTHER, USER), "- - - - - -"),
    ],
)
def test_a_denied_not_principal_spares_only_whom_it_lists_in_full(entries: tuple[str, ...], spared: str) -> None:
    pattern = PrincipalPattern(PrincipalElement(aws=entries), negated=True)
    found = [pattern.excludes(caller, lambda _key: None) for caller in PRINCIPALS]
    assert found == [name != "-" for name in spared.split()]


def test_a_denied_not_principal_spares_a_listed_service() -> None:
    pattern = PrincipalPattern(PrincipalElement(service=("cloudtrail.amazonaws.com",)), negated=True)
    assert pattern.excludes(TRAIL, lambda _key: None)
    assert not pattern.excludes(NOBODY, lambda _key: None)
    assert not pattern.excludes(JOB, lambda _key: None)
    assert PrincipalPattern(EVERYONE, negated=True).excludes(GUEST, lambda _key: None)
    assert not pattern.excludes(ROOT, lambda _key: None)


@pytest.mark.parametrize(
    ("entry", "account"),
    [
        (MINE, MINE),
        (f"arn:aws:iam::{MINE}:root", MINE),
        (f"arn:aws-cn:iam::{MINE}:root", MINE),
        (USER, ""),
        ("12345", ""),
        ("\u0661" * 12, ""),
    ],
)
def test_accounts(entry: str, account: str) -> None:
    assert account_of(entry) == account
