from __future__ import annotations

import json

import msgspec
import pytest

from garrison.api import iam, kms
from garrison.core.errors import CommonError, ServiceError
from garrison.core.http import Request
from garrison.core.model import OperationModel
from garrison.wire.codec import Codec, codec


def of(service: str, name: str, protocol: str | None = None) -> tuple[Codec, OperationModel]:
    used = codec(service, protocol)
    operation = used.model.operation(name)
    assert operation
    return used, operation


def post(body: bytes) -> Request:
    return Request("POST", "/", body=body)


def test_json_becomes_a_struct():
    used, operation = of("kms", "Encrypt")
    found = used.decode(
        operation, post(b'{"KeyId":"alias/a","Plaintext":"aGVsbG8=","EncryptionContext":{"a":"b"},"Unknown":[1]}'), {}
    )
    assert found == kms.EncryptRequest(key_id="alias/a", plaintext=b"hello", encryption_context={"a": "b"})


def test_a_form_becomes_a_struct():
    used, operation = of("iam", "CreateUser")
    body = b"Action=CreateUser&Version=2010-05-08&UserName=bob&Path=%2Fa%2F&Tags.member.1.Key=team&Tags.member.1.Value=red"
    assert used.decode(operation, post(body), {}) == iam.CreateUserRequest(
        user_name="bob", path="/a/", tags=[iam.Tag(key="team", value="red")]
    )


def test_an_operation_without_input_has_no_request():
    used, operation = of("iam", "GetAccountSummary")
    assert used.decode(operation, post(b"Action=GetAccountSummary"), {}) is None


def test_an_empty_json_body_is_an_empty_request():
    used, operation = of("kms", "ListKeys")
    assert used.decode(operation, post(b""), {}) == kms.ListKeysRequest()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"KeyId":null,"Plaintext":"aGVsbG8="}', "validation"),
        (b'{"KeyId":"","Plaintext":"aGVsbG8="}', "validation"),
        (b'{"KeyId":5,"Plaintext":"aGVsbG8="}', "malformed"),
        (b'{"KeyId":"k","Plaintext":"!"}', "malformed"),
        (b'{"KeyId":"k","Plaintext":"aGVsbG8=","EncryptionContext":{"a":null}}', "validation"),
        (b'{"KeyId":"k","Plaintext":"aGVsbG8=","GrantTokens":[null]}', "validation"),
        (b"[]", "malformed"),
        (b"\xff", "malformed"),
        (b'{"KeyId":"k","Plaintext":"aGVsbG8=","DryRun":"true"}', "malformed"),
    ],
)
def test_what_is_wrong_is_said(body: bytes, kind: str):
    used, operation = of("kms", "Encrypt")
    with pytest.raises(CommonError) as caught:
        used.decode(operation, post(body), {})
    assert caught.value.kind == kind


def test_a_time_beyond_the_calendar_is_refused():
    used, operation = of("kms", "ImportKeyMaterial")
    body = b'{"KeyId":"k","ImportToken":"aGk=","EncryptedKeyMaterial":"aGk=","ValidTo":%s}'
    assert isinstance(used.decode(operation, post(body % b"253402300799"), {}), kms.ImportKeyMaterialRequest)
    for time in (b"253402300800", b"1e300", b"-1e300", b'"2030-01-01T00:00:00Z"'):
        with pytest.raises(CommonError):
            used.decode(operation, post(body % time), {})


def test_what_the_fast_way_cannot_read_the_slow_way_may():
    used, operation = of("kms", "GenerateRandom")
    for body in (b'\xef\xbb\xbf{"NumberOfBytes":32}', b'{"NumberOfBytes":32.0}', b'{"NumberOfBytes":0,"NumberOfBytes":32}'):
        assert used.decode(operation, post(body), {}) == kms.GenerateRandomRequest(number_of_bytes=32)


def test_answers_and_errors_are_written():
    used, operation = of("kms", "GenerateRandom")
    answer = used.encode(operation, kms.GenerateRandomResponse(plaintext=b"foo"), "id")
    assert (answer.status, answer.body) == (200, b'{"Plaintext":"Zm9v"}')
    answer = used.encode_error(operation, kms.DisabledException("off"), "id")
    assert (answer.status, json.loads(answer.body)) == (400, {"__type": "DisabledException", "message": "off"})
    answer = used.encode_error(None, ServiceError("secret"), "id")
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_tags_outside_unicode_letters_are_refused_by_the_types():
    used, operation = of("iam", "TagUser")
    good = b"UserName=u&Tags.member.1.Key=%C3%A9t%C3%A9&Tags.member.1.Value="
    assert isinstance(used.decode(operation, post(good), {}), iam.TagUserRequest)
    with pytest.raises(CommonError, match=r"at 'tags\.1\.member\.key'"):
        used.decode(operation, post(b"UserName=u&Tags.member.1.Key=a%21&Tags.member.1.Value="), {})


def test_a_union_is_walked():
    used, operation = of("accessanalyzer", "CreateAnalyzer", "json")
    assert not used._plan(operation).checked


def test_services_without_a_module_get_structs_from_their_model():
    used, operation = of("wafv2", "TagResource")
    arn = "arn:aws:wafv2:eu-west-1::x"
    found = used.decode(operation, post(f'{{"ResourceARN":"{arn}","Tags":[{{"Key":"k","Value":"v"}}]}}'.encode()), {})
    assert found is not None
    assert msgspec.to_builtins(found) == {"ResourceARN": arn, "Tags": [{"Key": "k", "Value": "v"}]}
    assert found.tags[0].key == "k"  # type: ignore[attr-defined] # a struct built at run time
    with pytest.raises(CommonError, match=r"at 'tags\.1\.member\.key'"):
        used.decode(operation, post(f'{{"ResourceARN":"{arn}","Tags":[{{"Key":"!","Value":"v"}}]}}'.encode()), {})


def test_shapes_that_hold_themselves_are_built_once():
    used, operation = of("wafv2", "CheckCapacity")
    statement = b'{"NotStatement":{"Statement":' * 3 + b'{"GeoMatchStatement":{"CountryCodes":["DE"]}}' + b"}}" * 3
    rule = b'{"Name":"r","Priority":1,"Statement":' + statement
    rule += b',"VisibilityConfig":{"SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":false,"MetricName":"m"}}'
    assert used.decode(operation, post(b'{"Scope":"REGIONAL","Rules":[' + rule + b"]}"), {}) is not None
    with pytest.raises(CommonError) as caught:
        used.decode(operation, post(b'{"Scope":"REGIONAL","Rules":[' + rule.replace(b'"DE"', b'"XX1"') + b"]}"), {})
    assert caught.value.kind == "validation"
    assert (
        "at 'rules.1.member.statement.notStatement.statement.notStatement.statement.notStatement.statement"
        in caught.value.message
    )


def test_an_unknown_service_or_protocol_has_no_codec():
    for service, protocol in (("nosuch", None), ("iam", "carrier-pigeon")):
        with pytest.raises(KeyError):
            codec(service, protocol)
