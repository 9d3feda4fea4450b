"""Whatever names there are and however large a page is: the pages of a list are the list, in order, each entry once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.iam import ALLOW_ALL, Cloud, tags

NAMES = st.lists(
    st.text("abcXYZ019+=,.@_-", min_size=1, max_size=6), min_size=0, max_size=12, unique_by=lambda name: name.lower()
)
SIZES = st.integers(1, 13)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.store.close()


def pages(cloud: Cloud, operation: str, member: str, size: int, **filters: object) -> list[object]:
    found: list[object] = []
    marker = None
    while True:
        page = getattr(cloud, operation)(max_items=size, marker=marker, **filters)
        entries = getattr(page, member)
        assert len(entries) <= size
        assert page.is_truncated == (page.marker is not None)
        found += entries
        marker = page.marker
        if marker is None:
            return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, size=SIZES)
def test_pages_of_users(cloud: Cloud, names: list[str], size: int):
    for name in names:
        cloud.create_user(user_name=name, path="/p/")
    try:
        listed = [user.user_name for user in pages(cloud, "list_users", "users", size, path_prefix="/p/")]  # type: ignore[attr-defined] # users
        assert listed == sorted(names, key=str.lower)
    finally:
        for name in names:
            cloud.delete_user(user_name=name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, size=SIZES)
def test_pages_of_what_one_user_has(cloud: Cloud, names: list[str], size: int):
    cloud.create_user(user_name="owner")
    for name in names:
        cloud.put_user_policy(user_name="owner", policy_name=name, policy_document=ALLOW_ALL)
        cloud.tag_user(user_name="owner", tags=tags(**{name: name}))
    try:
        assert pages(cloud, "list_user_policies", "policy_names", size, user_name="owner") == sorted(names)
        found = [tag.key for tag in pages(cloud, "list_user_tags", "tags", size, user_name="owner")]  # type: ignore[attr-defined] # tags
        assert found == sorted(names)
    finally:
        for name in names:
            cloud.delete_user_policy(user_name="owner", policy_name=name)
        cloud.delete_user(user_name="owner")
