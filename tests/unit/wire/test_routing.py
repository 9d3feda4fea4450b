from __future__ import annotations

from collections.abc import Mapping

import pytest

from garrison.core.http import Request
from garrison.wire.hosts import Hosts
from garrison.wire.routing import Router, RoutingError

ROUTER = Router(Hosts(("amazonaws.com", "aws.amazon.com", "localhost")))
LOCAL = {"host": "localhost:4566"}


def request(method: str = "POST", target: str = "/", body: bytes = b"", headers: Mapping[str, str] | None = None) -> Request:
    path, _, query = target.partition("?")
    return Request(method, path, query, list({**LOCAL, **(headers or {})}.items()), body)


def found(sent: Request, signed_for: str | None = None) -> tuple[str, str, str]:
    route = ROUTER.route(sent, signed_for)
    return route.service, route.protocol, route.operation.name


def refused(sent: Request, signed_for: str | None = None) -> RoutingError:
    with pytest.raises(RoutingError) as caught:
        ROUTER.route(sent, signed_for)
    return caught.value


class TestJson:
    def test_a_target_names_service_and_operation(self):
        sent = request(headers={"x-amz-target": "TrentService.Encrypt"})
        assert found(sent, "kms") == found(sent) == ("kms", "json", "Encrypt")

    @pytest.mark.parametrize("prefix", ["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101"])
    def test_cloudtrails_target_is_known_long_and_short(self, prefix: str):
        assert found(request(headers={"x-amz-target": f"{prefix}.LookupEvents"}), "cloudtrail")[2] == "LookupEvents"

    def test_an_unknown_operation_is_answered_in_the_services_protocol(self):
        error = refused(request(headers={"x-amz-target": "TrentService.Explode"}), "kms")
        assert (error.kind, error.service, error.protocol, error.operation_name) == (
            "unknown_operation",
            "kms",
            "json",
            "Explode",
        )

    def test_an_operation_of_another_prefix_is_unknown(self):
        assert refused(request(headers={"x-amz-target": "Nobody.Encrypt"}), "kms").kind == "unknown_operation"
        assert refused(request(headers={"x-amz-target": "Encrypt"}), "kms").kind == "unknown_operation"

    def test_a_signature_for_one_service_does_not_reach_another(self):
        sent = request(headers={"x-amz-target": "TrentService.Encrypt"})
        assert found(sent, "kms")[0] == "kms"  # and what is remembered of it is not for others
        error = refused(sent, "config")
        assert error.kind == "signature_mismatch"
        assert error.message == "Credential should be scoped to correct service: 'kms'."
        assert error.service == "kms"

    def test_a_service_without_a_target_has_no_operation(self):
        assert refused(request(), "kms").protocol == "json"

    def test_an_unsigned_unknown_target_is_answered_in_json(self):
        error = refused(request(headers={"x-amz-target": "DynamoDB_20120810.GetItem"}))
        assert (error.service, error.protocol, error.operation_name) == (None, "json", "GetItem")


class TestQuery:
    def test_the_body_names_the_action(self):
        assert found(request(body=b"Action=GetUser&Version=2010-05-08&UserName=bob"), "iam") == ("iam", "query", "GetUser")

    def test_the_action_may_stand_anywhere_and_be_encoded(self):
        assert found(request(body=b"UserName=Action=x&Version=2010%2D05-08&Action=Get%55ser"), "iam")[2] == "GetUser"

    def test_a_get_names_it_in_the_query_string(self):
        sent = request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15")
        assert found(sent, "sts") == ("sts", "query", "GetCallerIdentity")

    def test_ec2_has_a_protocol_of_its_own(self):
        assert found(request(body=b"Action=DescribeVolumes&Version=2016-11-15"), "ec2") == ("ec2", "ec2", "DescribeVolumes")

    def test_ec2_takes_older_versions_and_no_later_ones(self):
        assert found(request(body=b"Action=DescribeVolumes&Version=2014-10-01"), "ec2")[2] == "DescribeVolumes"
        error = refused(request(body=b"Action=DescribeVolumes&Version=2030-01-01"), "ec2")
        assert error.message == "The action DescribeVolumes is not valid for this web service."

    def test_an_unsigned_call_is_known_by_its_version(self):
        body = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        assert found(request(body=body)) == ("sts", "query", "AssumeRoleWithWebIdentity")

    @pytest.mark.parametrize(
        ("body", "version"),
        [
            (b"Action=Explode&Version=2010-05-08", "2010-05-08"),
            (b"Action=GetUser&Version=2009-01-01", "2009-01-01"),
            (b"Action=GetUser", "NO_VERSION_SPECIFIED"),
        ],
    )
    def test_unknown_actions_and_versions(self, body: bytes, version: str):
        error = refused(request(body=body), "iam")
        action = "Explode" if b"Explode" in body else "GetUser"
        assert error.message == f"Could not find operation {action} for version {version}"
        assert (error.kind, error.service, error.protocol) == ("unknown_operation", "iam", "query")

    def test_no_action_at_all(self):
        error = refused(request(), "iam")
        assert (error.code, error.status) == ("MissingAction", 400)

    def test_a_signature_for_one_service_does_not_reach_another(self):
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        assert found(request(body=body), "sts")[0] == "sts"
        error = refused(request(body=body), "iam")
        assert error.kind == "signature_mismatch"
        assert error.message == "Credential should be scoped to correct service: 'sts'."

    def test_an_unsigned_unknown_action_is_answered_in_query(self):
        form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        error = refused(request(body=b"Action=Publish&Version=2010-03-31", headers=form))
        assert (error.service, error.protocol, error.operation_name) == (None, "query", "Publish")


class TestCbor:
    HEADERS = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}  # noqa: RUF012 - a constant
    PATH = "/service/AWSShield_20160616/operation/ListProtections"

    def test_the_path_names_service_and_operation(self):
        expected = ("shield", "smithy-rpc-v2-cbor", "ListProtections")
        assert found(request(target=self.PATH, headers=self.HEADERS), "shield") == expected
        assert found(request(target=self.PATH, headers=self.HEADERS)) == expected
        assert found(request(target="/behind/a/proxy" + self.PATH, headers=self.HEADERS), "shield") == expected

    def test_the_same_service_speaks_json(self):
        assert found(request(headers={"x-amz-target": "AWSShield_20160616.ListProtections"}), "shield")[1] == "json"

    def test_a_request_with_a_target_too_is_refused(self):
        # Smithy RPC v2 CBOR, "Requests": "Server-side implementations MUST reject such requests".
        target = {"x-amz-target": "AWSShield_20160616.DeleteProtection"}
        known = request(headers=target)
        assert found(known, "shield")[2] == "DeleteProtection"
        error = refused(request(target=self.PATH, headers={**self.HEADERS, **target}), "shield")
        assert (error.kind, error.protocol) == ("malformed", "smithy-rpc-v2-cbor")

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_only_post(self, method: str):
        assert refused(request(method, self.PATH, headers=self.HEADERS), "shield").kind == "malformed"

    @pytest.mark.parametrize(
        "path", ["/", "/service/AWSShield_20160616/operation/Explode", "/service/X/operation/ListProtections"]
    )
    def test_unknown_paths(self, path: str):
        error = refused(request(target=path, headers=self.HEADERS), "shield")
        assert (error.kind, error.service, error.protocol) == ("unknown_operation", "shield", "smithy-rpc-v2-cbor")

    def test_a_service_that_does_not_speak_it(self):
        error = refused(request(target="/service/TrentService/operation/Encrypt", headers=self.HEADERS), "kms")
        assert (error.kind, error.protocol) == ("unknown_operation", "json")

    def test_another_version_of_the_protocol(self):
        headers = {"smithy-protocol": "rpc-v3-cbor"}
        assert refused(request(target=self.PATH, headers=headers), "shield").kind == "unknown_operation"

    def test_a_signature_for_one_service_does_not_reach_another(self):
        path = "/service/TrentService/operation/Encrypt"
        assert refused(request(target=path, headers=self.HEADERS), "shield").kind == "signature_mismatch"


class TestRest:
    def test_labels_are_decoded(self):
        route = ROUTER.route(request("GET", "/analyzer/a%2Fb%20c"), "access-analyzer")
        assert (route.operation.name, route.path_parameters) == ("GetAnalyzer", {"analyzerName": "a/b c"})

    def test_a_literal_wins_over_a_label(self):
        path = "/v20180820/accessgrantsinstance/grants"
        assert found(request("GET", path, headers={"x-amz-account-id": "123456789012"}), "s3")[2] == "ListAccessGrants"

    def test_a_greedy_label_gives_way_to_the_fixed_tail(self):
        account = {"x-amz-account-id": "123456789012"}
        path = "/v20180820/mrap/instances/arn:aws:s3::123456789012:accesspoint/x"
        assert found(request("GET", path, headers=account), "s3")[2] == "GetMultiRegionAccessPoint"
        assert found(request("GET", path + "/policy", headers=account), "s3")[2] == "GetMultiRegionAccessPointPolicy"

    def test_a_trailing_slash_does_not_matter(self):
        assert found(request("GET", "/analyzer/a/"), "access-analyzer")[2] == "GetAnalyzer"

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/nowhere"), ("PATCH", "/analyzer/a"), ("GET", "/analyzer//archive-rule")]
    )
    def test_unknown_paths_are_answered_in_the_services_protocol(self, method: str, path: str):
        error = refused(request(method, path), "access-analyzer")
        assert (error.kind, error.service, error.protocol) == ("unknown_operation", "accessanalyzer", "rest-json")

    def test_a_path_that_is_not_utf8(self):
        assert refused(request("GET", "/analyzer/%FF"), "access-analyzer").kind == "malformed"
        error = refused(request("GET", "/bucket/%FF"), "s3")
        assert (error.kind, error.code, error.service) == ("malformed", "InvalidURI", "s3")

    def test_raw_utf8_in_a_path_is_read(self):
        raw = "/analyzer/é".encode().decode("latin-1")
        assert ROUTER.route(request("GET", raw), "access-analyzer").path_parameters == {"analyzerName": "é"}

    def test_deprecated_operations_have_paths_of_their_own(self):
        assert found(request("GET", "/master"), "securityhub")[2] == "GetMasterAccount"

    @pytest.mark.parametrize(
        ("query", "operation"),
        [
            ("", "CreateOAuth2Token"),
            ("?x-amz-client-auth-method=iam", "CreateOAuth2TokenWithIAM"),
            ("?x-amz-oauth-token-method=token-exchange", "CreateOAuth2TokenWithTokenExchange"),
            ("?x-amz-client-auth-method=other", "CreateOAuth2Token"),
        ],
    )
    def test_query_literals_choose(self, query: str, operation: str):
        sent = request(target="/v1/token" + query)
        assert found(sent, "signin")[2] == operation

    def test_unsigned_sign_in_is_known_by_its_path_or_host(self):
        assert found(request(target="/v1/token"))[:1] == ("signin",)
        assert found(request(target="/v1/token", headers={"host": "us-east-1.signin.aws.amazon.com"}))[0] == "signin"


class TestS3:
    @pytest.mark.parametrize(
        ("method", "target", "operation"),
        [
            ("GET", "/", "ListBuckets"),
            ("GET", "/?x-id=ListDirectoryBuckets", "ListDirectoryBuckets"),
            ("GET", "/bucket", "ListObjects"),
            ("GET", "/bucket/", "ListObjects"),
            ("GET", "/bucket?prefix=a&delimiter=%2F", "ListObjects"),
            ("GET", "/bucket?list-type=2&prefix=policy", "ListObjectsV2"),
            ("GET", "/bucket?policy", "GetBucketPolicy"),
            ("GET", "/bucket?policy=", "GetBucketPolicy"),
            ("GET", "/bucket/?policy&x-id=GetBucketPolicy", "GetBucketPolicy"),
            ("GET", "/bucket?inventory", "ListBucketInventoryConfigurations"),
            ("GET", "/bucket?inventory&id=1", "GetBucketInventoryConfiguration"),
            ("GET", "/bucket?notification", "GetBucketNotificationConfiguration"),
            ("PUT", "/bucket", "CreateBucket"),
            ("PUT", "/bucket?lifecycle", "PutBucketLifecycleConfiguration"),
            ("DELETE", "/bucket", "DeleteBucket"),
            ("DELETE", "/bucket?encryption", "DeleteBucketEncryption"),
            ("HEAD", "/bucket", "HeadBucket"),
            ("POST", "/bucket?delete", "DeleteObjects"),
            ("GET", "/bucket/key", "GetObject"),
            ("GET", "/bucket/key?versionId=x&partNumber=1", "GetObject"),
            ("GET", "/bucket/key?uploadId=x", "ListParts"),
            ("GET", "/bucket/key?acl&versionId=x", "GetObjectAcl"),
            ("HEAD", "/bucket/key", "HeadObject"),
            ("PUT", "/bucket/key", "PutObject"),
            ("PUT", "/bucket/key?partNumber=1&uploadId=x", "UploadPart"),
            ("PUT", "/bucket/key?uploadId=x", "UploadPart"),
            ("PUT", "/bucket/key?partNumber=1", "UploadPart"),
            ("PUT", "/bucket/key?tagging", "PutObjectTagging"),
            ("DELETE", "/bucket/key", "DeleteObject"),
            ("DELETE", "/bucket/key?uploadId=x", "AbortMultipartUpload"),
            ("POST", "/bucket/key?uploads", "CreateMultipartUpload"),
            ("POST", "/bucket/key?uploadId=x", "CompleteMultipartUpload"),
            ("POST", "/bucket/key?select&select-type=2", "SelectObjectContent"),
        ],
    )
    def test_operations(self, method: str, target: str, operation: str):
        assert found(request(method, target), "s3") == ("s3", "rest-xml", operation)

    @pytest.mark.parametrize(
        ("query", "operation"),
        [("", "CopyObject"), ("?partNumber=1&uploadId=x", "UploadPartCopy"), ("?uploadId=x", "UploadPartCopy")],
    )
    def test_a_copy_source_makes_a_copy(self, query: str, operation: str):
        assert found(request("PUT", "/bucket/key" + query, headers={"x-amz-copy-source": "/a/b"}), "s3")[2] == operation

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("DELETE", "/bucket?acl"),
            ("PUT", "/bucket/key?policy"),
            ("DELETE", "/bucket/key?acl"),
            ("PUT", "/bucket/key?uploads"),
            ("POST", "/bucket/key"),
            ("POST", "/bucket"),
            ("GET", "/bucket?list-type=3"),
            ("PATCH", "/bucket"),
            ("DELETE", "/"),
        ],
    )
    def test_what_a_resource_does_not_have_is_never_the_plain_operation(self, method: str, target: str):
        error = refused(request(method, target), "s3")
        assert (error.code, error.status, error.service, error.protocol) == ("MethodNotAllowed", 405, "s3", "rest-xml")

    def test_two_sub_resources_conflict(self):
        error = refused(request("GET", "/bucket?policy&acl"), "s3")
        assert (error.code, error.status) == ("InvalidArgument", 400)
        assert error.message == "Conflicting query string parameters: acl, policy"

    @pytest.mark.parametrize(
        ("host", "path", "bucket", "key"),
        [
            ("localhost:4566", "/bucket/a/b", "bucket", "a/b"),
            ("localhost:4566", "/bucket//a//", "bucket", "/a//"),
            ("localhost:4566", "/bucket/a%2Fb+c%20d", "bucket", "a/b+c d"),
            ("my.bucket.localhost:4566", "/a", "my.bucket", "a"),
            ("my.bucket.s3.localhost:4566", "/s3/x", "my.bucket", "s3/x"),
            ("bucket.s3.eu-west-1.amazonaws.com", "/../x", "bucket", "../x"),
            ("s3.eu-west-1.amazonaws.com", "/bucket/key", "bucket", "key"),
            ("127.0.0.1:4566", "/bucket/key", "bucket", "key"),
        ],
    )
    def test_bucket_and_key(self, host: str, path: str, bucket: str, key: str):
        route = ROUTER.route(request("GET", path, headers={"host": host}), "s3")
        assert route.operation.name == "GetObject"
        assert route.path_parameters == {"Bucket": bucket, "Key": key}
        assert route.host_bucket == ("" if path.startswith("/bucket") else bucket)

    def test_a_virtual_hosted_bucket_itself(self):
        route = ROUTER.route(request("GET", "/?policy", headers={"host": "bucket.localhost"}), "s3")
        assert (route.operation.name, route.path_parameters) == ("GetBucketPolicy", {"Bucket": "bucket"})

    def test_anonymous_requests_are_s3s(self):
        assert found(request("GET", "/bucket/key")) == ("s3", "rest-xml", "GetObject")
        assert found(request("GET", "/key", headers={"host": "bucket.s3.localhost"}))[2] == "GetObject"

    def test_a_service_in_the_host_name_is_not_a_bucket_unless_signed_for_s3(self):
        assert refused(request("GET", "/x", headers={"host": "iam.localhost"})).service == "iam"
        assert ROUTER.route(request("GET", "/x", headers={"host": "iam.localhost"}), "s3").host_bucket == "iam"

    @pytest.mark.parametrize("scope", ["s3express", "s3-outposts"])
    def test_scopes_of_s3s_parts(self, scope: str):
        assert found(request("GET", "/bucket/key"), scope)[0] == "s3"

    def test_directory_buckets_are_listed_under_their_own_scope(self):
        assert found(request("GET", "/"), "s3express")[2] == "ListDirectoryBuckets"


class TestS3Control:
    PATH = "/v20180820/configuration/publicAccessBlock"

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-amz-account-id": "123456789012"},
            {"host": "123456789012.s3-control.eu-west-1.amazonaws.com"},
            {"host": "123456789012.localhost:4566"},
        ],
    )
    def test_an_account_makes_it_s3_control(self, headers: Mapping[str, str]):
        assert found(request("GET", self.PATH, headers=headers), "s3") == ("s3control", "rest-xml", "GetPublicAccessBlock")

    def test_without_one_it_is_an_object_in_a_bucket_of_that_name(self):
        assert found(request("GET", self.PATH), "s3") == ("s3", "rest-xml", "GetObject")


def test_a_service_that_is_not_hosted():
    error = refused(request("GET", "/2015-03-31/functions"), "lambda")
    assert (error.kind, error.service, error.protocol) == ("unknown_operation", None, "rest-json")
    assert error.message == "The service 'lambda' is not hosted here."
    assert refused(request(headers={"x-amz-target": "DynamoDB_20120810.GetItem"}), "dynamodb").protocol == "json"
    assert refused(request(body=b"Action=Publish&Version=2010-03-31"), "sns").protocol == "query"
    assert refused(request(headers={"smithy-protocol": "rpc-v2-cbor"}), "arc").protocol == "smithy-rpc-v2-cbor"


@pytest.mark.parametrize("signed_for", ["iam", "sts", "s3", "ec2"])
def test_a_target_of_another_service_is_refused_beside_any_protocol(signed_for: str):
    """A reader of the target alone would see another call than the one that runs."""
    body = b"Action=CreateUser&Version=2010-05-08&UserName=a"
    error = refused(request(body=body, headers={"x-amz-target": "TrentService.ListKeys"}), signed_for)
    assert error.kind == "signature_mismatch"
