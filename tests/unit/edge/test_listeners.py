from __future__ import annotations

import pytest

from garrison.edge import listeners
from garrison.edge.listeners import Listener
from garrison.store import Store
from tests.support.stores import Place, cluster, migrated, place, shared, store

__all__ = ["cluster", "migrated", "place", "shared", "store"]  # fixtures

ARN = listeners.listener_arn("123456789012", "eu-central-1", "shop")


def of(arn: str = ARN, **settings: object) -> Listener:
    values: dict[str, object] = {"address": "127.0.0.1:8080", "upstream": "http://localhost:3000", "created": 1.0, **settings}
    return Listener(arn, "shop", **values)  # type: ignore[arg-type] # values of the fields' own types


def test_a_listener_has_the_arn_of_an_application_load_balancer_the_same_each_time():
    head, _, digest = ARN.rpartition("/")
    assert head == "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop"
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert listeners.listener_arn("123456789012", "eu-central-1", "shop") == ARN
    assert listeners.listener_arn("123456789012", "eu-west-1", "shop").rpartition("/")[2] != digest


@pytest.mark.parametrize("name", ["", "a" * 33, "-a", "a-", "internal-a", "a_b", "a/b", "a\n", "ä"])
def test_a_name_that_aws_gives_no_load_balancer_is_refused(name: str):
    with pytest.raises(ValueError, match="is no name of a listener"):
        listeners.listener_arn("123456789012", "eu-central-1", name)


@pytest.mark.parametrize("name", ["a", "a" * 32, "a-b", "Internal-x", "0"])
def test_names_that_aws_gives_load_balancers(name: str):
    assert listeners.is_listener(listeners.listener_arn("123456789012", "eu-central-1", name))


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/net/shop/0123456789abcdef",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/0123",
        "arn:aws:apigateway:eu-central-1::/restapis/garrison/stages/api",
    ],
)
def test_other_arns_are_no_listeners(arn: str):
    assert not listeners.is_listener(arn)


def test_the_api_has_an_arn_of_a_stage():
    assert listeners.api_arn("eu-central-1") == "arn:aws:apigateway:eu-central-1::/restapis/garrison/stages/api"
    assert listeners.is_api(listeners.api_arn("us-east-1"))
    assert not listeners.is_api(ARN)
    assert not listeners.is_api("")
    assert not listeners.is_api("arn:aws:apigateway:us-east-1::/restapis/other/stages/api")


def test_a_listener_is_kept_found_changed_and_forgotten(store: Store):
    with store.writing() as tx:
        listeners.register(tx, of())
    store.commit()
    assert listeners.find(store.reading(), ARN) == of()
    with store.writing() as tx:
        listeners.register(tx, of(address="0.0.0.0:443", tls=True, fail_open=True, created=9.0))
    store.commit()
    changed = of(address="0.0.0.0:443", tls=True, fail_open=True)
    assert listeners.every(store.reading(), "123456789012", "eu-central-1") == [changed]
    assert listeners.every(store.reading(), "123456789012", "us-east-1") == []
    with store.writing() as tx:
        assert listeners.remove(tx, ARN)
        assert not listeners.remove(tx, ARN)
    store.commit()
    assert listeners.find(store.reading(), ARN) is None


def test_other_processes_hear_of_it(place: Place):
    here, there = place.open(), place.open()
    heard: list[str | None] = []
    there.on_change(listeners.CHANGED, heard.append)
    with here.writing() as tx:
        listeners.register(tx, of())
    here.commit()
    there.refresh()
    assert heard == [ARN]


def test_what_has_no_listeners_arn_is_not_kept(store: Store):
    with pytest.raises(ValueError, match="is no ARN of a listener"), store.writing() as tx:
        listeners.register(tx, of("arn:aws:s3:::bucket"))
