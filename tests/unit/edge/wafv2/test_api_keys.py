"""CreateAPIKey, GetDecryptedAPIKey, DeleteAPIKey, ListAPIKeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support.wafv2 import SCOPE, Waf, code, parameter, refused


def test_a_key_stands_for_its_domains(waf: Waf):
    key = waf.client.create_api_key(Scope=SCOPE, TokenDomains=["app.example", "example.org", "app.example"])["APIKey"]
    found = waf.client.get_decrypted_api_key(Scope=SCOPE, APIKey=key)
    assert found["TokenDomains"] == ["app.example", "example.org"]
    assert datetime.now(UTC) - found["CreationTimestamp"] < timedelta(minutes=5)
    (shown,) = [each for each in waf.client.list_api_keys(Scope=SCOPE)["APIKeySummaries"] if each["APIKey"] == key]
    assert (shown["TokenDomains"], shown["Version"]) == (["app.example", "example.org"], 1)
    again = waf.client.create_api_key(Scope=SCOPE, TokenDomains=["app.example"])["APIKey"]
    assert again != key
    waf.client.delete_api_key(Scope=SCOPE, APIKey=key)
    for call in (waf.client.get_decrypted_api_key, waf.client.delete_api_key):
        assert code(call, Scope=SCOPE, APIKey=key) == "WAFNonexistentItemException"


def test_a_key_is_of_one_account(waf: Waf):
    key = waf.client.create_api_key(Scope=SCOPE, TokenDomains=["app.example"])["APIKey"]
    other = waf.other_account()
    assert code(lambda: other.get_decrypted_api_key(Scope=SCOPE, APIKey=key)) == "WAFNonexistentItemException"
    assert code(lambda: other.delete_api_key(Scope=SCOPE, APIKey=key)) == "WAFNonexistentItemException"
    assert other.list_api_keys(Scope=SCOPE)["APIKeySummaries"] == []
    altered = ("A" if key[0] != "A" else "B") + key[1:]
    assert code(lambda: waf.client.get_decrypted_api_key(Scope=SCOPE, APIKey=altered)) == "WAFNonexistentItemException"


def test_what_no_key_may_be_for(waf: Waf):
    many = [f"a{number}.example" for number in range(6)]
    assert parameter(lambda: waf.client.create_api_key(Scope=SCOPE, TokenDomains=many)) == ("TOKEN_DOMAIN", "TokenDomains")
    for domain in ("localhost", "app.example/path", "."):
        wrong = {"Scope": SCOPE, "TokenDomains": [domain]}
        assert parameter(waf.client.create_api_key, **wrong) == ("TOKEN_DOMAIN", domain)
    assert parameter(lambda: waf.client.create_api_key(Scope="CLOUDFRONT", TokenDomains=["a.example"]))[0] == "SCOPE_VALUE"


def test_an_account_has_thirty_keys_in_pages(waf: Waf):
    there = len(waf.client.list_api_keys(Scope=SCOPE)["APIKeySummaries"])
    for _ in range(30 - there):
        waf.client.create_api_key(Scope=SCOPE, TokenDomains=["app.example"])
    answer = refused(lambda: waf.client.create_api_key(Scope=SCOPE, TokenDomains=["app.example"]))
    assert (answer["Error"]["Code"], answer["SourceType"]) == ("WAFLimitsExceededException", "API_KEY")
    first = waf.client.list_api_keys(Scope=SCOPE, Limit=20)
    second = waf.client.list_api_keys(Scope=SCOPE, Limit=20, NextMarker=first["NextMarker"])
    keys = {each["APIKey"] for page in (first, second) for each in page["APIKeySummaries"]}
    assert (len(keys), "NextMarker" in second) == (30, False)
