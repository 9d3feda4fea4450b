"""Bodies in ``aws-chunked`` encoding, decoded and verified as they arrive.

Sources: S3 API Reference, "Signature calculations for the Authorization header: Transferring payload in multiple chunks
(chunked upload)" and "Signature calculations for trailing headers (chunked uploads)".
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from garrison.core.http import Request
from garrison.wire.sigv4 import faults
from garrison.wire.sigv4.canonical import EMPTY_SHA256
from garrison.wire.sigv4.claim import Claim
from garrison.wire.sigv4.payload import STREAMING, Streaming
from garrison.wire.sigv4.rules import rules_of
from garrison.wire.sigv4.signatures import Signatures

LONGEST_LINE: Final = 512
"""Bytes of a chunk's header: sixteen digits and a signature of 144 characters need under 200."""
LONGEST_TRAILER: Final = 16_384
"""Bytes of all trailing headers together."""
SMALLEST_CHUNK: Final = 8192
"""Bytes of every chunk but the last."""
_LARGEST: Final = 5 * 1024**4
"""Bytes; more than any object."""

_HEADER: Final = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{1,144}\**))?").fullmatch
_TRAILER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128})[ \t]*:([\x09\x20-\x7e\x80-\xff]*)").fullmatch
_SIGNATURE: Final = "x-amz-trailer-signature"
_State = Literal["header", "data", "data-end", "trailer", "end"]


class ChunkedDecoder:
    """Feed it the body as it comes; it gives back the decoded bytes.

    Bytes of a chunk are given out before the signature at the chunk's end was checked, so that memory does not grow with a
    chunk: all of them are provisional until :meth:`finish` has returned. Any fault raises CommonError, and a decoder that
    has raised is spent.
    """

    def __init__(
        self, form: Streaming, claim: Claim, secret: str, signatures: Signatures, length: int, trailers: frozenset[str]
    ) -> None:
        self.trailers: dict[str, str] = {}
        """The trailing headers (lower case), without their signature; complete after :meth:`finish`."""
        self._form = form
        self._claim = claim
        self._secret = secret
        self._signatures = signatures
        self._left = length
        self._announced = trailers
        self._previous = claim.signature
        self._state: _State = "header"
        self._buffer = bytearray()
        self._chunk_left = 0
        self._small = False
        self._signature = ""
        self._hash = hashlib.sha256()
        self._trailer_lines: list[str] = []
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """The decoded bytes that ``data`` completes. Raises CommonError."""
        self._buffer += data
        decoded: list[bytes] = []
        while self._step(decoded):
            pass
        return b"".join(decoded)

    def finish(self) -> None:
        """Raise CommonError unless the body was whole: every chunk verified, the trailers there, the length as announced."""
        if self._state != "end" or self._left:
            raise faults.s3_incomplete_body()

    def _step(self, decoded: list[bytes]) -> bool:
        """Consume one piece of the buffer; False where it takes more bytes to go on."""
        if self._state == "data":
            return self._data(decoded)
        if self._state == "end":
            if self._buffer:
                raise faults.s3_incomplete_body()
            return False
        line = self._line()
        if line is None:
            return False
        if self._state == "header":
            self._header(line)
        elif self._state == "data-end":
            if line:
                raise faults.s3_incomplete_body()
            self._close_chunk()
        else:
            self._trailer(line)
        return True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, LONGEST_LINE + 2)
        if end < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise faults.s3_incomplete_body()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _header(self, line: bytes) -> None:
        match = _HEADER(line)
        if match is None or (match[2] is None) == (self._form.algorithm is not None):
            raise faults.s3_incomplete_body()
        size = int(match[1], 16)
        if size > self._left:
            raise faults.s3_incomplete_body()
        if size and self._small:
            raise faults.s3_small_chunk()
        self._signature = (match[2] or b"").decode().rstrip("*")  # a signature of 4A is padded to a fixed width
        self._hash = hashlib.sha256()
        self._small = size < SMALLEST_CHUNK
        self._chunk_left = size
        self._left -= size
        self._state = "data"
        if not size:
            self._close_chunk(last=True)

    def _data(self, decoded: list[bytes]) -> bool:
        piece = bytes(self._buffer[: self._chunk_left])
        if not piece:
            return False
        del self._buffer[: len(piece)]
        if self._form.algorithm:
            self._hash.update(piece)
        self._chunk_left -= len(piece)
        decoded.append(piece)
        if not self._chunk_left:
            self._state = "data-end"
        return True

    def _close_chunk(self, *, last: bool = False) -> None:
        if self._form.algorithm:
            self._check("PAYLOAD", f"{EMPTY_SHA256}\n{self._hash.hexdigest()}", self._signature)
        self._state = "trailer" if last else "header"

    def _trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        if not line:
            self._close_trailer()
            return
        match = _TRAILER(line.removesuffix(b"\n"))  # S3's documented example ends a trailer in LF CR LF
        if match is None or not self._form.trailer or self._trailer_bytes > LONGEST_TRAILER:
            raise faults.s3_trailer()
        name, value = match[1].decode().lower(), match[2].decode("latin-1").strip(" \t")
        if name in self.trailers:
            raise faults.s3_trailer()
        self.trailers[name] = value
        if name != _SIGNATURE:
            self._trailer_lines.append(f"{name}:{value}\n")

    def _close_trailer(self) -> None:
        signature = self.trailers.pop(_SIGNATURE, None)
        if self.trailers.keys() != self._announced or (signature is None) == bool(self._form.algorithm and self._form.trailer):
            raise faults.s3_trailer()
        if signature is not None:
            block = "".join(self._trailer_lines).encode("latin-1")
            self._check("TRAILER", hashlib.sha256(block).hexdigest(), signature.rstrip("*"))
        self._state = "end"

    def _check(self, kind: str, digests: str, signature: str) -> None:
        claim = self._claim
        text = f"{claim.algorithm}-{kind}\n{claim.stamp}\n{claim.scope}\n{self._previous}\n{digests}"
        self._signatures.check(claim, self._secret, text.encode("latin-1"), signature, s3=True)
        self._previous = signature


def payload_decoder(
    claim: Claim, request: Request, secret: str, *, signatures: Signatures | None = None
) -> ChunkedDecoder | None:
    """The decoder for the body of a verified request, or None where the body is not ``aws-chunked``.

    Raises CommonError where the decoded length is not announced, or trailers are announced that the form cannot carry.
    """
    form = STREAMING.get(request.header("x-amz-content-sha256"))
    if form is None or claim.presigned or not rules_of(claim.service).s3:
        return None
    named = ",".join(request.header_list("x-amz-trailer")).lower().split(",")
    announced = frozenset(name.strip() for name in named) - {""}
    if announced and not form.trailer:
        raise faults.s3_request(faults.S3_TRAILER)
    return ChunkedDecoder(form, claim, secret, signatures or Signatures(), _decoded_length(request), announced)


def _decoded_length(request: Request) -> int:
    values = request.header_list("x-amz-decoded-content-length")
    if len(values) != 1 or not re.fullmatch(r"[0-9]{1,16}", values[0]) or int(values[0]) > _LARGEST:
        raise faults.s3_no_length()
    return int(values[0])
