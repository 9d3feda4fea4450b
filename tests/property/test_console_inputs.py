"""Whatever a stranger sends to the pages and to the token endpoint is answered or refused, and never fails inside."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from garrison.core.http import Request
from tests.support.inprocess import HOST, InProcess

PATHS = (
    "/_console/",
    "/_console/sign-in",
    "/_console/sign-in/root",
    "/_console/sign-in/code",
    "/_console/sign-in/passkey",
    "/_console/sign-in/password",
    "/_console/sign-out",
    "/_console/switch-role",
    "/_console/mfa/key",
    "/_console/federation",
    "/_console/saml",
    "/saml",
    "/saml/acs/SAMLAAAAAAAAAAAAAAAA",
    "/_console/sessions",
    "/v1/authorize",
    "/v1/sessions/confirmation",
    "/federation",
    "/v1/token",
)
NAMES = (
    "Action",
    "Session",
    "SigninToken",
    "SAMLResponse",
    "RelayState",
    "response",
    "choice",
    "path",
    "Destination",
    "Issuer",
    "SessionDuration",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "response_type",
    "scope",
    "dpop_jkt",
    "next",
    "account",
    "csrf",
    "step",
    "serial",
    "code",
    "credential",
    "email",
    "user",
    "token",
    "id",
    "role",
    "old",
    "new",
    "repeated",
)  # fmt: skip - a list of words
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["getSigninToken", "login", "logout", "code", "openid", "SHA-256", "http://127.0.0.1:1/", "00", "{}", "//x", "\\"]
    ),
)
FORM = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)


@pytest.fixture(scope="module")
def process() -> Iterator[InProcess]:
    made = InProcess()
    yield made
    made.close()


def encoded(fields: list[tuple[str, str]]) -> str:
    return urlencode(fields, errors="surrogatepass")


def answered(process: InProcess, request: Request) -> None:
    answer = process.send(request)
    assert answer.status < 500, (request, answer.body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    path=st.sampled_from(PATHS),
    query=FORM,
    form=st.one_of(FORM.map(lambda fields: encoded(fields).encode()), st.binary(max_size=200)),
    cookie=HEADER,
    proof=HEADER,
    kind=st.sampled_from(["application/x-www-form-urlencoded", "application/json", "", "text/plain"]),
)
def test_nothing_fails_inside(
    process: InProcess,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    form: bytes,
    cookie: str,
    proof: str,
    kind: str,
):
    jar = f"garrison-session={cookie}; garrison-visitor={cookie}"
    headers = [("host", HOST), ("cookie", jar), ("content-type", kind), ("dpop", proof)]
    answered(process, Request(method, path, encoded(query), headers, form))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host=HEADER, query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=80))
def test_no_name_of_the_host_and_no_query_does(process: InProcess, host: str, query: str):
    for path in ("/_console/sign-in", "/v1/authorize", "/"):
        answered(process, Request("GET", path, query, [("host", host), ("accept", "text/html")]))
