"""From a request to the operation it asks for, the service that owns it and the protocol to answer in.

The service of the signature's credential scope comes first; a request without one is known by its ``X-Amz-Target``,
its ``Action`` and ``Version``, its Host header or its path. A target, version or path of another service than the
signature's is refused: a signature made for one service never reaches a second.

Sources: AWS JSON 1.0 and 1.1, AWS Query, EC2 Query, RPC v2 CBOR (Smithy 2.0); Amazon S3 API Reference; IAM User Guide,
"Troubleshoot signature version 4".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_plus

from garrison.core.errors import CommonError, CommonKind
from garrison.core.http import Request
from garrison.core.model import OperationModel, ServiceModel, load_metadata, load_model, service_names
from garrison.wire.hosts import HostParts, Hosts
from garrison.wire.rest_routes import Match, RestRoutes, conflicting

CBOR = "smithy-rpc-v2-cbor"

EXTRA_SIGNING_NAMES = {"s3express": "s3", "s3-object-lambda": "s3", "s3-outposts": "s3"}
"""Scopes that S3's clients use for parts of S3, and whose signing name they belong to."""

QUERY_PROTOCOLS = ("query", "ec2")
REST_PROTOCOLS = ("rest-json", "rest-xml")

_CBOR_PATH = re.compile(r"(?:.*/)?service/([^/]+)/operation/([^/]+)", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CONTROL_PATH = "/v20180820/"
_ACCOUNT_LABEL = re.compile(r"\d{12}\.")


class Route(NamedTuple):
    """Where a request goes."""

    service: str
    """botocore's name, ``s3control``."""
    protocol: str
    """The protocol that the request used, and the answer will."""
    operation: OperationModel
    path_parameters: Mapping[str, str] = MappingProxyType({})
    """Labels of a REST path, decoded. The bucket is among them even where it stood in the Host header."""
    host_bucket: str = ""
    """The bucket that stood in the Host header (virtual-hosted style), else empty."""


class RoutingError(CommonError):
    """A request that leads to no operation, with what is known of it, so that it is answered in the service's own protocol."""

    def __init__(
        self,
        kind: CommonKind,
        message: str = "",
        *,
        service: str | None = None,
        protocol: str = "rest-json",
        operation_name: str | None = None,
        code: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(kind, message, code=code, status=status)
        self.service = service
        self.protocol = protocol
        self.operation_name = operation_name
        """As the client called it; None where it named none."""


class Router:
    """The routes of every hosted service. A service's model is loaded when a request first asks for the service."""

    def __init__(self, hosts: Hosts | None = None) -> None:
        self.hosts = hosts or Hosts()
        self._signing: dict[str, tuple[str, ...]] = {}
        self._targets: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._endpoints: dict[str, str] = {}
        self._signing_name: dict[str, str] = {}
        self._protocols: dict[str, tuple[str, ...]] = {}
        self._rest: dict[str, RestRoutes] = {}
        self._by_target: dict[tuple[str, str | None], Route] = {}
        self._by_action: dict[tuple[str, str, str | None], Route] = {}
        for service in service_names():
            self._enter(service, load_metadata(service))

    def _enter(self, service: str, metadata: Mapping[str, object]) -> None:
        signing = str(metadata.get("signingName", metadata["endpointPrefix"]))
        protocols = metadata.get("protocols", (metadata["protocol"],))
        self._signing_name[service] = signing
        self._signing[signing] = (*self._signing.get(signing, ()), service)
        self._protocols[service] = tuple(map(str, protocols)) if isinstance(protocols, list | tuple) else ()
        self._endpoints[str(metadata["endpointPrefix"])] = service
        prefix = metadata.get("targetPrefix")
        if isinstance(prefix, str):
            self._targets[prefix] = service
            self._targets[prefix.rpartition(".")[2]] = service  # clients made from Smithy models send the bare name
        if any(protocol in QUERY_PROTOCOLS for protocol in self._protocols[service]):
            self._versions[str(metadata["apiVersion"])] = service

    def route(self, request: Request, signing_service: str | None) -> Route:
        """The operation that a request asks for.

        ``signing_service`` is the service in the signature's credential scope, None for an unsigned request.
        Raises RoutingError: ``unknown_operation`` where there is none (its service None where not even that is known),
        ``signature_mismatch`` where the signature is for another service, ``malformed`` or ``validation`` for a path or
        query that the service cannot read.
        """
        target = request.header("x-amz-target")
        if target:
            known = self._by_target.get((target, signing_service))
            if known is not None and not request.header("smithy-protocol"):
                return known
        service = self._service(request, signing_service, target)
        protocols = self._protocols[service]
        if request.header("smithy-protocol"):
            return self._route_cbor(service, request, signing_service)
        if target and "json" in protocols:
            return self._route_json(service, target, signing_service)
        owner = self._targets.get(target.rpartition(".")[0]) if target else None
        if owner is not None:
            self._check_scope(owner, "json", signing_service)
        if protocols[0] in QUERY_PROTOCOLS:
            return self._route_query(service, protocols[0], request, signing_service)
        if protocols[0] in REST_PROTOCOLS:
            return self._route_rest(service, protocols[0], request, signing_service)
        protocol = "json" if "json" in protocols else protocols[0]
        raise RoutingError(kind="unknown_operation", service=service, protocol=protocol)

    def _service(self, request: Request, signing_service: str | None, target: str) -> str:
        if signing_service is None:
            return self._unsigned_service(request, target)
        names = self._signing.get(EXTRA_SIGNING_NAMES.get(signing_service, signing_service))
        if names is None:
            raise RoutingError(
                kind="unknown_operation",
                message=f"The service '{signing_service}' is not hosted here.",
                protocol=_guessed_protocol(request, target),
                operation_name=target.rpartition(".")[2] or _action(request)[0] or None,
            )
        if len(names) == 1:
            return names[0]
        return "s3control" if self._is_control(request) else "s3"

    def _is_control(self, request: Request) -> bool:
        """S3 Control shares S3's signing name; a bucket may be called like its version prefix, so a second sign is asked for."""
        if not request.path.startswith(_CONTROL_PATH):
            return False
        if request.header("x-amz-account-id") or request.header("x-amz-outpost-id"):
            return True
        parts = self.hosts.parts(request.header("host"))
        return parts.s3_service == "s3-control" or _ACCOUNT_LABEL.match(parts.prefix + ".") is not None

    def _unsigned_service(self, request: Request, target: str) -> str:
        if target:
            service = self._targets.get(target.rpartition(".")[0])
            if service is None:
                raise RoutingError(kind="unknown_operation", protocol="json", operation_name=target.rpartition(".")[2])
            return service
        if request.header("smithy-protocol"):
            found = _CBOR_PATH.fullmatch(request.path)
            service = self._targets.get(found[1]) if found else None
            if service is None:
                raise RoutingError(kind="unknown_operation", protocol=CBOR, operation_name=found[2] if found else None)
            return service
        action, version = _action(request)
        if action and version in self._versions:
            return self._versions[version]
        return self._service_by_host(request, action)

    def _service_by_host(self, request: Request, action: str) -> str:
        parts = self.hosts.parts(request.header("host"))
        if parts.s3_service:
            return "s3control" if parts.s3_service == "s3-control" else "s3"
        named = next((self._endpoints[label] for label in parts.labels if label in self._endpoints), None)
        if named is not None:
            return named
        if action and _is_form(request):
            raise RoutingError(kind="unknown_operation", protocol="query", operation_name=action)
        if request.method == "POST" and self._is_signin(request):
            return "signin"
        if self._is_control(request):
            return "s3control"
        return "s3"  # anonymous reads of public objects are the only unsigned requests that bear no other mark

    def _is_signin(self, request: Request) -> bool:
        try:
            return self._rest_routes("signin").find(request, request.path) is not None
        except CommonError:
            return False

    def _check_scope(self, service: str, protocol: str, signing_service: str | None) -> None:
        expected = self._signing_name[service]
        if signing_service is not None and EXTRA_SIGNING_NAMES.get(signing_service, signing_service) != expected:
            message = f"Credential should be scoped to correct service: '{expected}'."
            raise RoutingError(kind="signature_mismatch", message=message, service=service, protocol=protocol)

    def _route_json(self, service: str, target: str, signing_service: str | None) -> Route:
        prefix, _, name = target.rpartition(".")
        owner = self._targets.get(prefix)
        if owner is not None:
            self._check_scope(owner, "json", signing_service)
        operation = load_model(service).operation(name) if owner == service else None
        if operation is None:
            raise RoutingError(kind="unknown_operation", service=service, protocol="json", operation_name=name or target)
        found = Route(service, "json", operation)
        self._by_target[target, signing_service] = found
        return found

    def _route_query(self, service: str, protocol: str, request: Request, signing_service: str | None) -> Route:
        action, version = _action(request)
        key = (action, version, signing_service)
        known = self._by_action.get(key)
        if known is not None and known.service == service:
            return known
        if not action:
            message = "The request is missing an action or a required parameter."
            raise RoutingError(
                kind="unknown_operation", message=message, service=service, protocol=protocol, code="MissingAction", status=400
            )
        owner = self._versions.get(version)
        if owner is not None and (owner == service or load_model(owner).operation(action) is not None):
            self._check_scope(owner, protocol, signing_service)
        operation = load_model(service).operation(action) if self._speaks(service, protocol, version) else None
        if operation is None:
            raise RoutingError(
                kind="unknown_operation",
                message=_no_such_action(protocol, action, version),
                service=service,
                protocol=protocol,
                operation_name=action,
            )
        found = Route(service, protocol, operation)
        if version in self._versions:
            self._by_action[key] = found
        return found

    def _speaks(self, service: str, protocol: str, version: str) -> bool:
        """One version per service; EC2 also takes the dates of its older ones."""
        own = str(load_metadata(service)["apiVersion"])
        return version == own or (protocol == "ec2" and _DATE.fullmatch(version) is not None and version < own)

    def _route_cbor(self, service: str, request: Request, signing_service: str | None) -> Route:
        found = _CBOR_PATH.fullmatch(request.path)
        name = found[2] if found else None
        if request.header("smithy-protocol") != "rpc-v2-cbor" or CBOR not in self._protocols[service]:
            protocol = self._protocols[service][0]
            raise RoutingError(kind="unknown_operation", service=service, protocol=protocol, operation_name=name)
        # The protocol forbids the header: a proxy could act on it and the server on the path.
        if request.header("x-amz-target") or request.header("x-amzn-target") or request.method != "POST":
            message = "A request of this protocol is a POST without X-Amz-Target."
            raise RoutingError(kind="malformed", message=message, service=service, protocol=CBOR, operation_name=name)
        owner = self._targets.get(found[1]) if found else None
        if owner is not None:
            self._check_scope(owner, CBOR, signing_service)
        operation = load_model(service).operation(name) if name and owner == service else None
        if operation is None:
            raise RoutingError(kind="unknown_operation", service=service, protocol=CBOR, operation_name=name)
        return Route(service, CBOR, operation)

    def _rest_routes(self, service: str) -> RestRoutes:
        found = self._rest.get(service)
        if found is None:
            found = self._rest[service] = RestRoutes(load_model(service))
        return found

    def _route_rest(self, service: str, protocol: str, request: Request, signing_service: str | None) -> Route:
        try:
            if service == "s3":
                return self._route_s3(request, signing_service)
            match = self._rest_routes(service).find(request, request.path)
        except RoutingError:
            raise
        except CommonError as error:
            code = error.code or ("InvalidURI" if service == "s3" else None)
            raise RoutingError(
                error.kind, error.message, service=service, protocol=protocol, code=code, status=error.status
            ) from None
        if match is None:
            raise RoutingError(kind="unknown_operation", service=service, protocol=protocol)
        return Route(service, protocol, match.operation, match.path_parameters)

    def _route_s3(self, request: Request, signing_service: str | None) -> Route:
        parts = self.hosts.parts(request.header("host"))
        routes = self._rest_routes("s3")
        path, bucket = (request.path, "") if signing_service == "s3-object-lambda" else _s3_path(request, parts)
        match = routes.find(request, path)
        if match is None:
            raise _method_not_allowed()
        operation = _s3_operation(routes, match, signing_service)
        return Route("s3", "rest-xml", operation, match.path_parameters, bucket)


def _s3_path(request: Request, parts: HostParts) -> tuple[str, str]:
    """The path with the Host header's bucket in front, and that bucket."""
    if not parts.bucket or parts.s3_service == "s3-object-lambda":
        return request.path, ""
    return f"/{parts.bucket}{request.path}", parts.bucket


def _s3_operation(routes: RestRoutes, match: Match, signing_service: str | None) -> OperationModel:
    """S3's own rules, on top of the model's."""
    operation = match.operation
    if not match.query and operation.name not in {"ListBuckets", "CompleteMultipartUpload"}:
        return operation
    if not routes.literal_names.isdisjoint(match.query):
        asked = routes.literal_names.intersection(match.query)
        meant = _literals(operation)
        if asked - meant:
            # A sub-resource that method or path have not must not fall through to the plain operation: no DeleteBucket for ?acl.
            raise conflicting(asked) if asked & meant else _method_not_allowed()
    return _s3_alternative(routes.model, operation, match.query, signing_service)


def _s3_alternative(
    model: ServiceModel, operation: OperationModel, query: Mapping[str, str], signing: str | None
) -> OperationModel:
    if operation.name in {"PutObject", "CopyObject"} and ("uploadId" in query or "partNumber" in query):
        # Half of a part's address must not overwrite the whole object; the missing half is then a validation error.
        return _named(model, "UploadPart" if operation.name == "PutObject" else "UploadPartCopy")
    if operation.name == "CompleteMultipartUpload" and "uploadId" not in query:
        raise _method_not_allowed()
    if operation.name == "ListBuckets" and (signing == "s3express" or query.get("x-id") == "ListDirectoryBuckets"):
        return _named(model, "ListDirectoryBuckets")
    return operation


def _named(model: ServiceModel, name: str) -> OperationModel:
    operation = model.operation(name)
    if operation is None:
        raise KeyError(name)
    return operation


def _literals(operation: OperationModel) -> set[str]:
    query = operation.uri.partition("?")[2]
    return {part.partition("=")[0] for part in query.split("&")} if query else set()


def _method_not_allowed() -> RoutingError:
    return RoutingError(
        kind="unknown_operation",
        message="The specified method is not allowed against this resource.",
        service="s3",
        protocol="rest-xml",
        code="MethodNotAllowed",
        status=405,
    )


def _is_form(request: Request) -> bool:
    return request.header("content-type").startswith("application/x-www-form-urlencoded")


def _action(request: Request) -> tuple[str, str]:
    """``Action`` and ``Version`` of a form body, else of the query string; empty where absent."""
    if request.method == "POST" and request.body[:1] not in {b"{", b"<"}:
        body = request.body.decode("latin-1")
        action = _parameter(body, "Action")
        if action:
            return action, _parameter(body, "Version") or _parameter(request.query, "Version")
    return _parameter(request.query, "Action"), _parameter(request.query, "Version")


def _parameter(form: str, name: str) -> str:
    """The first value of a parameter, without taking the whole form apart."""
    mark = name + "="
    if form.startswith(mark):
        start = len(mark)
    else:
        start = form.find("&" + mark) + len(mark) + 1
        if start == len(mark):
            return ""
    stop = form.find("&", start)
    value = form[start:] if stop < 0 else form[start:stop]
    value = value.rstrip("\r\n")
    return unquote_plus(value) if "%" in value or "+" in value else value


def _no_such_action(protocol: str, action: str, version: str) -> str:
    if protocol == "ec2":
        return f"The action {action} is not valid for this web service."
    return f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}"


def _guessed_protocol(request: Request, target: str) -> str:
    """How to answer for a service that is not hosted."""
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    if target:
        return "json"
    return "query" if _action(request)[0] else "rest-json"
