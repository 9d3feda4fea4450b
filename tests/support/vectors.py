"""Published vectors as questions to the code that KMS's operations call: for each algorithm, what to do and what must come out.

Every vector goes to the object that ``keys.kms.specs`` makes of a key's material, which is the one that a handler holds. Where only a
public key is published, that object is given it in the place of its private key's half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import chain
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from garrison.keys.gcm import IV_BYTES, KEY_BYTES, TAG_BYTES, Forged, Gcm
from garrison.keys.kms import wrapping
from garrison.keys.kms.algorithms import ecc, edwards, mac, mlkem
from garrison.keys.kms.algorithms.base import DIGEST, EXTERNAL_MU, RAW, Refused, Signer
from garrison.keys.kms.algorithms.rsa import ENCRYPTIONS, SIGNATURES
from garrison.keys.kms.specs import SPECS, SYMMETRIC
from tests.support import rfc
from tests.support.published import acvp, acvp_of_boringssl, cavp, wycheproof

WYCHEPROOF, ACVP, CAVP, RFC = "Wycheproof", "ACVP", "CAVP", "RFC"
SOURCES: Final = (WYCHEPROOF, ACVP, CAVP, RFC)
ID = "00" * 32
_HASHES: Final = {"SHA-256": "256", "SHA-384": "384", "SHA-512": "512"}


class Vector(NamedTuple):
    """One question and its published answer."""

    spec: str
    """A key spec; ``import`` and a wrapping key's spec for what unwraps imported material."""
    algorithm: str
    source: str
    name: str
    valid: bool | None
    """Whether it must be accepted or refused; None where the publisher leaves that open."""
    run: Callable[[], bytes]
    """Raises Refused, Forged or Unwrappable; gives the output, or nothing where there is only a yes."""
    output: bytes = b""


REFUSALS: Final = (Refused, Forged, wrapping.Unwrappable)


def accepted(vector: Vector) -> bool:
    """Whether our code takes it. Asserts that what comes out, or that nothing does, is what was published."""
    try:
        found = vector.run()
    except REFUSALS:
        assert vector.valid is not True, f"refused, though valid: {vector.name}"
        return False
    assert vector.valid is not False, f"accepted, though invalid: {vector.name}"
    assert found == vector.output, f"another answer than the published one: {vector.name}"
    return True


def of(spec: str, algorithm: str) -> list[Vector]:
    """All vectors of an algorithm of a spec."""
    return _all().get((spec, algorithm), [])


@cache
def _all() -> Mapping[tuple[str, str], list[Vector]]:
    found: dict[tuple[str, str], list[Vector]] = {}
    families = (_gcm(), _macs(), _oaep(), _rsa_signatures(), _ecdsa(), _ecdh(), _edwards(), _mldsa(), _mlkem(), _imports())
    for vector in chain.from_iterable(families):
        found.setdefault((vector.spec, vector.algorithm), []).append(vector)
    return found


def _raw(values: Mapping[str, Any], *names: str) -> Iterator[bytes]:
    return (bytes.fromhex(values[name]) for name in names)


def _octets(text: str) -> bytes:
    """Bytes of a value of NIST's; some lack their first zero."""
    return bytes.fromhex(text.zfill(len(text) + len(text) % 2))


# Keys


def _key(spec: str, material: bytes) -> Any:
    """A key as a handler has it."""
    return SPECS[spec].load(ID, material)


def _verifier(spec: str, public: object) -> Signer:
    """A key of which only the public half is known."""
    found: Signer = _key(spec, b"")
    vars(found)["_public"] = public
    return found


def _pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _verified(key: Signer, algorithm: str, asked: Mapping[str, bytes], signature: bytes) -> bytes:
    """A message in each of its forms (MessageType); they must have one answer."""
    answers = set()
    for kind, message in asked.items():
        try:
            key.verify(algorithm, kind, message, signature)
        except Refused:
            answers.add(False)
        else:
            answers.add(True)
    assert len(answers) == 1, "the forms of one message have two answers"
    if answers == {False}:
        raise Refused
    return b""


def _both(bits: str, message: bytes) -> dict[str, bytes]:
    return {RAW: message, DIGEST: hashlib.new(f"sha{bits}", message).digest()}


# SYMMETRIC_DEFAULT


def _gcm() -> Iterator[Vector]:
    for group, test in wycheproof("Cipher/aes_gcm_test", keySize=8 * KEY_BYTES):
        key, iv, aad, plain, sealed = _raw({**test, "sealed": test["ct"] + test["tag"]}, "key", "iv", "aad", "msg", "sealed")
        ours = group["ivSize"] == 8 * IV_BYTES  # any other length is no IV of ours
        run = partial(_opened_and_sealed, key, iv, aad, sealed)
        name = f"aes_gcm_test {test['tcId']}"
        yield Vector(SYMMETRIC, SYMMETRIC, WYCHEPROOF, name, ours and test["result"] == "valid", run, plain)
    for group, test, answer in acvp_of_boringssl("ACVP-AES-GCM", keyLen=8 * KEY_BYTES):
        both = {**test, **answer}
        key, iv, aad, sealed = _raw({**both, "sealed": both["ct"] + both["tag"]}, "key", "iv", "aad", "sealed")
        valid = group["tagLen"] == 8 * TAG_BYTES and answer.get("testPassed", True)  # a shorter tag is none of ours
        plain = bytes.fromhex(both.get("pt", ""))
        name = f"ACVP-AES-GCM {test['tcId']}"
        yield Vector(SYMMETRIC, SYMMETRIC, ACVP, name, valid, partial(_opened_and_sealed, key, iv, aad, sealed), plain)


def _opened_and_sealed(key: bytes, iv: bytes, associated: bytes, sealed: bytes) -> bytes:
    plaintext = Gcm(key).open(iv, sealed, associated)
    assert Gcm(key).seal(iv, plaintext, associated) == sealed
    return plaintext


# HMAC


def _macs() -> Iterator[Vector]:
    for at, (algorithm, (_, length)) in enumerate(mac.ALGORITHMS.items()):
        bits = 8 * length
        vector = partial(Vector, f"HMAC_{bits}", algorithm)
        for _, test in wycheproof(f"Mac/hmac_sha{bits}_test"):
            key, message, tag = _raw(test, "key", "msg", "tag")
            run = partial(_mac, algorithm, key, message, tag)
            yield vector(WYCHEPROOF, f"hmac_sha{bits}_test {test['tcId']}", test["result"] == "valid", run)
        for _, test, answer in acvp_of_boringssl(f"HMAC-SHA2-{bits}"):
            key, message, tag = _raw({**test, **answer}, "key", "msg", "mac")
            yield vector(ACVP, f"HMAC-SHA2-{bits} {test['tcId']}", True, partial(_mac, algorithm, key, message, tag))
        for number, case in enumerate(rfc.HMAC, 1):
            run = partial(_mac, algorithm, bytes.fromhex(case.key), case.message, bytes.fromhex(case.macs[at]))
            yield vector(RFC, f"RFC 4231 {number}", True, run)


def _mac(algorithm: str, key: bytes, message: bytes, tag: bytes) -> bytes:
    """A published MAC that was cut is the begin of ours, and is never accepted: VerifyMac takes whole ones."""
    secret = mac.MacKey(ID, key)
    made = secret.generate(algorithm, message)
    try:
        secret.verify(algorithm, message, tag)
    except Refused:
        if len(tag) == len(made) or not made.startswith(tag):
            raise
    else:
        assert tag == made
    return b""


# RSA


def _oaep() -> Iterator[Vector]:
    for spec, algorithm, private, wrapped, plaintext in _oaep_tests():
        key = _key(spec, private)
        run = partial(key.decrypt, algorithm, wrapped)
        yield Vector(spec, algorithm, WYCHEPROOF, f"rsa_oaep {spec} {algorithm}", plaintext is not None, run, plaintext or b"")


_OAEP_FILES: Final = (
    "Cipher/rsa_oaep_2048_sha1_mgf1sha1_test",
    "Cipher/rsa_oaep_2048_sha256_mgf1sha1_test",
    "Cipher/rsa_oaep_2048_sha256_mgf1sha256_test",
    "Cipher/rsa_oaep_3072_sha256_mgf1sha256_test",
    "Cipher/rsa_oaep_4096_sha256_mgf1sha256_test",
    "Cipher/rsa_oaep_misc_test",
)


def _oaep_tests() -> Iterator[tuple[str, str, bytes, bytes, bytes | None]]:
    """Key spec, algorithm, private key, ciphertext, and the plaintext where it must open.

    KMS has no labels, and one hash for digest and mask: what is valid with others must be refused. What is invalid with others is
    left out, as that may be for want of ours.
    """
    for group, test in chain(*map(wycheproof, _OAEP_FILES)):
        spec, algorithm = f"RSA_{group['keySize']}", f"RSAES_OAEP_{group['sha'].replace('-', '_')}"
        if spec in SPECS and algorithm in ENCRYPTIONS:
            private, wrapped, plaintext = _raw({**group, **test}, "privateKeyPkcs8", "ct", "msg")
            ours, valid = group["sha"] == group["mgfSha"] and not test["label"], test["result"] == "valid"
            if ours or valid:
                yield spec, algorithm, private, wrapped, plaintext if ours and valid else None


def _rsa_signatures() -> Iterator[Vector]:
    for bits in (2048, 3072, 4096):
        spec = f"RSA_{bits}"
        for length in _HASHES.values():
            yield from _rsa_verified(spec, f"rsa_signature_{bits}_sha{length}_test", f"RSASSA_PKCS1_V1_5_SHA_{length}")
        for group, test in wycheproof(f"Signature/rsa_pkcs1_{bits}_sig_gen_test"):
            algorithm = f"RSASSA_PKCS1_V1_5_SHA_{group['sha'].removeprefix('SHA-')}"
            if algorithm in SIGNATURES:
                key = _key(spec, bytes.fromhex(group["privateKeyPkcs8"]))
                message, signature = _raw(test, "msg", "sig")
                run = partial(_signed, key, algorithm, _both(_HASHES[group["sha"]], message), signature)
                yield Vector(spec, algorithm, WYCHEPROOF, f"rsa_pkcs1_{bits}_sig_gen_test {test['tcId']}", True, run)
    for file in _PSS_FILES:
        for length in _HASHES.values():
            yield from _rsa_verified(f"RSA_{file.split('_')[2]}", file, f"RSASSA_PSS_SHA_{length}", sha=f"SHA-{length}")
    for length in _HASHES.values():
        yield from _rsa_verified("RSA_2048", "rsa_pss_misc_test", f"RSASSA_PSS_SHA_{length}", sha=f"SHA-{length}", keySize=2048)
    yield from _rsa_of_nist()


_PSS_FILES: Final = (
    "rsa_pss_2048_sha256_mgf1_0_test",
    "rsa_pss_2048_sha256_mgf1_32_test",
    "rsa_pss_2048_sha256_mgf1sha1_20_test",
    "rsa_pss_2048_sha384_mgf1_48_test",
    "rsa_pss_3072_sha256_mgf1_32_test",
    "rsa_pss_4096_sha256_mgf1_32_test",
    "rsa_pss_4096_sha384_mgf1_48_test",
    "rsa_pss_4096_sha512_mgf1_32_test",
    "rsa_pss_4096_sha512_mgf1_64_test",
)


def _rsa_verified(spec: str, file: str, algorithm: str, **group: Any) -> Iterator[Vector]:
    for found, test in wycheproof(f"Signature/{file}", **group):
        key = _verifier(spec, load_der_public_key(bytes.fromhex(found["publicKeyDer"])))
        message, signature = _raw(test, "msg", "sig")
        run = partial(_verified, key, algorithm, _both(_HASHES[found["sha"]], message), signature)
        # KMS's salts are as long as the hash, and the mask has the same hash (API Reference, "Sign").
        ours = found.get("sLen") in {None, int(_HASHES[found["sha"]]) // 8} and found.get("mgfSha") in {None, found["sha"]}
        # The one acceptable signature of a file lacks a NULL; RFC 8017, 8.2.2 lets it be refused, and we do.
        valid = test["result"] == "valid"
        if ours or valid:
            yield Vector(spec, algorithm, WYCHEPROOF, f"{file} {test['tcId']}", ours and valid, run)


def _signed(key: Signer, algorithm: str, asked: Mapping[str, bytes], signature: bytes) -> bytes:
    """A signature that is the same each time."""
    for kind, message in asked.items():
        assert key.sign(algorithm, kind, message) == signature
    return _verified(key, algorithm, asked, signature)


def _rsa_of_nist() -> Iterator[Vector]:
    names = {"pkcs1v1.5": "PKCS1_V1_5", "pss": "PSS"}
    for group, test, answer in acvp_of_boringssl("RSA", mode="sigVer"):
        spec, bits = f"RSA_{group['modulo']}", group["hashAlg"].removeprefix("SHA2-")
        algorithm = f"RSASSA_{names.get(group['sigType'])}_SHA_{bits}"
        if spec in SPECS and algorithm in SIGNATURES:
            assert group["sigType"] != "pss" or group["saltLen"] == int(bits) // 8
            public = rsa.RSAPublicNumbers(int(group["e"], 16), int(group["n"], 16)).public_key()
            message, signature = _raw(test, "message", "signature")
            run = partial(_verified, _verifier(spec, public), algorithm, _both(bits, message), signature)
            yield Vector(spec, algorithm, ACVP, f"RSA sigVer {test['tcId']}", answer["testPassed"], run)
    files = {"Signature/PKCS1-v1.5/SigVer15_186-3.rsp": "PKCS1_V1_5", "Signature/PKCS1-PSS/SigVerPSS_186-3.rsp": "PSS"}
    for file, scheme in files.items():
        for number, (section, test) in enumerate(cavp(file, "Result"), 1):
            spec, bits = section.replace("mod = ", "RSA_"), test["SHAAlg"].removeprefix("SHA")
            algorithm = f"RSASSA_{scheme}_SHA_{bits}"
            if spec in SPECS and algorithm in SIGNATURES:
                public = rsa.RSAPublicNumbers(int(test["e"], 16), int(test["n"], 16)).public_key()
                asked, signature = _both(bits, _octets(test["Msg"])), _octets(test["S"])
                run = partial(_verified, _verifier(spec, public), algorithm, asked, signature)
                ours = len(test.get("SaltVal", "")) in {0, int(bits) // 4}
                valid = test["Result"][0] == "P"
                if ours or valid:
                    yield Vector(spec, algorithm, CAVP, f"{file} {number}", ours and valid, run)


# Elliptic curves


_CURVES: Final = {
    "ECC_NIST_P256": ("secp256r1", "P-256", "256"),
    "ECC_NIST_P384": ("secp384r1", "P-384", "384"),
    "ECC_NIST_P521": ("secp521r1", "P-521", "512"),
    "ECC_SECG_P256K1": ("secp256k1", "", "256"),
}


def _ecdsa() -> Iterator[Vector]:
    for spec, (curve, nist, bits) in _CURVES.items():
        algorithm = f"ECDSA_SHA_{bits}"
        for group, test in wycheproof(f"Signature/ecdsa_{curve}_sha{bits}_test"):
            key = _verifier(spec, load_der_public_key(bytes.fromhex(group["publicKeyDer"])))
            message, signature = _raw(test, "msg", "sig")
            run = partial(_verified, key, algorithm, _both(bits, message), signature)
            yield Vector(spec, algorithm, WYCHEPROOF, f"ecdsa_{curve} {test['tcId']}", test["result"] == "valid", run)
        for _, test, answer in acvp_of_boringssl("ECDSA", mode="sigVer", curve=nist, hashAlg=f"SHA2-{bits}"):
            run = partial(
                _ecdsa_verified, spec, algorithm, bits, {name.upper(): text for name, text in test.items() if name != "tcId"}
            )
            yield Vector(spec, algorithm, ACVP, f"ECDSA sigVer {test['tcId']}", answer["testPassed"], run)
        for number, (section, test) in enumerate(cavp("Signature/ECDSA/SigVer.rsp", "Result"), 1):
            if section == f"{nist},SHA-{bits}":
                named = {name.upper(): text for name, text in test.items()} | {"MESSAGE": test["Msg"]}
                run = partial(_ecdsa_verified, spec, algorithm, bits, named)
                yield Vector(spec, algorithm, CAVP, f"ECDSA SigVer {number}", test["Result"][0] == "P", run)


def _ecdsa_verified(spec: str, algorithm: str, bits: str, values: Mapping[str, str]) -> bytes:
    public = _point(spec, values["QX"], values["QY"]).public_key()
    signature = encode_dss_signature(int(values["R"], 16), int(values["S"], 16))
    return _verified(_verifier(spec, public), algorithm, _both(bits, bytes.fromhex(values["MESSAGE"])), signature)


def _point(spec: str, x: str, y: str) -> ec.EllipticCurvePublicNumbers:
    return ec.EllipticCurvePublicNumbers(int(x, 16), int(y, 16), ecc.CURVES[spec])


def _ecdh() -> Iterator[Vector]:
    for spec, (curve, nist, _) in _CURVES.items():
        if not nist:
            continue  # KMS agrees on NIST's curves alone
        for _, test in wycheproof(f"Protocol/ecdh_{curve}_test"):
            run = partial(_agreed, spec, test["private"], bytes.fromhex(test["public"]))
            valid = None if test["result"] == "acceptable" else test["result"] == "valid"
            yield Vector(spec, "ECDH", WYCHEPROOF, f"ecdh_{curve} {test['tcId']}", valid, run, bytes.fromhex(test["shared"]))
        for number, (section, test) in enumerate(cavp("Protocol/KAS_ECC_CDH_PrimitiveTest.txt", "ZIUT"), 1):
            if section == nist:
                run = partial(_agreed, spec, test["dIUT"], _spki(spec, test["QCAVSx"], test["QCAVSy"]))
                yield Vector(spec, "ECDH", CAVP, f"KAS_ECC_CDH {number}", True, run, bytes.fromhex(test["ZIUT"]))
        for _, test, answer in acvp_of_boringssl("ECDSA", mode="keyVer", curve=nist):
            if len(test["qx"]) != len(test["qy"]):
                continue  # a coordinate that no SubjectPublicKeyInfo has room for
            run = partial(_agreed, spec, "1", _spki(spec, test["qx"], test["qy"]))
            # With the private key 1 the secret is the peer's own x.
            yield Vector(spec, "ECDH", ACVP, f"ECDSA keyVer {test['tcId']}", answer["testPassed"], run, _octets(test["qx"]))


def _agreed(spec: str, scalar: str, peer: bytes) -> bytes:
    try:
        private = ec.derive_private_key(int(scalar, 16), ecc.CURVES[spec])
    except ValueError:  # no private key of the curve, so none that KMS could have
        raise Refused from None
    secret: bytes = _key(spec, _pkcs8(private)).agree(peer)
    return secret


def _spki(spec: str, x: str, y: str) -> bytes:
    """A point as SubjectPublicKeyInfo, on its curve or not: the begin of a good one, and the coordinates."""
    good = ec.derive_private_key(1, ecc.CURVES[spec]).public_key()
    whole = good.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    size = (ecc.CURVES[spec].key_size + 7) // 8
    return whole[: -2 * size] + int(x, 16).to_bytes(size) + int(y, 16).to_bytes(size)


def _edwards() -> Iterator[Vector]:
    spec = "ECC_NIST_EDWARDS25519"
    for group, test in wycheproof("Signature/ed25519_test"):
        key = _verifier(spec, bytes.fromhex(group["publicKeyDer"])[-32:])
        message, signature = _raw(test, "msg", "sig")
        valid = None if test["result"] == "acceptable" else test["result"] == "valid"
        run = partial(_verified, key, edwards.PURE, {RAW: message}, signature)
        yield Vector(spec, edwards.PURE, WYCHEPROOF, f"ed25519_test {test['tcId']}", valid, run)
    for group, test in acvp("EDDSA-SigVer-1.0"):
        algorithm, kind = (edwards.PREHASHED, DIGEST) if group["preHash"] else (edwards.PURE, RAW)
        seed, public, message, signature = _raw(test, "d", "q", "message", "signature")
        if test["testPassed"]:
            run = partial(_edwards_signed, seed, public, algorithm, {kind: message}, signature)
        else:
            run = partial(_verified, _verifier(spec, public), algorithm, {kind: message}, signature)
        yield Vector(spec, algorithm, ACVP, f"EDDSA sigVer {test['tcId']}", test["testPassed"], run)
    for case in rfc.ED25519:
        algorithm, kind = (edwards.PREHASHED, DIGEST) if case.prehashed else (edwards.PURE, RAW)
        seed, public, message, signature = map(bytes.fromhex, (case.seed, case.public, case.message, case.signature))
        run = partial(_edwards_signed, seed, public, algorithm, {kind: message}, signature)
        yield Vector(spec, algorithm, RFC, f"RFC 8032 {case.name}", True, run)


def _edwards_signed(seed: bytes, public: bytes, algorithm: str, asked: Mapping[str, bytes], signature: bytes) -> bytes:
    # RFC 8410, sections 4 and 7: the forms of the two halves.
    key = _key("ECC_NIST_EDWARDS25519", bytes.fromhex("302e020100300506032b657004220420") + seed)
    assert key.public() == bytes.fromhex("302a300506032b6570032100") + public
    return _signed(key, algorithm, asked, signature)


# ML-DSA


_MLDSA: Final = "ML_DSA_SHAKE_256"
_MLDSA_PUBLIC: Final[dict[str, type[mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey]]] = {
    "44": mldsa.MLDSA44PublicKey,
    "65": mldsa.MLDSA65PublicKey,
    "87": mldsa.MLDSA87PublicKey,
}


def mu_of(public: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 7, line 6: the representative of an M' that is given."""
    return hashlib.shake_256(hashlib.shake_256(public).digest(64) + message).digest(64)


def _pure(context: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 2, line 10: M' of ML-DSA's pure version."""
    return b"\0" + bytes([len(context)]) + context + message


def _mldsa() -> Iterator[Vector]:
    for size in _MLDSA_PUBLIC:
        spec = f"ML_DSA_{size}"
        for group, test in wycheproof(f"Signature/mldsa_{size}_verify_test"):
            public, (message, signature) = bytes.fromhex(group["publicKey"]), _raw(test, "msg", "sig")
            context = bytes.fromhex(test.get("ctx", ""))
            if len(context) < 256 and _is_mldsa(size, public):
                run = partial(_mldsa_verified, size, public, context, message, signature)
                yield Vector(spec, _MLDSA, WYCHEPROOF, f"mldsa_{size}_verify_test {test['tcId']}", test["result"] == "valid", run)
        for group, test in wycheproof(f"Signature/mldsa_{size}_sign_seed_test"):
            if test["result"] == "valid" and "msg" in test and not test.get("ctx"):
                seed, public, message, mu, signature = _raw({**group, **test}, "privateSeed", "publicKey", "msg", "mu", "sig")
                run = partial(_mldsa_signed, spec, seed, public, {RAW: message, EXTERNAL_MU: mu}, signature)
                yield Vector(spec, _MLDSA, WYCHEPROOF, f"mldsa_{size}_sign_seed_test {test['tcId']}", True, run)
    yield from _mldsa_of_nist()


def _is_mldsa(size: str, public: bytes) -> bool:
    try:
        _MLDSA_PUBLIC[size].from_public_bytes(public)
    except ValueError:
        return False
    return True


def _mldsa_verified(size: str, public: bytes, context: bytes, message: bytes, signature: bytes) -> bytes:
    """Contexts are not KMS's: those of the vectors go into mu, which is what EXTERNAL_MU is for."""
    key = _verifier(f"ML_DSA_{size}", _MLDSA_PUBLIC[size].from_public_bytes(public))
    asked = {EXTERNAL_MU: mu_of(public, _pure(context, message))}
    if not context:
        asked[RAW] = message
    return _verified(key, _MLDSA, asked, signature)


def _mldsa_signed(spec: str, seed: bytes, public: bytes, asked: Mapping[str, bytes], signature: bytes) -> bytes:
    """Ours are hedged, so they are not the published one; each of them is good in each form of the message."""
    key = _key(spec, seed)
    assert key.public().endswith(public)
    for made in (signature, *(key.sign(_MLDSA, kind, message) for kind, message in asked.items())):
        _verified(key, _MLDSA, asked, made)
    return b""


def _mldsa_of_nist() -> Iterator[Vector]:
    for group, test in acvp("ML-DSA-keyGen-FIPS204"):
        spec = group["parameterSet"].replace("-", "_")
        run = partial(_public_of, spec, bytes.fromhex(test["seed"]), len(test["pk"]) // 2)
        yield Vector(spec, _MLDSA, ACVP, f"ML-DSA keyGen {test['tcId']}", True, run, bytes.fromhex(test["pk"]))
    for file in ("ML-DSA-sigVer-FIPS204", "ML-DSA-sigGen-FIPS204"):
        for group, test in acvp(file):
            size, raw = group["parameterSet"][-2:], bytes.fromhex(test["pk"])
            key = _verifier(f"ML_DSA_{size}", _MLDSA_PUBLIC[size].from_public_bytes(raw))
            if "mu" in test:
                mu = bytes.fromhex(test["mu"])
            elif group["signatureInterface"] == "external":
                mu = mu_of(raw, _pure(*_raw(test, "context", "message")))
            else:
                mu = mu_of(raw, bytes.fromhex(test["message"]))
            run = partial(_verified, key, _MLDSA, {EXTERNAL_MU: mu}, bytes.fromhex(test["signature"]))
            yield Vector(f"ML_DSA_{size}", _MLDSA, ACVP, f"{file} {test['tcId']}", test.get("testPassed", True), run)


def _public_of(spec: str, seed: bytes, length: int) -> bytes:
    public: bytes = _key(spec, seed).public()
    return public[-length:]


# ML-KEM


def _mlkem() -> Iterator[Vector]:
    for size in ("512", "768", "1024"):
        spec = f"ML_KEM_{size}"
        for _, test in wycheproof(f"Protocol/mlkem_{size}_keygen_seed_test"):
            run = partial(_public_of, spec, bytes.fromhex(test["seed"]), len(test["ek"]) // 2)
            yield Vector(spec, "ML_KEM", WYCHEPROOF, f"mlkem_{size}_keygen {test['tcId']}", True, run, bytes.fromhex(test["ek"]))
        for _, test in wycheproof(f"Protocol/mlkem_{size}_test"):
            # What is to be rejected implicitly (FIPS 203, 6.3) is valid here: the secret that follows from z is published.
            run = partial(_decapsulated, spec, *_raw(test, "seed", "c"))
            valid = test["result"] == "valid"
            output = bytes.fromhex(test["K"]) if valid else b""
            yield Vector(spec, "ML_KEM", WYCHEPROOF, f"mlkem_{size}_test {test['tcId']}", valid, run, output)
    for group, test in acvp("ML-KEM-keyGen-FIPS203"):
        spec = group["parameterSet"].replace("-", "_")
        run = partial(_public_of, spec, bytes.fromhex(test["d"] + test["z"]), len(test["ek"]) // 2)
        yield Vector(spec, "ML_KEM", ACVP, f"ML-KEM keyGen {test['tcId']}", True, run, bytes.fromhex(test["ek"]))


def _decapsulated(spec: str, seed: bytes, ciphertext: bytes) -> bytes:
    try:
        _public_of(spec, seed, 0)
    except ValueError:
        assert len(seed) != mlkem.SEED_BYTES
        raise Refused from None
    secret: bytes = _key(spec, seed).decapsulate(ciphertext)
    return secret


# Imported material


def _imports() -> Iterator[Vector]:
    """RSAES-OAEP as it wraps material itself, and AES key wrap with padding (RFC 5649) under a key that comes in OAEP."""
    keys: dict[str, bytes] = {}
    for spec, algorithm, private, wrapped, material in _oaep_tests():
        keys[spec] = private
        run = partial(wrapping.unwrap, _token(algorithm, private), wrapped)
        name = f"import under {spec} {algorithm}"
        yield Vector(f"import {spec}", algorithm, WYCHEPROOF, name, material is not None, run, material or b"")
    for spec, private in keys.items():
        for algorithm in wrapping.TWICE:
            yield from _wrapped_twice(f"import {spec}", algorithm, private)


def _wrapped_twice(spec: str, algorithm: str, private: bytes) -> Iterator[Vector]:
    for _, test in wycheproof("Cipher/aes_kwp_test"):
        if test["tcId"] % 4 and spec != "import RSA_2048":
            continue  # each opens an RSA key and its ciphertext: all of them under one size, a quarter under the others
        key, wrapped, material = _raw(test, "key", "ct", "msg")
        run = partial(_unwrapped, algorithm, private, key, wrapped)
        yield Vector(spec, algorithm, WYCHEPROOF, f"aes_kwp_test {test['tcId']}", test["result"] == "valid", run, material)
    for _, test, answer in acvp_of_boringssl("ACVP-AES-KWP"):
        both = {"pt": "", **test, **answer}
        key, wrapped, material = _raw(both, "key", "ct", "pt")
        valid = answer.get("testPassed", True)
        run = partial(_unwrapped, algorithm, private, key, wrapped)
        yield Vector(spec, algorithm, ACVP, f"ACVP-AES-KWP {test['tcId']}", valid, run, material if valid else b"")


def _token(algorithm: str, private: bytes) -> wrapping.Token:
    return wrapping.Token("us-east-1", "k", algorithm, 0.0, private)


def _unwrapped(algorithm: str, private: bytes, key: bytes, wrapped: bytes) -> bytes:
    return wrapping.unwrap(_token(algorithm, private), _in_oaep(algorithm, private, key) + wrapped)


@cache
def _in_oaep(algorithm: str, private: bytes, key: bytes) -> bytes:
    found = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(found, rsa.RSAPrivateKey)
    hashing = SHA1() if algorithm.endswith("SHA_1") else SHA256()  # noqa: S303 - KMS offers it
    return found.public_key().encrypt(key, OAEP(MGF1(hashing), hashing, None))
