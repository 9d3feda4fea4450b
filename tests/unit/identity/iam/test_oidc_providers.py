"""OpenID Connect providers. Expected answers: IAM API Reference; IAM User Guide, "IAM and AWS STS quotas"; recorded texts of AWS."""

from __future__ import annotations

from typing import Any

import pytest

from garrison.api import iam as api
from garrison.core.errors import CommonError
from garrison.identity.federation.https import Fetcher, UnreachableError
from garrison.identity.federation.issuers import Issuers
from tests.support.iam import ACCOUNT, Cloud, tags

URL = "https://server.example.org/realms/one"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/server.example.org/realms/one"
THUMBPRINT = "990f4193972f2becf12ddeda5237f9c952f20d9e"
ANOTHER = "6938fd4d98bab03faadb97b34396831e3780aea1"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any) -> str:
        raise UnreachableError

    monkeypatch.setattr(Fetcher, "top_thumbprint", unreachable)


def create(cloud: Cloud, url: str = URL, **members: Any) -> Any:
    return cloud.create_open_id_connect_provider(
        **{"url": url, "client_id_list": ["one"], "thumbprint_list": [THUMBPRINT], **members}
    )


def test_create_and_get(cloud: Cloud):
    made = create(cloud, client_id_list=["one", "two", "one"], tags=tags(team="blue"))
    assert made.open_id_connect_provider_arn == ARN
    assert [(tag.key, tag.value) for tag in made.tags] == [("team", "blue")]
    found = cloud.get_open_id_connect_provider(open_id_connect_provider_arn=ARN)
    assert found.url == "server.example.org/realms/one"
    assert found.client_id_list == ["one", "two"]
    assert found.thumbprint_list == [THUMBPRINT]
    assert found.create_date == cloud.now - 1
    assert [(tag.key, tag.value) for tag in found.tags] == [("team", "blue")]


def test_the_item_that_it_leaves(cloud: Cloud):
    create(cloud, tags=tags(team="blue"))
    (item,) = cloud.items
    assert (item.type, item.arn, item.tags, item.name) == (
        "AWS::IAM::OIDCProvider",
        ARN,
        {"team": "blue"},
        "server.example.org/realms/one",
    )
    cloud.delete_open_id_connect_provider(open_id_connect_provider_arn=ARN)
    assert cloud.items[0].deleted


@pytest.mark.parametrize(
    "url",
    [
        "http://server.example.org",
        "http://127.0.0.1:8080",
        "server.example.org",
        "ftp://server.example.org",
        "HTTPS://server.example.org",
        "https://",
        "https:///path",
        "https://server.example.org?a=b",
        "https://server.example.org?",
        "https://server.example.org/#f",
        "https://user@server.example.org",
        "https://user:secret@server.example.org",
        "https://server.example.org:0",
        "https://server.example.org:99999",
        "https://server.example.org:port",
        "https://server example.org",
        "https://server.example.org/a b",
        "https://server.example.org/\n",
        "https://-server.example.org",
        "https://[::1",
        "https://s\u0435rver.example.org",
    ],
)
def test_urls_that_are_none(cloud: Cloud, url: str):
    with pytest.raises(CommonError, match="Invalid Open ID Connect Provider URL") as caught:
        create(cloud, url)
    assert caught.value.kind == "validation"


@pytest.mark.parametrize(
    "url",
    ["https://server.example.org", "https://server.example.org/", "https://a.b/c_d~e/f%20g", "https://server.example.org:8443/x"],
)
def test_urls_that_are_taken(cloud: Cloud, url: str):
    made = create(cloud, url)
    assert made.open_id_connect_provider_arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"


def test_http_only_where_the_operator_allows_it_and_only_on_this_machine(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.support.iam.Issuers", lambda: Issuers(Fetcher(loopback=True)))
    assert create(cloud, "http://127.0.0.1:8080", thumbprint_list=None)
    assert create(cloud, "http://localhost:8080", thumbprint_list=None)
    for elsewhere in ("http://192.0.2.1", "http://localhost.example.org", "http://169.254.169.254"):
        with pytest.raises(CommonError, match="Invalid Open ID Connect Provider URL"):
            create(cloud, elsewhere)


def test_a_url_is_taken_once_an_account(cloud: Cloud):
    create(cloud)
    with pytest.raises(api.EntityAlreadyExistsException, match=f"Provider with url {URL} already exists."):
        create(cloud)
    create(cloud, f"{URL}/")
    other = Cloud("210987654321", cloud.store, cloud.sealer)
    assert create(other).open_id_connect_provider_arn == ARN.replace(ACCOUNT, "210987654321")


def test_another_accounts_provider_is_out_of_reach(cloud: Cloud):
    create(cloud)
    other = Cloud("210987654321", cloud.store, cloud.sealer)
    for name in ("get_open_id_connect_provider", "delete_open_id_connect_provider", "list_open_id_connect_provider_tags"):
        with pytest.raises(api.NoSuchEntityException, match=f"OpenIDConnect Provider not found for arn {ARN}"):
            getattr(other, name)(open_id_connect_provider_arn=ARN)


def test_a_hundred_providers(cloud: Cloud):
    for number in range(100):
        create(cloud, f"https://s{number}.example.org")
    with pytest.raises(api.LimitExceededException, match="Cannot exceed quota for OpenIDConnectProvidersPerAccount: 100"):
        create(cloud)


def test_a_hundred_client_ids(cloud: Cloud):
    create(cloud, client_id_list=[f"c{number}" for number in range(99)])
    cloud.add_client_id_to_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="last")
    cloud.add_client_id_to_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="last")
    with pytest.raises(api.LimitExceededException, match="Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"):
        cloud.add_client_id_to_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="more")
    with pytest.raises(api.LimitExceededException, match="ClientIdsPerOpenIdConnectProvider"):
        create(cloud, "https://other.example.org", client_id_list=[f"c{number}" for number in range(101)])


def test_client_ids_come_and_go(cloud: Cloud):
    create(cloud)
    cloud.add_client_id_to_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="two")
    cloud.remove_client_id_from_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="one")
    cloud.remove_client_id_from_open_id_connect_provider(open_id_connect_provider_arn=ARN, client_id="never-there")
    assert cloud.get_open_id_connect_provider(open_id_connect_provider_arn=ARN).client_id_list == ["two"]


def test_thumbprints(cloud: Cloud):
    create(cloud, thumbprint_list=[THUMBPRINT.upper()])
    cloud.update_open_id_connect_provider_thumbprint(open_id_connect_provider_arn=ARN, thumbprint_list=[ANOTHER])
    assert cloud.get_open_id_connect_provider(open_id_connect_provider_arn=ARN).thumbprint_list == [ANOTHER]
    with pytest.raises(api.InvalidInputException, match=r"Thumbprint list must contain fewer than 5 entries\."):
        cloud.update_open_id_connect_provider_thumbprint(open_id_connect_provider_arn=ARN, thumbprint_list=[THUMBPRINT] * 6)
    with pytest.raises(api.InvalidInputException, match="Thumbprint"):
        create(cloud, "https://other.example.org", thumbprint_list=["z" * 40])


def test_without_a_thumbprint_and_a_server_that_cannot_be_reached(cloud: Cloud):
    create(cloud, thumbprint_list=None)
    assert cloud.get_open_id_connect_provider(open_id_connect_provider_arn=ARN).thumbprint_list == []


def test_without_a_thumbprint_that_of_the_top_authority(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fetcher, "top_thumbprint", lambda _self, url: ANOTHER if url == URL else "")
    create(cloud, thumbprint_list=None)
    assert cloud.get_open_id_connect_provider(open_id_connect_provider_arn=ARN).thumbprint_list == [ANOTHER]


def test_list(cloud: Cloud):
    assert cloud.list_open_id_connect_providers().open_id_connect_provider_list == []
    create(cloud)
    create(cloud, "https://other.example.org")
    listed = cloud.list_open_id_connect_providers().open_id_connect_provider_list
    assert [one.arn for one in listed] == [ARN, f"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example.org"]


def test_tags_come_and_go(cloud: Cloud):
    create(cloud)
    cloud.tag_open_id_connect_provider(open_id_connect_provider_arn=ARN, tags=tags(b="2", a="1"))
    cloud.untag_open_id_connect_provider(open_id_connect_provider_arn=ARN, tag_keys=["b"])
    page = cloud.list_open_id_connect_provider_tags(open_id_connect_provider_arn=ARN)
    assert [(tag.key, tag.value) for tag in page.tags] == [("a", "1")]
    assert cloud.targets[0].tags == {"a": "1"}
    with pytest.raises(api.LimitExceededException, match=r"The number of tags has reached the maximum limit\."):
        cloud.tag_open_id_connect_provider(
            open_id_connect_provider_arn=ARN, tags=tags(**{f"k{number}": "x" for number in range(50)})
        )


def test_tags_are_gone_with_their_provider(cloud: Cloud):
    create(cloud, tags=tags(team="blue"))
    cloud.delete_open_id_connect_provider(open_id_connect_provider_arn=ARN)
    create(cloud)
    assert cloud.list_open_id_connect_provider_tags(open_id_connect_provider_arn=ARN).tags == []


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_open_id_connect_provider", {}),
        ("delete_open_id_connect_provider", {}),
        ("add_client_id_to_open_id_connect_provider", {"client_id": "x"}),
        ("remove_client_id_from_open_id_connect_provider", {"client_id": "x"}),
        ("update_open_id_connect_provider_thumbprint", {"thumbprint_list": [THUMBPRINT]}),
        ("update_open_id_connect_provider", {"remove_context_provider": True}),
        ("tag_open_id_connect_provider", {"tags": []}),
        ("untag_open_id_connect_provider", {"tag_keys": ["a"]}),
        ("list_open_id_connect_provider_tags", {}),
    ],
)
def test_a_provider_that_is_not_there(cloud: Cloud, operation: str, members: dict[str, Any]):
    with pytest.raises(api.NoSuchEntityException, match=f"OpenIDConnect Provider not found for arn {ARN}"):
        getattr(cloud, operation)(open_id_connect_provider_arn=ARN, **members)
    saml = ARN.replace("oidc-provider", "saml-provider")
    with pytest.raises(api.NoSuchEntityException):
        getattr(cloud, operation)(open_id_connect_provider_arn=saml, **members)
    with pytest.raises(api.InvalidInputException, match="is not valid"):
        getattr(cloud, operation)(open_id_connect_provider_arn=f"arn:aws:iam::{ACCOUNT}:user/somebody", **members)


def test_trusted_identity_propagation_is_refused(cloud: Cloud):
    provider = api.ContextProvider(subject_source_key="sub")
    with pytest.raises(api.InvalidInputException, match="IAM Identity Center"):
        create(cloud, context_provider=provider)
    create(cloud)
    with pytest.raises(api.InvalidInputException, match="IAM Identity Center"):
        cloud.update_open_id_connect_provider(open_id_connect_provider_arn=ARN, context_provider=provider)
    with pytest.raises(api.InvalidInputException, match="No updates are defined"):
        cloud.update_open_id_connect_provider(open_id_connect_provider_arn=ARN)
    cloud.update_open_id_connect_provider(open_id_connect_provider_arn=ARN, remove_context_provider=True)
