"""The commands beside a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clients import boto, new_user
from tests.support.server import Server, ServerError, clean_environment, group_lives


def request_id_of(call: Any, **arguments: Any) -> str:
    try:
        found = call(**arguments)["ResponseMetadata"]["RequestId"]
    except ClientError as error:
        found = error.response["ResponseMetadata"]["RequestId"]
    return str(found)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def serve_once(tmp_path: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``garrison serve`` that is expected to end by itself."""
    line = [*Server(tmp_path).program, "serve", "--data-dir", str(tmp_path / "data"), *arguments]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=60, env=clean_environment(environment), cwd=tmp_path
    )


def processes_of(server: Server) -> list[int]:
    """The children of the supervisor, oldest first: the workers, then the background process."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="utf-8")
    return sorted(map(int, children.split()))


def until(what: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


# Starting


def test_a_misspelt_setting_stops_the_start(tmp_path: Path):
    done = serve_once(tmp_path, environment={"GARRISON_ENFORCE": "no"})
    assert (done.returncode, done.stderr) == (2, "garrison: unknown variable `GARRISON_ENFORCE`\n")
    assert not (tmp_path / "data").exists()


def test_a_taken_port_is_said_and_costs_nothing(server: Server, tmp_path: Path):
    done = serve_once(tmp_path, "--port", str(server.port))
    assert done.returncode == 1
    assert done.stderr == f"garrison: cannot listen on 127.0.0.1:{server.port}: Address already in use\n"
    assert not (tmp_path / "data").exists(), "the secrets of a first start are not lost to a port that was taken"


def test_a_credentials_file_that_cannot_be_written_stops_the_first_start(tmp_path: Path):
    done = serve_once(tmp_path, "--port", "0", "--credentials-file", str(tmp_path / "nowhere" / "file"))
    assert done.returncode == 1
    assert "credentials file" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_certificate_that_does_not_fit_stops_the_start(tmp_path: Path):
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_text("nothing\n", encoding="utf-8")
    done = serve_once(tmp_path, "--port", "0", "--tls-cert", "chain.pem", "--tls-key", "key.pem")
    assert done.returncode == 1
    assert "chain.pem` cannot be used" in done.stderr


def test_one_server_a_data_directory(fresh_server: Server, tmp_path: Path):
    line = [*fresh_server.program, "serve", "--data-dir", str(fresh_server.data_dir), "--port", "0"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, env=clean_environment())
    assert done.returncode == 1
    assert done.stderr == f"garrison: another `garrison serve` runs on {fresh_server.data_dir}\n"


def test_an_account_that_is_not_the_stored_one_is_refused(fresh_server: Server):
    fresh_server.stop()
    fresh_server.account = "999999999999"
    with pytest.raises(ServerError, match=f"belongs to account {fresh_server.account_id}, not 999999999999"):
        fresh_server.start()


def test_a_lost_root_key_of_a_database_server_is_not_replaced(new_server: Any, postgres_url: str):
    server = new_server(store=postgres_url).start()
    server.stop()
    key = server.data_dir.with_name("data.root-key")
    key.rename(key.with_suffix(".kept"))
    with pytest.raises(ServerError, match=r"root key .* is missing"):
        server.start()
    assert not key.exists(), "no useless key is left in its place"
    assert server.garrison("account", "list", check=False).returncode == 1
    assert not key.exists()
    key.with_suffix(".kept").rename(key)
    server.start()
    assert boto(server, "sts").get_caller_identity()["Account"] == server.account_id


# Processes


def test_two_workers_agree_on_the_next_request(new_server: Any):
    server = new_server(workers=2).start()
    admin = boto(server, "iam")
    key = new_user(server, "both")
    for round_number in range(15):
        # Each call on a connection of its own, so that either worker may take it.
        document = json.dumps(policy({"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}))
        admin.put_user_policy(UserName="both", PolicyName="p", PolicyDocument=document)
        assert boto(server, "iam", key).list_users()["Users"], round_number
        admin.delete_user_policy(UserName="both", PolicyName="p")
        with pytest.raises(ClientError, match="AccessDenied"):
            boto(server, "iam", key).list_users()


def test_a_killed_worker_is_started_again_and_nothing_is_lost(new_server: Any):
    server = new_server(workers=2).start()
    before = processes_of(server)
    assert len(before) == 3
    acknowledged = [request_id_of(boto(server, "iam").create_user, UserName=f"u{number}") for number in range(8)]
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(processes_of(server)) == 3 and before[0] not in processes_of(server))
    names = {user["UserName"] for user in boto(server, "iam").list_users()["Users"]}
    assert {f"u{number}" for number in range(8)} <= names
    for request_id in acknowledged:
        assert "iam:CreateUser" in server.garrison("explain", request_id).stdout
    assert '"a process ended and is started again"' in server.log()
    assert server.garrison("audit", "verify", check=False).returncode == 0


def test_workers_end_with_their_supervisor(new_server: Any):
    server = new_server(workers=2).start()
    assert server.process is not None
    group, process = server.process.pid, server.process
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    until(lambda: not group_lives(group))
    server.process = None
    server.start()
    assert server.garrison("audit", "verify", check=False).returncode == 0


def test_sigterm_ends_cleanly_and_closes_every_chain(new_server: Any):
    server = new_server(workers=2).start()
    boto(server, "iam").create_user(UserName="one")
    process = server.process
    assert process is not None
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    server.process = None
    left = [path.name for path in (server.data_dir / "audit").iterdir() if path.name.startswith(("head-", "spool-"))]
    assert left == [], "nothing waits to be taken over"
    assert "Traceback" not in server.log()
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert {"serving", "stopped"} <= {line["event"] for line in lines}


def test_sigterm_ends_a_server_in_memory_cleanly(new_server: Any):
    server = new_server(dev=True).start()
    process = server.process
    assert process is not None
    process.terminate()
    assert process.wait(30) == 0
    server.process = None
    assert "Traceback" not in server.log()


def test_a_connection_that_stays_open_does_not_keep_the_server(fresh_server: Server):
    with socket.create_connection(("127.0.0.1", fresh_server.port)) as idle:
        idle.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        process = fresh_server.process
        assert process is not None
        process.terminate()
        assert process.wait(30) == 0
        fresh_server.process = None


# Explaining


def test_an_explicit_deny_is_explained_with_its_source(server: Server):
    deny = {"Sid": "NoListing", "Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}
    elsewhere = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/elsewhere/*"}
    key = new_user(server, "explained-deny", policy(elsewhere, deny))
    told = server.garrison("explain", request_id_of(boto(server, "iam", key).list_users)).stdout
    assert f"arn:aws:iam::{server.account_id}:user/explained-deny" in told
    assert "answered AccessDenied: User: arn:aws:iam::" in told
    assert "DENIED by an explicit deny, decided by identity-based policies" in told
    assert "decided by  Deny statement 2 (NoListing) of p0 (inline, user explained-deny)" in told
    assert json.dumps(deny) in told
    assert "Allow statement 1: speaks of other resources" in told


def test_an_implicit_deny_says_why_each_statement_did_not_apply(server: Server):
    key = new_user(
        server,
        "explained-implicit",
        policy(
            {
                "Sid": "FromThere",
                "Effect": "Allow",
                "Action": "iam:ListUsers",
                "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
            },
            {
                "Sid": "Tagged",
                "Effect": "Allow",
                "Action": "iam:List*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
            },
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        ),
    )
    told = server.garrison("explain", request_id_of(boto(server, "iam", key).list_users)).stdout
    assert "DENIED: nothing allows it" in told
    assert 'Allow statement 1 (FromThere): IpAddress aws:SourceIp wants "192.0.2.0/24", the request has "127.0.0.1"' in told
    assert 'Allow statement 2 (Tagged): StringEquals aws:PrincipalTag/team wants "blue", the request has none' in told
    assert "1 more statement speaks of other actions" in told


def test_an_allowed_call_names_the_managed_policy(server: Server):
    told = server.garrison("explain", request_id_of(boto(server, "iam").list_users)).stdout
    assert "ALLOWED, decided by identity-based policies" in told
    assert "decided by  Allow statement 1 of arn:aws:iam::aws:policy/AdministratorAccess" in told


def test_a_key_policy_is_looked_at_and_asked_again(server: Server):
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    told = server.garrison("explain", request_id_of(kms.describe_key, KeyId=key)).stdout
    assert "Enable IAM User Permissions" in told
    assert "looked at   key policy\n" in told, "and it is still the one that was asked"


def test_a_policy_that_changed_since_is_said_to_have(server: Server):
    key = new_user(server, "explained-change", policy({"Sid": "Then", "Effect": "Deny", "Action": "iam:*", "Resource": "*"}))
    request_id = request_id_of(boto(server, "iam", key).list_users)
    now = policy({"Sid": "Now", "Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    iam = boto(server, "iam")
    iam.put_user_policy(UserName="explained-change", PolicyName="p0", PolicyDocument=json.dumps(now))
    told = server.garrison("explain", request_id).stdout
    assert "decided by  Deny statement 1 (Then)" in told
    assert "changed since; as it is now" in told
    assert "its text is not shown: the policy is changed" in told
    iam.delete_user_policy(UserName="explained-change", PolicyName="p0")
    assert "(gone since)" in server.garrison("explain", request_id).stdout


def test_every_permission_of_a_call_is_told(server: Server):
    kms = boto(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    told = server.garrison("explain", request_id_of(kms.create_alias, AliasName=f"alias/{key}", TargetKeyId=key)).stdout
    assert f"kms:CreateAlias on arn:aws:kms:us-east-1:{server.account_id}:alias/{key}" in told
    assert f"kms:CreateAlias on arn:aws:kms:us-east-1:{server.account_id}:key/{key}" in told


def test_the_root_user_and_calls_without_a_decision(server: Server):
    root = boto(server, "iam", server.credentials.root)
    assert "decided by the account's root user" in server.garrison("explain", request_id_of(root.list_users)).stdout
    asked = request_id_of(boto(server, "sts").get_caller_identity)
    assert "No policy was asked" in server.garrison("explain", asked).stdout


def test_explain_as_json(server: Server):
    request_id = request_id_of(boto(server, "iam").list_users)
    told = json.loads(server.garrison("explain", request_id, "--json").stdout)
    assert told["event"]["requestID"] == request_id
    assert told["decision"]["outcome"] == "allowed"
    assert told["policies"][0][0]["state"] == "unchanged"
    unknown = server.garrison("explain", "00000000-0000-4000-8000-000000000000", check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no call has the request id" in unknown.stderr


# The trail, the profile, the copies


def test_making_an_account_is_on_record(fresh_server: Server):
    fresh_server.garrison("account", "create", "staging", "--id", "444455556666")
    again = fresh_server.garrison("account", "create", "staging", "--id", "444455556666", check=False)
    assert (again.returncode, again.stderr) == (1, "garrison: account 444455556666 exists already\n")
    bad = fresh_server.garrison("account", "create", "x", "--id", "12", check=False)
    assert bad.returncode == 2
    found = boto(fresh_server, "cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateAccount"}]
    )["Events"]
    assert [event["EventSource"] for event in found] == ["organizations.amazonaws.com"], "of this account alone"
    assert fresh_server.garrison("audit", "verify", check=False).returncode == 0


def test_a_tampered_event_is_found(fresh_server: Server):
    import sqlite3  # noqa: PLC0415 - what an attacker would use

    request_id = request_id_of(boto(fresh_server, "iam").create_user, UserName="victim")
    fresh_server.garrison("explain", request_id)
    fresh_server.stop()
    with sqlite3.connect(fresh_server.data_dir / "garrison.db") as database:
        changed = database.execute(
            "UPDATE audit_event SET record = replace(record, 'victim', 'nobody') WHERE request_id = ?", (request_id,)
        )
        assert changed.rowcount == 1
    database.close()
    done = fresh_server.garrison("audit", "verify", "--json", check=False)
    assert done.returncode == 1
    findings = json.loads(done.stdout)["findings"]
    assert any("altered" in finding for finding in findings)


def test_the_server_tells_the_other_commands_where_it_is(fresh_server: Server, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    fresh_server.environment = {"HOME": str(home)}
    assert fresh_server.endpoint in fresh_server.garrison("status").stdout
    fresh_server.garrison("init", "--yes")
    assert f"endpoint_url = {fresh_server.endpoint}" in (home / ".aws" / "config").read_text(encoding="utf-8")
    well = fresh_server.garrison("doctor", check=False)
    assert well.returncode == 0, well.stdout


def test_init_with_tls_names_the_authority(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    with Server(tmp_path / "tls", options=("--tls",), scheme="https", environment={"HOME": str(home)}) as server:
        server.garrison("init", "--yes")
        assert f"ca_bundle = {server.data_dir / 'tls' / 'ca.pem'}" in (home / ".aws" / "config").read_text(encoding="utf-8")
        well = server.garrison("doctor", check=False)
        assert well.returncode == 0, well.stdout
        request_id = request_id_of(boto(server, "iam", verify=str(server.data_dir / "tls" / "ca.pem")).list_users)
        event = json.loads(server.garrison("explain", request_id, "--json").stdout)["event"]
        assert event["tlsDetails"]["tlsVersion"] == "TLSv1.3"
        assert event["tlsDetails"]["clientProvidedHostHeader"] == f"127.0.0.1:{server.port}"


def test_nothing_is_restored_under_a_running_server(fresh_server: Server, tmp_path: Path):
    fresh_server.garrison("export", str(tmp_path / "state"))
    done = fresh_server.garrison("import", str(tmp_path / "state"), check=False)
    assert done.returncode == 1
    assert "another `garrison serve` runs" in done.stderr
    (tmp_path / "garbage").write_text("{}\n", encoding="utf-8")
    fresh_server.stop()
    done = fresh_server.garrison("import", str(tmp_path / "garbage"), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"garrison: {tmp_path / 'garbage'} was not restored")
    fresh_server.start()
    assert boto(fresh_server, "sts").get_caller_identity()["Account"] == fresh_server.account_id


def test_from_postgresql_to_sqlite(new_server: Any, postgres_url: str, tmp_path: Path):
    server = new_server(store=postgres_url, workers=2).start()
    boto(server, "iam").create_user(UserName="moved")
    server.garrison("backup", str(tmp_path / "state"))
    server.stop()
    server.store = None
    server.garrison("restore", str(tmp_path / "state"))
    server.start()
    assert boto(server, "iam").get_user(UserName="moved")["User"]["UserName"] == "moved"
    assert server.garrison("audit", "verify", check=False).returncode == 0


def test_without_state_the_commands_say_so(tmp_path: Path):
    server = Server(tmp_path / "nothing")
    for command in (("status",), ("explain", "x"), ("init", "--yes"), ("audit", "verify"), ("account", "list")):
        done = server.garrison(*command, check=False)
        assert done.returncode == 1, command
        assert done.stderr.startswith("garrison: "), command
        assert "Traceback" not in done.stderr
    assert not server.data_dir.exists()


# Dev


def post(server: Server, path: str, **headers: str) -> int:
    request = urllib.request.Request(server.endpoint + path, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_reset_forgets_what_was_cached_and_recorded(new_server: Any):
    server = new_server(dev=True).start()
    iam, trail = boto(server, "iam"), boto(server, "cloudtrail")
    (mine,) = iam.list_access_keys(UserName="admin")["AccessKeyMetadata"]
    root = boto(server, "iam", server.credentials.root)
    root.update_access_key(UserName="admin", AccessKeyId=mine["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        iam.list_users()
    assert post(server, "/_garrison/reset", Origin="http://example.com") == 403
    assert post(server, "/_garrison/reset") == 200
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["admin"], "the key works again"
    names = [event["EventName"] for event in trail.lookup_events()["Events"]]
    assert set(names) <= {"ListUsers", "LookupEvents", "CreateAccount"}, "what was done before is not in the trail"
    for _ in range(20):
        iam.create_user(UserName="again")
        assert post(server, "/_garrison/reset") == 200
    assert len(iam.list_users()["Users"]) == 1


def test_no_secret_reaches_the_log(new_server: Any):
    server = new_server(options=("--log-level", "debug")).start()
    key = new_user(server, "logged")
    with pytest.raises(ClientError):
        boto(server, "iam", key).list_users()
    session = boto(server, "sts").get_session_token()["Credentials"]
    kms = boto(server, "kms")
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"marker-in-clear")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"marker-in-clear"
    server.stop()
    log = server.log()
    printed_once = server.credentials.admin.secret_access_key
    assert log.count(printed_once) == 1, "the banner of the first start"
    for secret in (key.secret_access_key, session["SecretAccessKey"], session["SessionToken"], "marker-in-clear"):
        assert secret not in log
    calls = [json.loads(line) for line in log.splitlines() if line.startswith("{") and '"event": "call"' in line]
    denied = [call for call in calls if call["error"] == "AccessDenied"]
    assert [(call["operation"], call["status"]) for call in denied] == [("iam:ListUsers", 403)]
    assert denied[0]["principal"] == f"arn:aws:iam::{server.account_id}:user/logged"
    assert re.fullmatch(r"[0-9a-f-]{36}", denied[0]["request_id"])
