"""Reports that a running server's background process makes, as boto3 reads them."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from typing import Any

from tests.support.clients import boto, new_user
from tests.support.server import Server

WAIT = 60.0


def once(ready: Callable[[], Any]) -> Any:
    """What a question answers once it has an answer."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        found = ready()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError


def test_the_credential_report(server: Server):
    iam = boto(server, "iam")
    iam.create_user(UserName="reports-ann", Path="/team/")
    assert iam.generate_credential_report()["State"] in {"STARTED", "INPROGRESS", "COMPLETE"}
    once(lambda: iam.generate_credential_report()["State"] == "COMPLETE")
    found = iam.get_credential_report()
    assert found["ReportFormat"] == "text/csv"
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(found["Content"].decode()))}
    assert rows["reports-ann"]["arn"] == f"arn:aws:iam::{server.account_id}:user/team/reports-ann"
    assert rows["<root_account>"]["access_key_1_active"] == "true"
    iam.delete_user(UserName="reports-ann")


def test_last_access_out_of_what_was_done(server: Server):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*", "iam:Get*"], "Resource": "*"}]}
    key = new_user(server, "reports-bob", policy)
    boto(server, "kms", key).list_keys()
    iam = boto(server, "iam")
    arn = f"arn:aws:iam::{server.account_id}:user/reports-bob"
    job = iam.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]

    def completed() -> Any:
        answer = iam.get_service_last_accessed_details(JobId=job)
        return answer if answer["JobStatus"] == "COMPLETED" else None

    found = {one["ServiceNamespace"]: one for one in once(completed)["ServicesLastAccessed"]}
    assert found["kms"]["LastAuthenticatedEntity"] == arn, "a read, which waits in the worker's spool at first"
    actions = {one["ActionName"]: one for one in found["kms"]["TrackedActionsLastAccessed"]}
    assert "LastAccessedTime" in actions["ListKeys"]
    assert "LastAccessedTime" not in actions["Decrypt"]
    assert "LastAuthenticated" not in found["iam"]
    entities = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="kms")["EntityDetailsList"]
    assert [one["EntityInfo"]["Arn"] for one in entities] == [arn]
