"""Instance profiles and the credentials of IAM that are neither passwords nor access keys: the steps of the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.scenario import Step

MORE = [{"Key": "more", "Value": "x"}]


def credentials() -> Iterator[Step]:
    """Of the role `work` and the user `ann`."""
    yield from _instance_profiles()


def _instance_profiles() -> Iterator[Step]:
    from tests.support.scenario import IAM, TAG_LIST, TAGS, Wanted, iam  # noqa: PLC0415 - the scenario imports its parts

    profile = Wanted("AWS::IAM::InstanceProfile", f"{IAM}:instance-profile/web", tags=TAGS)
    named: dict[str, Any] = {"InstanceProfileName": "web"}
    yield iam("CreateInstanceProfile", profile, Tags=TAG_LIST, **named)
    yield iam("AddRoleToInstanceProfile", profile, RoleName="work", **named)
    yield iam("GetInstanceProfile", **named)
    yield iam("ListInstanceProfiles")
    yield iam("ListInstanceProfilesForRole", RoleName="work")
    yield iam("TagInstanceProfile", profile._replace(tags={**TAGS, "more": "x"}), Tags=MORE, **named)
    yield iam("ListInstanceProfileTags", **named)
    yield iam("UntagInstanceProfile", profile, TagKeys=["more"], **named)
    yield iam("RemoveRoleFromInstanceProfile", profile, RoleName="work", **named)
    yield iam("DeleteInstanceProfile", profile._replace(tags={}, deleted=True), **named)
