"""Enable, Disable, GetInfo and the preference of STS on both databases."""

from __future__ import annotations

import json

import pytest

from garrison.api import iam as api
from garrison.identity.outbound import find, published, signing_key
from tests.support.iam import Cloud


def test_enable_outbound_web_identity_federation(cloud: Cloud):
    issuer = cloud.enable_outbound_web_identity_federation().issuer_identifier
    assert cloud.items[-1].configuration["OutboundWebIdentityFederation"] == {
        "IssuerIdentifier": issuer,
        "JwtVendingEnabled": True,
    }
    known = find(cloud.store.reading(), cloud.account)
    assert known is not None
    assert (known.issuer, known.enabled) == (issuer, True)
    documents = published(cloud.store.reading(), known.issuer_id)
    assert documents is not None
    listed = {key["kid"] for key in documents["/.well-known/jwks.json"]["keys"]}
    keys = [signing_key(cloud.store.reading(), cloud.account, algorithm) for algorithm in ("RS256", "ES384")]
    assert {key.key_id for key in keys if key} == listed
    with pytest.raises(api.FeatureEnabledException):
        cloud.enable_outbound_web_identity_federation()
    cloud.disable_outbound_web_identity_federation()
    with pytest.raises(api.FeatureDisabledException):
        cloud.disable_outbound_web_identity_federation()
    with pytest.raises(api.FeatureDisabledException):
        cloud.get_outbound_web_identity_federation_info()
    assert cloud.enable_outbound_web_identity_federation().issuer_identifier == issuer
    assert json.loads(json.dumps(documents)) == published(cloud.store.reading(), known.issuer_id)
    assert published(cloud.store.reading(), "another") is None


def test_set_security_token_service_preferences(cloud: Cloud):
    def version() -> int:
        return int(cloud.get_account_summary().summary_map["GlobalEndpointTokenVersion"])

    assert version() == 1
    for name, number in (("v2Token", 2), ("v2Token", 2), ("v1Token", 1)):
        cloud.set_security_token_service_preferences(global_endpoint_token_version=name)
        assert cloud.items[-1].configuration["GlobalEndpointTokenVersion"] == number
        assert version() == number
