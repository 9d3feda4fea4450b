"""Temporary delegation over a running server: the command admits, the background delivers, boto3 asks, accepts and trades."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from garrison.identity.delegation import partners
from tests.support.clients import boto
from tests.support.delegation import DOMAIN, PARTNER, TOPIC, registration
from tests.support.server import AccessKey, Server

WAIT = 60.0
Told = queue.Queue[tuple[str, bytes]]


@contextmanager
def partners_end() -> Iterator[tuple[str, Told]]:
    """A partner's URL, and what comes there: signature and body. It fails at the first message."""
    told: Told = queue.Queue()
    failing = iter([503])

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = next(failing, 200)
            if status == 200:
                told.put((self.headers["X-Garrison-Signature"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_partner_is_admitted_told_and_ended(fresh_server: Server, tmp_path: Path):
    made = json.loads(fresh_server.garrison("account", "create", "partner", "--id", PARTNER).stdout)
    partner = AccessKey(made["admin"]["access_key_id"], made["admin"]["secret_access_key"])
    file = tmp_path / "partner.json"
    with partners_end() as (url, told):
        file.write_bytes(registration(topics={TOPIC: {"url": url}}))
        secret = json.loads(fresh_server.garrison("delegation", "register", str(file)).stdout)["secrets"][TOPIC]
        request = boto(fresh_server, "iam", partner).create_delegation_request(
            OwnerAccountId=fresh_server.account_id,
            Description="to set up",
            Permissions={"PolicyTemplateArn": partners.template_arn(DOMAIN, "Whole_20260101")},
            RequestorWorkflowId="workflow-1",
            NotificationChannel=TOPIC,
            SessionDuration=900,
        )["DelegationRequestId"]
        iam = boto(fresh_server, "iam")
        for step in (iam.associate_delegation_request, iam.accept_delegation_request, iam.send_delegation_token):
            step(DelegationRequestId=request)
        messages = []
        for _ in range(4):
            signature, body = told.get(timeout=WAIT)
            at, made_of = (part.split("=")[1] for part in signature.split(","))
            assert hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() == made_of
            messages.append(json.loads(json.loads(body)["Message"]))
    assert [each["State"] for each in messages] == ["ASSIGNED", "ACCEPTED", "FINALIZED", "FINALIZED"]
    token = messages[-1]["ExchangeToken"]
    found = boto(fresh_server, "sts", partner).get_delegated_access_token(TradeInToken=token)["Credentials"]
    delegated = boto(fresh_server, "iam", AccessKey(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]))
    assert delegated.list_users()["Users"]
    fresh_server.garrison("delegation", "revoke", request)
    for _ in range(10):  # whichever worker answers
        with pytest.raises(ClientError) as caught:
            delegated.list_users()
        assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    log = fresh_server.log_tail(100_000)
    for hidden in (token, secret, found["SecretAccessKey"]):
        assert hidden not in log
