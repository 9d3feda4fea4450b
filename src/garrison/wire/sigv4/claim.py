"""What a request says about its signature, before anybody has looked at a secret.

Sources: IAM User Guide, "Elements of an AWS API request signature" and "Create a signed AWS API request"; S3 API Reference,
"Authenticating Requests: Using Query Parameters".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple, cast
from urllib.parse import unquote

from msgspec import Struct

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.wire.sigv4 import faults
from garrison.wire.sigv4.faults import Place
from garrison.wire.sigv4.rules import rules_of

Algorithm = Literal["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"]
HMAC: Final = "AWS4-HMAC-SHA256"
ECDSA: Final = "AWS4-ECDSA-P256-SHA256"
TERMINATOR: Final = "aws4_request"
WEEK: Final = 604_800

_STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z").fullmatch
_DAY: Final = re.compile(r"[0-9]{8}").fullmatch
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}").fullmatch
_KEY_ID: Final = re.compile(r"[!-~]{1,128}").fullmatch
_REGION: Final = re.compile(r"\*|[a-z0-9][a-z0-9-]{0,62}\*?").fullmatch
_HEADER_NAMES: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z:]+(;[!#$%&'*+\-.^_`|~0-9A-Za-z:]+)*").fullmatch
_HEADER_PARTS: Final = frozenset(("Credential", "SignedHeaders", "Signature"))
_REQUIRED: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
_PARAMETERS: Final = frozenset((*_REQUIRED, "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Region-Set"))
_TRACES: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature")
_SCOPED: Final = re.compile(r"/([a-z0-9-]+)/aws4_request").search
_VERSION_2: Final = re.compile(r"(?:^|&)(?:AWSAccessKeyId|SignatureVersion)=").search


class Claim(Struct, frozen=True):
    """A signature as the request states it. Nothing of it is proven until :class:`Verifier` has verified it."""

    access_key_id: str
    date: str
    """``20150830``, of the credential scope."""
    region: str
    """Of the credential scope. With SigV4A the one region of the set, or empty where the set is wider."""
    service: str
    session_token: str | None
    signed_headers: tuple[str, ...]
    """Lower case, sorted, no duplicates."""
    signature: str
    algorithm: Algorithm
    presigned: bool
    """Whether it stands in the query string."""
    timestamp: float
    """Seconds since the epoch."""
    stamp: str
    """The same as it is signed: ``20150830T123600Z``."""
    expires: int | None
    """Seconds that a presigned request lives, 0 to 604800; None where it does not say."""
    region_set: tuple[str, ...] = ()
    """SigV4A: the regions that the signature is for; ``*`` and ``us-*`` are patterns."""

    @property
    def scope(self) -> str:
        """The credential scope as signed: ``20150830/us-east-1/iam/aws4_request``; SigV4A leaves the region out."""
        if self.algorithm == ECDSA:
            return f"{self.date}/{self.service}/{TERMINATOR}"
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


class _Scope(NamedTuple):
    key_id: str
    date: str
    region: str
    service: str


def read_claim(request: Request, *, service: str | None = None) -> Claim | None:
    """What the request says about its signature; None where it carries no trace of one.

    ``service`` is the service of the endpoint where that is known already; it only chooses between S3's texts and the
    others' where the signature itself cannot be read. Raises CommonError on anything malformed, doubled or of version 2.
    """
    authorization = None
    for name, value in request.headers:
        if name == "authorization":
            if authorization is not None:
                raise _two_headers(s3=_speaks_s3(request, service))
            authorization = value
    found = _query_parameters(request.query) if "X-Amz-" in request.query else {}
    presigned = any(name in found for name in _TRACES)
    if authorization is not None:
        if presigned:
            raise _two_mechanisms(s3=_speaks_s3(request, service))
        return _from_header(request, authorization, service)
    if presigned:
        return _from_query(request, found, service)
    if _VERSION_2(request.query):
        raise faults.s3_unsupported() if _speaks_s3(request, service) else faults.incomplete_query(_REQUIRED)
    return None


@lru_cache(maxsize=1024)
def parse_stamp(stamp: str) -> float:
    """Seconds since the epoch of ``20150830T123600Z``. Raises ValueError."""
    if not _STAMP(stamp):
        msg = f"not a basic ISO 8601 instant: `{stamp}`"
        raise ValueError(msg)
    parts = (int(stamp[0:4]), int(stamp[4:6]), int(stamp[6:8]), int(stamp[9:11]), int(stamp[11:13]), int(stamp[13:15]))
    return datetime(*parts, tzinfo=UTC).timestamp()


@lru_cache(maxsize=4096)  # a client sends the same one all through a second; nothing of it is secret
def parse_credential(credential: str, stamp: str, *, algorithm: str, place: Place, s3: bool) -> tuple[str, str, str, str]:
    """Access key id, date, region (empty for SigV4A) and service of a credential.

    ``stamp`` is the instant signed: the scope's day has to be its day. Raises CommonError.
    """
    parts = credential.split("/")
    if algorithm == ECDSA and len(parts) == 4:
        parts.insert(2, "")  # SigV4A scopes name no region
    elif algorithm == ECDSA:
        parts = []
    if len(parts) != 5:
        raise _credential_shape(credential, place=place, s3=s3)
    scope = _Scope(*parts[:4])
    check = _check_s3_scope if s3 else _check_scope
    check(scope, parts[4], stamp, algorithm=algorithm, place=place)
    return scope


# --- The Authorization header ---------------------------------------------------------------------------------------


def _from_header(request: Request, authorization: str, service: str | None) -> Claim:
    s3 = _speaks_s3(request, service, authorization)
    algorithm, _, rest = authorization.strip().partition(" ")
    if s3 and not algorithm.startswith("AWS4-"):
        raise faults.s3_unsupported() if algorithm == "AWS" else faults.s3_argument(faults.S3_TYPE)
    parts = _header_parts(rest, authorization, s3=s3)
    stamp = _header_stamp(request, s3=s3)
    _require_header_parts(parts, authorization, s3=s3, dated=stamp is not None)
    seconds, text = parse_instant(stamp or "", s3=s3)
    known = parse_algorithm(algorithm, place="header", s3=s3)
    key_id, date, region, scoped = parse_credential(parts["Credential"], text, algorithm=known, place="header", s3=s3)
    regions = _regions(request.header("x-amz-region-set"), s3=s3) if known == ECDSA else ()
    return Claim(
        access_key_id=key_id,
        date=date,
        region=region or _sole(regions),
        service=scoped,
        session_token=request.header("x-amz-security-token") or None,
        signed_headers=_signed_headers(parts["SignedHeaders"], place="header", s3=s3),
        signature=parts["Signature"],
        algorithm=known,
        presigned=False,
        timestamp=seconds,
        stamp=text,
        expires=None,
        region_set=regions,
    )


def _header_parts(rest: str, authorization: str, *, s3: bool) -> dict[str, str]:
    """``Credential=…, SignedHeaders=…, Signature=…`` in any order. Another part, or one twice, is refused."""
    parts: dict[str, str] = {}
    for part in rest.split(","):
        text = part.strip(" \t")
        if not text:
            continue
        name, equals, value = text.partition("=")
        if not equals and not s3:
            raise faults.no_equal_sign(authorization)
        if not equals or name not in _HEADER_PARTS or name in parts:
            raise _odd_part(name, authorization, s3=s3)
        parts[name] = value
    return parts


def _odd_part(name: str, authorization: str, *, s3: bool) -> CommonError:
    if s3:
        return faults.s3_header(faults.S3_COMPONENTS)
    missing = [f"Authorization header requires '{part}' parameter." for part in ("Credential", "Signature", "SignedHeaders")]
    return faults.incomplete_header([text for text in missing if f"'{name}'" in text] or missing, authorization)


def _require_header_parts(parts: dict[str, str], authorization: str, *, s3: bool, dated: bool) -> None:
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if s3:
        if missing:
            raise faults.s3_header(faults.S3_COMPONENTS)
        if not dated:
            raise faults.s3_denied(faults.S3_NO_DATE)
        return
    if not dated:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise faults.incomplete_header(missing, authorization)


def _header_stamp(request: Request, *, s3: bool) -> str | None:
    """The instant of ``x-amz-date``, else of ``date``, in the form that is signed. A doubled one is refused."""
    for name in ("x-amz-date", "date"):
        values = request.header_list(name)
        if values:
            text = ",".join(values).strip()
            return text if name == "x-amz-date" or _STAMP(text) else _from_http_date(text, s3=s3)
    return None


def _from_http_date(text: str, *, s3: bool) -> str:
    """``Mon, 09 Sep 2011 23:36:00 GMT`` in the form that is signed."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, TypeError, IndexError, OverflowError):
        raise _bad_date(text, place="header", s3=s3) from None


# --- The query string -----------------------------------------------------------------------------------------------


def _from_query(request: Request, found: dict[str, list[str]], service: str | None) -> Claim:
    s3 = _speaks_s3(request, service, found.get("X-Amz-Credential", ("",))[0])
    doubled = [name for name, values in found.items() if len(values) > 1]
    missing = [name for name in _REQUIRED if not found.get(name, ("",))[0]]
    if s3 and (missing or "X-Amz-Expires" not in found):
        raise faults.s3_query(faults.S3_QUERY)
    if missing or doubled:
        raise faults.s3_query(f"{doubled[0]} may stand only once") if s3 else faults.incomplete_query(missing or doubled)
    value = {name: values[0] for name, values in found.items()}
    algorithm = parse_algorithm(value["X-Amz-Algorithm"], place="query", s3=s3)
    seconds, text = parse_instant(value["X-Amz-Date"], place="query", s3=s3)
    key_id, date, region, scoped = parse_credential(value["X-Amz-Credential"], text, algorithm=algorithm, place="query", s3=s3)
    regions = _regions(value.get("X-Amz-Region-Set", ""), s3=s3) if algorithm == ECDSA else ()
    return Claim(
        access_key_id=key_id,
        date=date,
        region=region or _sole(regions),
        service=scoped,
        session_token=value.get("X-Amz-Security-Token") or None,
        signed_headers=_signed_headers(value["X-Amz-SignedHeaders"], place="query", s3=s3),
        signature=value["X-Amz-Signature"],
        algorithm=algorithm,
        presigned=True,
        timestamp=seconds,
        stamp=text,
        expires=_expires(value.get("X-Amz-Expires"), s3=s3),
        region_set=regions,
    )


def _query_parameters(query: str) -> dict[str, list[str]]:
    """Every value of the parameters of a signature, decoded."""
    found: dict[str, list[str]] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if "%" in name:
            name = unquote(name, "latin-1")
        if name in _PARAMETERS:
            found.setdefault(name, []).append(unquote(value, "latin-1"))
    return found


def _expires(text: str | None, *, s3: bool) -> int | None:
    if text is None:
        return None
    fault = faults.s3_query if s3 else faults.incomplete
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise fault(faults.EXPIRES_NUMBER)
    seconds = int(text)
    if seconds < 0:
        raise fault(faults.EXPIRES_NEGATIVE)
    if seconds > WEEK:
        raise fault(faults.EXPIRES_WEEK)
    return seconds


# --- What both forms share ------------------------------------------------------------------------------------------


def parse_algorithm(text: str, *, place: Place, s3: bool) -> Algorithm:
    """One of the two algorithms. Raises CommonError on another."""
    if text in {HMAC, ECDSA}:
        return cast("Algorithm", text)
    if not s3:
        raise faults.unknown_algorithm(text)
    if place != "header":
        raise faults.s3_query(faults.S3_ALGORITHM) if place == "query" else faults.s3_argument(faults.S3_ALGORITHM)
    raise faults.s3_unsupported()


def parse_instant(stamp: str, *, s3: bool, place: Place = "header") -> tuple[float, str]:
    """Seconds since the epoch, and the text as signed. Raises CommonError on anything but the basic form of ISO 8601."""
    try:
        return parse_stamp(stamp), stamp
    except ValueError:
        raise _bad_date(stamp, place=place, s3=s3) from None


def _bad_date(text: str, *, place: Place, s3: bool) -> CommonError:
    if not s3:
        return faults.date_format(text)
    if place == "header":
        return faults.s3_denied(faults.S3_NO_DATE)
    return faults.s3_query(faults.S3_LONG_DATE) if place == "query" else faults.s3_argument(faults.S3_FORM_DATE)


def _credential_shape(credential: str, *, place: Place, s3: bool) -> CommonError:
    if s3:
        return faults.s3_credential_shape(place)
    return faults.incomplete(
        f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
    )


def _check_scope(scope: _Scope, terminator: str, stamp: str, *, algorithm: str, place: Place) -> None:
    """The common front end names every fault of a scope at once."""
    said = []
    if algorithm == HMAC and not _NAME(scope.region):
        said.append("Credential should be scoped to a valid region.")
    if not _NAME(scope.service):
        said.append("Credential should be scoped to correct service.")
    if terminator != TERMINATOR:
        said.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.")
    if scope.date != stamp[:8]:
        said.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.date}' != '{stamp[:8]}', from '{stamp}'."
        )
    if said:
        raise faults.scope(" ".join(said))
    if not _KEY_ID(scope.key_id):
        raise _credential_shape("/".join((*scope, terminator)), place=place, s3=False)


def _check_s3_scope(scope: _Scope, terminator: str, stamp: str, *, algorithm: str, place: Place) -> None:
    detail = None
    if not _KEY_ID(scope.key_id):
        detail = "a non-empty Access Key (AKID) must be provided in the credential."
    elif algorithm == HMAC and not scope.region:
        detail = "a non-empty region must be provided in the credential."
    elif not _DAY(scope.date):
        detail = f'incorrect date format "{scope.date}". This date in the credential must be in the format "yyyyMMdd".'
    elif not rules_of(scope.service).s3:
        detail = f'incorrect service "{scope.service}". This endpoint belongs to "s3".'
    elif terminator != TERMINATOR:
        detail = f'incorrect terminal "{terminator}". This endpoint uses "{TERMINATOR}".'
    elif scope.date != stamp[:8]:
        detail = f'Invalid credential date "{scope.date}". This date is not the same as X-Amz-Date: "{stamp[:8]}".'
    elif algorithm == HMAC and not _NAME(scope.region):
        raise faults.s3_credential_shape(place)
    if detail:
        raise faults.s3_credential(detail, place)


def _signed_headers(text: str, *, place: Place, s3: bool) -> tuple[str, ...]:
    names = _header_names(text)
    if names:
        return names
    if not s3:
        raise faults.incomplete(faults.SIGNED_HEADERS)
    if place == "query":
        raise faults.s3_query(faults.S3_QUERY_SIGNED_HEADERS)
    raise faults.s3_header(faults.S3_SIGNED_HEADERS)


@lru_cache(maxsize=1024)
def _header_names(text: str) -> tuple[str, ...]:
    """The names in lower case and sorted; none where the list is malformed or has one twice."""
    names = text.lower().split(";")
    return tuple(sorted(names)) if _HEADER_NAMES(text) and len(set(names)) == len(names) <= 200 else ()


def _regions(text: str, *, s3: bool) -> tuple[str, ...]:
    regions = tuple(region.strip() for region in text.split(","))
    if not all(_REGION(region) for region in regions) or len(regions) > 100:
        message = "X-Amz-Region-Set must name the regions that the signature is for"
        raise faults.s3_request(message) if s3 else faults.incomplete(message)
    return regions


def _sole(regions: tuple[str, ...]) -> str:
    return regions[0] if len(regions) == 1 and not regions[0].endswith("*") else ""


def _two_headers(*, s3: bool) -> CommonError:
    message = "Only one Authorization header may be sent."
    return faults.s3_argument(message) if s3 else faults.incomplete(message)


def _two_mechanisms(*, s3: bool) -> CommonError:
    if s3:
        return faults.s3_argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
            "the Authorization header should be specified"
        )
    return faults.scope("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")


def _speaks_s3(request: Request, service: str | None, credential: str = "") -> bool:
    """Whether S3's texts are the right ones: by the endpoint, else by the scope, else by what only other services send."""
    if service is not None:
        return rules_of(service).s3
    scoped = _SCOPED(credential)
    if scoped:
        return rules_of(scoped[1]).s3
    kind = request.header("content-type")
    return not (
        request.header("x-amz-target")
        or kind.startswith(("application/x-www-form-urlencoded", "application/x-amz-json", "application/cbor"))
        or "Action=" in request.query
        or request.path in {"", "/"}
    )
