from __future__ import annotations

import botocore.loaders
import pytest

from garrison.core.operation import REGISTRY
from tools import reference_pages
from tools.reference_pages import field_texts

SERVICES = {one.service: one for one in reference_pages.coverage()}


def modelled(service: str) -> set[str]:
    return set(botocore.loaders.Loader().load_service_model(service, "service-2")["operations"])


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_the_page_speaks_of_every_operation_that_botocore_models(service: str):
    assert set(SERVICES[service].modelled) == modelled(service)


@pytest.mark.parametrize("service", reference_pages.FIRST_PARTS)
def test_an_operation_is_built_or_its_absence_has_a_reason(service: str):
    one = SERVICES[service]
    unexplained = set(one.modelled) - set(one.built) - set(one.reasons)
    assert not unexplained or "*" in one.reasons, sorted(unexplained)
    assert not set(one.built) & set(one.reasons), "what is built needs no reason"


def test_every_registered_operation_is_counted():
    assert sum(len(one.built) for one in SERVICES.values()) == len(REGISTRY)


def test_built_and_not_built_are_told_apart():
    lines = reference_pages.coverage_page().splitlines()
    assert "| CreateUser | yes |  |" in lines
    for one in SERVICES.values():
        if one.built:
            for name in set(one.modelled) - set(one.built):
                assert any(line.startswith(f"| {name} | no | ") and not line.endswith("|  |") for line in lines), name


def test_what_is_limited_is_built_and_says_so():
    lines = reference_pages.coverage_page().splitlines()
    limited = {(one.service, name): limit for one in SERVICES.values() for name, limit in one.limits.items()}
    assert limited
    for (service, name), limit in limited.items():
        assert name in SERVICES[service].built, "what is not built is listed elsewhere"
        assert set(limit) == {"answers", "reason"}
        (line,) = [each for each in lines if each.startswith(f"| {name} | ")]
        assert line.startswith(f"| {name} | limited | {limit['reason']}")
        assert (f"`{limit['answers']}`" in line) is bool(limit["answers"])


def test_the_string_under_a_field_is_its_description():
    source = 'class Settings:\n    """Doc."""\n    a: int = 1\n    """First\n    line."""\n    b: int = 2\n    c: int = 3\n    """Third."""\n'
    assert field_texts(source, "Settings") == {"a": "First line.", "c": "Third."}
