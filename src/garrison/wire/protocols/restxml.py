"""AWS REST XML, and what S3 does in ways of its own.

https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html; Amazon S3 API Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison.core.errors import CommonError
from garrison.core.http import Request, Response
from garrison.core.model import Member, OperationModel, ServiceModel, Shape
from garrison.wire.protocols.base import PerModel, refuse, value_of
from garrison.wire.protocols.modelled import error_shape, with_message
from garrison.wire.protocols.rest import (
    BODILESS,
    Bindings,
    OutputBindings,
    bindings,
    output_bindings,
    read_bound,
    read_scalar_payload,
    write_bound,
)
from garrison.wire.protocols.scalars import escape
from garrison.wire.protocols.xml import NOT_WELL_FORMED, Read, Write, XmlReader, XmlWriter, namespace_attribute, read_xml

XML = "application/xml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

NAMESPACES = {
    "s3": "http://s3.amazonaws.com/doc/2006-03-01/",
    "s3control": "http://awss3control.amazonaws.com/doc/2018-08-20/",
}
"""Of answers, where the model does not say it."""

ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}
"""Root elements of S3's answers by operation, from the Response Syntax of the S3 API Reference; the model has lost them."""


class _Service:
    """What is compiled of one model."""

    def __init__(self, model: ServiceModel) -> None:
        self.reader = XmlReader(strict=model.service == "s3")
        self.writer = XmlWriter()
        self._inputs: dict[str, tuple[Bindings, Read]] = {}
        self._outputs: dict[str, OutputBindings] = {}
        self._writers: dict[str, Write] = {}

    def input(self, shape: Shape) -> tuple[Bindings, Read]:
        if shape.name not in self._inputs:
            bound = bindings(shape)
            if bound.payload is not None and _is_xml(bound.payload):
                read = self.reader.of(bound.payload)
            else:
                read = self.reader.structure(shape, bound.body)
            self._inputs[shape.name] = bound, read
        return self._inputs[shape.name]

    def output(self, shape: Shape) -> OutputBindings:
        if shape.name not in self._outputs:
            self._outputs[shape.name] = output_bindings(shape)
        return self._outputs[shape.name]

    def root(self, operation: OperationModel, output: Member) -> Write:
        """The writer of an answer's document: of the payload, or of the members that are bound to nothing else."""
        if operation.name not in self._writers:
            bound = self.output(output.shape)
            namespace = NAMESPACES.get(operation.model.service)
            default = f' xmlns="{namespace}"' if namespace else ""
            if bound.payload is not None:
                if bound.payload.shape.traits.get("eventstream"):
                    raise CommonError(kind="not_implemented", message="Event streams are not written.")
                name = str(bound.payload.trait("locationName", bound.payload.shape_name))
                write = self.writer.element(name, namespace_attribute(bound.payload, root=True) or default, bound.payload.shape)
            else:
                name = ROOTS.get(operation.name, "") if operation.model.service == "s3" else ""
                name = name or str(output.trait("locationName", output.shape_name))
                write = self.writer.element(name, namespace_attribute(output, root=True) or default, output.shape, bound.body)
            self._writers[operation.name] = write
        return self._writers[operation.name]


def _is_xml(payload: Member) -> bool:
    return payload.shape.type not in {"blob", "string"}


class RestXmlProtocol:
    """AWS REST XML."""

    name = "rest-xml"

    def __init__(self) -> None:
        self._services = PerModel(_Service)

    def parse(self, operation: OperationModel, request: Request, path_parameters: Mapping[str, str]) -> dict[str, Any]:
        """Path, query, headers and body as one document. Raises CommonError("malformed")."""
        if operation.input is None:
            return {}
        service = self._services.of(operation.model)
        bound, read = service.input(operation.input.shape)
        try:
            document = read_bound(bound, request, path_parameters)
        except CommonError as error:
            if operation.model.service == "s3":  # whose name for a body that cannot be read is MalformedXML
                error.code = error.code or "InvalidArgument"
            raise
        if not request.body:
            return document
        if bound.payload is not None and not _is_xml(bound.payload):
            document[bound.payload.name] = read_scalar_payload(bound.payload, request.body)
        elif bound.payload is not None:
            document[bound.payload.name] = self._read(operation, bound.payload, read, request.body)
        elif bound.body:
            document.update(self._read(operation, operation.input, read, request.body))
        return document

    @staticmethod
    def _read(operation: OperationModel, member: Member, read: Read, body: bytes) -> Any:  # noqa: ANN401 - a document value
        root = read_xml(body)
        expected = member.trait("locationName")
        if operation.model.service == "s3" and expected and root.name != expected:
            refuse(NOT_WELL_FORMED)
        return read(root)

    def serialize(self, operation: OperationModel, result: Any, request_id: str) -> Response:  # noqa: ANN401 - struct or dict
        """The answer: a document where the output has members of a body, the payload itself where that is no XML."""
        own = [(_request_id_header(operation.model), request_id)]
        if operation.output is None:
            return Response(operation.status, own)
        service = self._services.of(operation.model)
        bound = service.output(operation.output.shape)
        source = {} if result is None else result
        status, headers = write_bound(bound, source, operation.status)
        kind, body = self._body(service, operation, bound, source)
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", kind))
        return Response(status, own + headers, body)

    @staticmethod
    def _body(service: _Service, operation: OperationModel, bound: OutputBindings, source: Any) -> tuple[str, bytes]:  # noqa: ANN401 - struct or dict
        assert operation.output is not None  # noqa: S101 - the caller looked
        value = source if bound.payload is None else value_of(bound.payload, source)
        if (
            operation.method == "HEAD"
            or operation.status in BODILESS
            or value is None
            or (bound.payload is None and not bound.body)
        ):
            return "", b""
        if bound.payload is not None and not _is_xml(bound.payload):
            text = bound.payload.shape.type == "string"
            kind = str(bound.payload.trait("mediaType", "text/plain" if text else "application/octet-stream"))
            return kind, value.encode() if text else value
        if operation.name == "GetBucketLocation" and operation.model.service == "s3":
            return XML, _location(value_of(bound.body["LocationConstraint"], source))
        out = [_DECLARATION]
        service.root(operation, operation.output)(value, out)
        return XML, "".join(out).encode()

    def serialize_error(
        self,
        model: ServiceModel,
        operation: OperationModel | None,
        code: str,
        message: str,
        status: int,
        request_id: str,
        members: Mapping[str, Any],
        *,
        sender_fault: bool,
    ) -> Response:
        """``<ErrorResponse><Error>…``; of S3 ``<Error>…`` alone, and nothing where the request was a HEAD."""
        headers = [(_request_id_header(model), request_id)]
        further, bound_headers = self._further(model, operation, code, message, members)
        headers += bound_headers
        if operation is not None and operation.method == "HEAD":
            return Response(status, headers)
        inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>{further}"
        if model.service == "s3":
            identity = escape(request_id)
            body = f"<Error>{inner}<RequestId>{identity}</RequestId><HostId>{identity}</HostId></Error>"
        else:
            namespace = NAMESPACES.get(model.service) or _model_namespace(model)
            attribute = f' xmlns="{escape(namespace)}"' if namespace else ""
            fault = "Sender" if sender_fault else "Receiver"
            body = (
                f"<ErrorResponse{attribute}><Error><Type>{fault}</Type>{inner}</Error>"
                f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
            )
        return Response(status, [*headers, ("content-type", XML)], (_DECLARATION + body).encode())

    def _further(
        self, model: ServiceModel, operation: OperationModel | None, code: str, message: str, members: Mapping[str, Any]
    ) -> tuple[str, list[tuple[str, str]]]:
        """The members of a modelled error beside code and message; unmodelled ones of S3 (``BucketName``, ``Key``) as text."""
        shape = error_shape(model, operation, code)
        if shape is None:
            return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in members.items() if value is not None), []
        service = self._services.of(model)
        bound = service.output(shape)
        given = with_message(shape, message, members)
        _, headers = write_bound(bound, given, 0)
        out: list[str] = []
        body = {name: member for name, member in bound.body.items() if name.lower() not in {"message", "code"}}
        service.writer.structure(body)(given, out)
        out += [
            f"<{name}>{escape(str(value))}</{name}>"
            for name, value in members.items()
            if name not in shape.members and value is not None
        ]
        return "".join(out), headers


def _request_id_header(model: ServiceModel) -> str:
    return "x-amz-request-id" if model.service in NAMESPACES else "x-amzn-requestid"


def _model_namespace(model: ServiceModel) -> str:
    uri = model.metadata.get("xmlNamespace", "")
    return str(uri.get("uri", "")) if isinstance(uri, dict) else str(uri)


def _location(region: str | None) -> bytes:
    """GetBucketLocation's answer is the bare element; that of us-east-1 is empty."""
    start = f'{_DECLARATION}<LocationConstraint xmlns="{NAMESPACES["s3"]}"'
    return (f"{start}>{escape(region)}</LocationConstraint>" if region else f"{start}/>").encode()
