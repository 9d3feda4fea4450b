"""The plugin's gRPC server on a Unix socket.

Source: Kubernetes documentation, "Using a KMS provider for data encryption"; the protocol is in ``kms_v2.proto``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import grpc

from garrison.cli.k8s import kms_v2_pb2 as v2
from garrison.cli.k8s.keys import MAX_PLAINTEXT, Keys, Refused

log = logging.getLogger("garrison.k8s")

SERVICE = "v2.KeyManagementService"
THREADS = 8
MAX_MESSAGE = 64 * 1024
"""Bytes of a request: a seed, or a ciphertext of 1 KiB with annotations of less than 32 KiB."""
_MAX_CIPHERTEXT = 6144
_MAX_KEY_ID = 1024
_GRACE_SECONDS = 5.0
_CODES = {
    "AccessDeniedException": grpc.StatusCode.PERMISSION_DENIED,
    "InvalidCiphertextException": grpc.StatusCode.INVALID_ARGUMENT,
    "IncorrectKeyException": grpc.StatusCode.INVALID_ARGUMENT,
    "ValidationException": grpc.StatusCode.INVALID_ARGUMENT,
    "NotFoundException": grpc.StatusCode.NOT_FOUND,
    "DisabledException": grpc.StatusCode.FAILED_PRECONDITION,
    "KMSInvalidStateException": grpc.StatusCode.FAILED_PRECONDITION,
    "InvalidKeyUsageException": grpc.StatusCode.FAILED_PRECONDITION,
    "ThrottlingException": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "LimitExceededException": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "Unreachable": grpc.StatusCode.UNAVAILABLE,
}

Answer = TypeVar("Answer")


class SocketError(Exception):
    """The socket cannot be opened; the message names it."""


class Plugin:
    """The three calls of the protocol."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def status(self, _request: v2.StatusRequest, _context: grpc.ServicerContext) -> v2.StatusResponse:
        """Whether KMS encrypts and decrypts, tried each time, and the key that new data is encrypted with."""
        try:
            return v2.StatusResponse(version="v2", healthz="ok", key_id=self._keys.probe())
        except Refused as refusal:
            log.warning("KMS is not usable", extra={"code": refusal.code})
            return v2.StatusResponse(version="v2", healthz=str(refusal))

    def encrypt(self, request: v2.EncryptRequest, context: grpc.ServicerContext) -> v2.EncryptResponse:
        """Encrypt what the API server wants kept: a seed."""
        if not 0 < len(request.plaintext) <= MAX_PLAINTEXT:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the plaintext must have 1 to {MAX_PLAINTEXT} bytes")
        made = _asked(context, request.uid, lambda: self._keys.encrypt(request.plaintext))
        return v2.EncryptResponse(ciphertext=made.blob, key_id=made.key_id)

    def decrypt(self, request: v2.DecryptRequest, context: grpc.ServicerContext) -> v2.DecryptResponse:
        """Decrypt what :meth:`encrypt` made, under one of the plugin's keys."""
        if not 0 < len(request.ciphertext) <= _MAX_CIPHERTEXT or not 0 < len(request.key_id) <= _MAX_KEY_ID:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the ciphertext or the key_id has no length that this plugin gave it")
        plaintext = _asked(context, request.uid, lambda: self._keys.decrypt(request.ciphertext, request.key_id))
        return v2.DecryptResponse(plaintext=plaintext)


def _asked(context: grpc.ServicerContext, uid: str, ask: Callable[[], Answer]) -> Answer:
    """What KMS answers; its refusal ends the call with a status of gRPC's."""
    try:
        return ask()
    except Refused as refusal:
        log.warning("KMS refused", extra={"code": refusal.code, "uid": uid[:128]})
        context.abort(_CODES.get(refusal.code, grpc.StatusCode.INTERNAL), str(refusal))


def make_server(plugin: Plugin, path: Path) -> grpc.Server:
    """A server that listens on ``path``, which its owner alone may use (0600); not yet started. Raises SocketError."""
    methods = {
        "Status": _method(plugin.status, v2.StatusRequest, v2.StatusResponse),
        "Encrypt": _method(plugin.encrypt, v2.EncryptRequest, v2.EncryptResponse),
        "Decrypt": _method(plugin.decrypt, v2.DecryptRequest, v2.DecryptResponse),
    }
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        handlers=[grpc.method_handlers_generic_handler(SERVICE, methods)],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE)],
        maximum_concurrent_rpcs=16 * THREADS,
    )
    _clear(path)
    with _umask(0o177):
        try:
            server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            msg = f"cannot listen on {path}"
            raise SocketError(msg) from error
    return server


def serve(server: grpc.Server, wait: Callable[[], object]) -> None:
    """Serve until ``wait`` returns, then let running calls end."""
    server.start()
    try:
        wait()
    finally:
        server.stop(_GRACE_SECONDS).wait()


def _method(handler: Callable[[Any, Any], Any], request: Any, response: Any) -> Any:  # noqa: ANN401 - generated messages
    return grpc.unary_unary_rpc_method_handler(
        handler, request_deserializer=request.FromString, response_serializer=response.SerializeToString
    )


def _clear(path: Path) -> None:
    """Take away a socket that a killed plugin left. Raises SocketError where something else is there, or somebody listens."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        msg = f"cannot listen on {path}: {error.strerror}"
        raise SocketError(msg) from error
    if not stat.S_ISSOCK(kind) or _somebody_listens(path):
        msg = f"cannot listen on {path}: it is in use"
        raise SocketError(msg)
    path.unlink()


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
