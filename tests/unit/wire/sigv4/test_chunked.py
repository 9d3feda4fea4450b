"""The examples of the S3 API Reference on chunked uploads, and everything that is not one of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import structs

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.keys.sigv4a import public_key
from garrison.wire.sigv4 import ChunkedDecoder, Signatures, Verifier, payload_decoder, read_claim
from tests.support.signing import SECONDS, crt_sign

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = 1369353600.0
DATA = b"a" * 66560
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
PLAIN = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
CHUNKS = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_CHUNKS = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
TRAILING = f"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n".encode()


def example(payload: str, seed: str, *extra: tuple[str, str]) -> Request:
    headers = [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", payload),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        *extra,
    ]
    names = ";".join(sorted(name for name, _ in headers))
    value = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={names},Signature={seed}"
    return Request(method="PUT", path="/examplebucket/chunkObject.txt", headers=[*headers, ("authorization", value)])


def body(signatures: tuple[str, str, str], trailing: bytes = b"") -> bytes:
    first, second, last = (f";chunk-signature={signature}\r\n".encode() for signature in signatures)
    return b"10000" + first + DATA[:65536] + b"\r\n400" + second + DATA[65536:] + b"\r\n0" + last + trailing + b"\r\n"


def decoder(request: Request) -> ChunkedDecoder:
    claim = read_claim(request)
    assert claim is not None
    Verifier().verify(claim, request, SECRET, now=NOW)
    found = payload_decoder(claim, request, SECRET)
    assert found is not None
    return found


def decode(request: Request, data: bytes, step: int = 1 << 20) -> tuple[bytes, dict[str, str]]:
    found = decoder(request)
    pieces = [found.feed(data[start : start + step]) for start in range(0, len(data), step)]
    found.finish()
    return b"".join(pieces), found.trailers


SIGNED = example(PLAIN, SEED, ("content-length", "66824"))
TRAILED = example(TRAILER, TRAILER_SEED, ("x-amz-trailer", "x-amz-checksum-crc32c"))


@pytest.mark.parametrize("step", [1, 7, 1000, 65536, 1 << 20])
def test_published_example(step: int):
    assert len(body(CHUNKS)) == 66824
    assert decode(SIGNED, body(CHUNKS), step) == (DATA, {})


@pytest.mark.parametrize("step", [1, 7, 1000, 65536, 1 << 20])
def test_published_example_with_a_trailer(step: int):
    assert decode(TRAILED, body(TRAILER_CHUNKS, TRAILING), step) == (DATA, {"x-amz-checksum-crc32c": "sOO8/Q=="})


def test_trailer_line_of_the_documentation_ends_in_lf_cr_lf():
    trailing = TRAILING.replace(b"==\r\n", b"==\n\r\n")
    assert decode(TRAILED, body(TRAILER_CHUNKS, trailing))[1] == {"x-amz-checksum-crc32c": "sOO8/Q=="}


@pytest.mark.parametrize("place", range(3))
def test_each_chunk_signature_counts(place: int):
    for signatures, request, trailing in ((CHUNKS, SIGNED, b""), (TRAILER_CHUNKS, TRAILED, TRAILING)):
        changed = list(signatures)
        changed[place] = changed[place][:-1] + ("0" if changed[place][-1] != "0" else "1")
        with pytest.raises(CommonError) as caught:
            decode(request, body((changed[0], changed[1], changed[2]), trailing))
        assert caught.value.kind == "signature_mismatch"


def test_trailer_signature_counts():
    for old, new in ((b"d81f", b"d81e"), (b"sOO8", b"sOO9"), (b"crc32c", b"crc32d")):
        with pytest.raises(CommonError):
            decode(TRAILED, body(TRAILER_CHUNKS, TRAILING.replace(old, new)))


@pytest.mark.parametrize("place", [0, 100, 65535, 65536, 66559])
def test_each_byte_counts(place: int):
    whole = body(CHUNKS)
    offset = place + len(f"10000;chunk-signature={CHUNKS[0]}\r\n")
    if place >= 65536:
        offset += len(f"\r\n400;chunk-signature={CHUNKS[1]}\r\n")
    assert whole[offset : offset + 1] == b"a"
    with pytest.raises(CommonError) as caught:
        decode(SIGNED, whole[:offset] + b"b" + whole[offset + 1 :])
    assert caught.value.kind == "signature_mismatch"


@pytest.mark.parametrize("cut", [0, 1, 50, 70000 - 4000, 66740, 66823])
def test_body_that_ends_early(cut: int):
    with pytest.raises(CommonError) as caught:
        decode(SIGNED, body(CHUNKS)[:cut])
    assert caught.value.code == "IncompleteBody"


def test_chunks_swapped_or_left_out():
    one = b"10000;chunk-signature=" + CHUNKS[0].encode() + b"\r\n" + DATA[:65536] + b"\r\n"
    two = b"400;chunk-signature=" + CHUNKS[1].encode() + b"\r\n" + DATA[65536:] + b"\r\n"
    last = b"0;chunk-signature=" + CHUNKS[2].encode() + b"\r\n\r\n"
    for pieces in (two + one + last, one + last, two + last, last, one + one + last):
        with pytest.raises(CommonError):
            decode(SIGNED, pieces)


def test_unsigned_chunks_in_a_signed_body():
    data = b"10000\r\n" + DATA[:65536] + b"\r\n400\r\n" + DATA[65536:] + b"\r\n0\r\n\r\n"
    with pytest.raises(CommonError, match="number of bytes"):
        decode(SIGNED, data)


def test_bytes_after_the_end():
    with pytest.raises(CommonError, match="number of bytes"):
        decode(SIGNED, body(CHUNKS) + b"x")


def test_endless_header_is_refused_early():
    found = decoder(SIGNED)
    with pytest.raises(CommonError, match="number of bytes"):
        found.feed(b"1" * 600)


@pytest.mark.parametrize(
    "header", [b"", b"-1", b"g", b"+5", b"0x5", b" 5", b"5 ", b"5;", b"5;chunk-signature=", b"5;a=b", b"f" * 17]
)
def test_chunk_header_that_is_none(header: bytes):
    found = decoder(SIGNED)
    with pytest.raises(CommonError, match="number of bytes"):
        found.feed(header + b"\r\naaaaa\r\n")


def unsigned_request(length: int, trailer: str = "x-amz-checksum-crc32") -> tuple[Request, ChunkedDecoder]:
    request = example(UNSIGNED, SEED, ("x-amz-trailer", trailer))
    request.headers = [
        (name, str(length) if name == "x-amz-decoded-content-length" else value) for name, value in request.headers
    ]
    claim = read_claim(request)
    assert claim is not None
    found = payload_decoder(claim, request, SECRET)
    assert found is not None
    return request, found


def test_unsigned_chunks_with_a_trailer():
    _, found = unsigned_request(8197)
    decoded = found.feed(b"2000\r\n" + b"x" * 8192 + b"\r\n5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: s3SFCQ==\r\n\r\n")
    found.finish()
    assert (decoded, found.trailers) == (b"x" * 8192 + b"hello", {"x-amz-checksum-crc32": "s3SFCQ=="})


def test_empty_unsigned_body():
    _, found = unsigned_request(0)
    assert found.feed(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n") == b""
    found.finish()


@pytest.mark.parametrize(
    "trailing",
    [
        b"",
        b"x-amz-checksum-sha256:AAAA\r\n",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-checksum-sha256:AAAA\r\n",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-checksum-crc32:AAAA\r\n",
        b"x-amz-checksum-crc32\r\n",
        b"x-amz-checksum-crc32:AAAA\r\nx-amz-trailer-signature:00\r\n",
        b"x-amz-checksum-crc32:A\x00A\r\n",
    ],
)
def test_trailers_are_those_announced(trailing: bytes):
    _, found = unsigned_request(1)
    with pytest.raises(CommonError) as caught:
        found.feed(b"1\r\nx\r\n0\r\n" + trailing + b"\r\n")
    assert (caught.value.code, caught.value.status) == ("MalformedTrailerError", 400)


def test_only_the_last_chunk_may_be_small():
    _, found = unsigned_request(20)
    with pytest.raises(CommonError, match="Only the last chunk is allowed to have a size less than 8192 bytes") as caught:
        found.feed(b"5\r\nhello\r\n5\r\nhello\r\n")
    assert (caught.value.code, caught.value.status) == ("InvalidChunkSizeError", 403)


def test_more_than_was_announced_is_refused_before_it_is_read():
    _, found = unsigned_request(4)
    with pytest.raises(CommonError, match="number of bytes"):
        found.feed(b"5\r\n")


def test_less_than_was_announced():
    _, found = unsigned_request(6)
    found.feed(b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n")
    with pytest.raises(CommonError, match="number of bytes"):
        found.finish()


@pytest.mark.parametrize("length", ["", "x", "-1", "1" * 17, "9" * 16, "1,2"])
def test_decoded_length_has_to_be_announced(length: str):
    claim = read_claim(SIGNED)
    assert claim is not None
    request = replace(SIGNED)
    request.headers = [(n, length if n == "x-amz-decoded-content-length" else v) for n, v in SIGNED.headers]
    with pytest.raises(CommonError) as caught:
        payload_decoder(claim, request, SECRET)
    assert (caught.value.code, caught.value.status) == ("MissingContentLength", 411)


def test_trailers_announced_where_there_can_be_none():
    claim = read_claim(SIGNED)
    assert claim is not None
    request = replace(SIGNED, headers=[*SIGNED.headers, ("x-amz-trailer", "x-amz-checksum-crc32")])
    with pytest.raises(CommonError, match="x-amz-trailer header is not supported"):
        payload_decoder(claim, request, SECRET)


def test_other_bodies_need_no_decoder():
    claim = read_claim(SIGNED)
    assert claim is not None
    for payload in ("UNSIGNED-PAYLOAD", "0" * 64, ""):
        headers = [(n, payload if n == "x-amz-content-sha256" else v) for n, v in SIGNED.headers]
        assert payload_decoder(claim, replace(SIGNED, headers=headers), SECRET) is None


def test_bytes_between_a_chunk_and_its_end():
    _, found = unsigned_request(5)
    with pytest.raises(CommonError, match="number of bytes"):
        found.feed(b"5\r\nhello!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n")


def test_trailers_are_bounded():
    names = [f"x-amz-meta-{number}" for number in range(200)]
    _, found = unsigned_request(1, ",".join(names))
    with pytest.raises(CommonError) as caught:
        found.feed(b"1\r\nx\r\n0\r\n" + b"".join(f"{name}:{'v' * 200}\r\n".encode() for name in names))
    assert caught.value.code == "MalformedTrailerError"


def test_only_a_signed_header_of_s3_has_chunks():
    claim = read_claim(SIGNED)
    assert claim is not None
    assert payload_decoder(structs.replace(claim, service="kms"), SIGNED, SECRET) is None
    assert payload_decoder(structs.replace(claim, presigned=True), SIGNED, SECRET) is None


KEY = derive_private_key(0x7FD3BD010C0D9C292141C2B77BFBDE1042C92E6836FFF749D1269EC890FCA1BD, SECP256R1())


def ecdsa_body(seed: str) -> bytes:
    """A body whose chunks and trailer are signed with 4A, each signature padded to 144 characters by asterisks."""

    def sign(kind: str, digests: str, before: str) -> str:
        scope = "20150830/s3/aws4_request"
        text = f"AWS4-ECDSA-P256-SHA256-{kind}\n20150830T123600Z\n{scope}\n{before}\n{digests}"
        return KEY.sign(text.encode(), ECDSA(SHA256())).hex()

    empty = hashlib.sha256(b"").hexdigest()
    first = sign("PAYLOAD", f"{empty}\n{hashlib.sha256(b'hello').hexdigest()}", seed)
    last = sign("PAYLOAD", f"{empty}\n{empty}", first)
    trailer = sign("TRAILER", hashlib.sha256(b"x-amz-checksum-crc32:NhCmhg==\n").hexdigest(), last)
    return (
        f"5;chunk-signature={first:*<144}\r\nhello\r\n0;chunk-signature={last:*<144}\r\n"
        f"x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:{trailer:*<144}\r\n\r\n"
    ).encode()


def test_chunks_signed_with_4a():
    request = crt_sign(
        service="s3",
        method="PUT",
        path="/key",
        headers=[("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")],
        payload="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    )
    claim = read_claim(request)
    assert claim is not None
    Verifier(Signatures(public_key)).verify(claim, request, SECRET, now=SECONDS)
    wire = ecdsa_body(claim.signature)
    for data, good in ((wire, True), (wire.replace(b"hello", b"hellO"), False), (wire.replace(b"NhCm", b"NhCn"), False)):
        found = payload_decoder(claim, request, SECRET, signatures=Signatures(lambda *_: KEY.public_key()))
        assert found is not None
        if good:
            assert found.feed(data) == b"hello"
            found.finish()
        else:
            with pytest.raises(CommonError) as caught:
                found.feed(data)
            assert caught.value.kind == "signature_mismatch"
