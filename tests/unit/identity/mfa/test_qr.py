"""The image that a phone reads, read back by a reader of QR codes. The address: images that AWS made."""

from __future__ import annotations

import io
from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

import zxingcpp
from PIL import Image

from garrison.identity.mfa import qr

SEED = bytes(range(20))


def read(png: bytes) -> str:
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    return found.text


def test_the_address():
    found = qr.otpauth("bob", "linux240b", SEED)
    assert found == (
        "otpauth://totp/Amazon%20Web%20Services:bob@linux240b"
        "?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&issuer=Amazon%20Web%20Services"
    )


def test_a_phone_reads_the_seed():
    text = read(qr.png(qr.otpauth("first.last+x=1,2_3@d", "111122223333", SEED)))
    parts = urlsplit(text)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert b32decode(parse_qs(parts.query)["secret"][0]) == SEED


def test_the_longest_name_fits():
    assert read(qr.png(qr.otpauth("n" * 226, "a" * 63, SEED))).startswith("otpauth://totp/")
