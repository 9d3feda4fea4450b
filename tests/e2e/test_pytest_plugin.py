"""The plugin as its users have it: tests of their own, run by pytest in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import clean_environment, group_lives

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]
READ = '{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}'


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run these tests; the machine's own AWS settings lead nowhere."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GARRISON_")):
            monkeypatch.delenv(name)
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", source)

    def tests(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return tests


def test_clients_may_do_what_their_policy_says(run: Run):
    run(f"""
        import pytest
        from botocore.exceptions import ClientError

        def test_policy(garrison):
            key = garrison.admin.client("kms").create_key()["KeyMetadata"]["Arn"]
            kms = garrison.client("kms", policy={{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key}})
            with garrison.allowed("kms:Encrypt", resource=key) as yes:
                blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            assert [call.name for call in yes.calls] == ["kms:Encrypt"]
            with garrison.denied("kms:Decrypt", resource=key, by="identity") as no:
                kms.decrypt(CiphertextBlob=blob)
            assert no.error.response["Error"]["Code"] == "AccessDeniedException"

        def test_no_policy(garrison):
            with garrison.denied("iam:ListUsers"):
                garrison.client("iam").list_users()

        def test_forms_of_policies(garrison, tmp_path):
            file = tmp_path / "p.json"
            file.write_text('{{"Version": "2012-10-17", "Statement": [{READ}]}}')
            whole = {{"Version": "2012-10-17", "Statement": [{READ}]}}
            long = {{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": ["*"] + ["arn:aws:iam::123456789012:user/" + "x" * 50] * 40}}
            for policy in (file, whole, file.read_text(), {READ}, [{READ}, whole], "arn:aws:iam::aws:policy/IAMReadOnlyAccess", long):
                garrison.client("iam", policy=policy).list_users()
            for policy in (7, {{}}, {{"Action": "x"}}, [7]):
                with pytest.raises(TypeError, match="a policy is a document"):
                    garrison.user(policy)
            with pytest.raises(ClientError, match="MalformedPolicyDocument"):
                garrison.user({{"Effect": "Allow", "Action": "x", "Resource": "*"}})

        def test_boundaries_and_tags(garrison):
            everything = {{"Effect": "Allow", "Action": "*", "Resource": "*"}}
            with garrison.denied(by="boundary"):
                garrison.user(everything, boundary={READ}).client("iam").list_roles()
            tagged = {{**everything, "Condition": {{"StringEquals": {{"aws:PrincipalTag/team": "blue"}}}}}}
            garrison.user(tagged, tags={{"team": "blue"}}).client("iam").list_roles()
            with garrison.denied():
                garrison.user(tagged, tags={{"team": "red"}}).client("iam").list_roles()

        def test_roles(garrison):
            session = garrison.assume(policy={READ})
            assert session.client("sts").get_caller_identity()["Arn"] == session.arn
            session.client("iam").list_users()
            role = garrison.role({{"Effect": "Allow", "Action": "*", "Resource": "*"}})
            with garrison.denied(by="session"):
                garrison.assume(role, policy={READ}).client("iam").list_roles()
            garrison.assume(role, policy="arn:aws:iam::aws:policy/IAMReadOnlyAccess").client("iam").list_roles()
            with garrison.denied("sts:AssumeRole", resource=role):
                garrison.assume(role, by=garrison.user())

        def test_root(garrison):
            assert garrison.root.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{{garrison.account}}:root"
            assert "secret" not in repr(garrison.admin)

        def test_resources(garrison):
            with garrison.denied("iam:GetUser"):
                garrison.resource("iam", policy={READ}).User("admin").load()
            garrison.admin.resource("iam").User("admin").load()
    """).assert_outcomes(passed=7)


def test_each_test_begins_anew(run: Run):
    run("""
        import pytest

        @pytest.mark.parametrize("time", range(3))
        def test_it(garrison, time):
            names = [user["UserName"] for user in garrison.admin.client("iam").list_users()["Users"]]
            assert names == ["admin"]
            assert garrison.user().arn.endswith(":user/user-1")
            assert len(list(garrison.calls())) == 0
    """).assert_outcomes(passed=3)


def test_without_resets_state_stays(run: Run, pytester: pytest.Pytester):
    pytester.makeini("[pytest]\ngarrison_reset = never\ngarrison_options = --account 111122223333")
    run("""
        def test_one(garrison):
            garrison.user(name="ann")
            assert garrison.account == "111122223333"

        def test_two(garrison):
            garrison.admin.client("iam").get_user(UserName="ann")
            garrison.reset()
            assert len(garrison.admin.client("iam").list_users()["Users"]) == 1
            garrison.user(name="ann")
    """).assert_outcomes(passed=2)


def test_an_expectation_that_is_not_met_tells_the_decision(run: Run):
    done = run("""
        import pytest

        def test_allowed_after_all(garrison):
            with garrison.denied("iam:ListUsers"):
                garrison.admin.client("iam").list_users()

        def test_denied_after_all(garrison):
            with garrison.allowed():
                garrison.client("iam").list_users()

        def test_swallowed(garrison):
            with garrison.allowed():
                garrison.admin.client("iam").list_users()
                with pytest.raises(Exception):
                    garrison.client("iam").list_roles()

        def test_no_call(garrison):
            with garrison.allowed():
                pass

        def test_another_action(garrison):
            with garrison.denied("iam:ListRoles"):
                garrison.client("iam").list_users()

        def test_denied_by_another(garrison):
            with garrison.denied(by="boundary"):
                garrison.client("iam").list_users()

        def test_no_denial_at_all(garrison):
            with garrison.denied():
                garrison.admin.client("iam").get_user(UserName="nobody")

        def test_another_error_goes_on(garrison):
            with garrison.allowed():
                garrison.admin.client("iam").get_user(UserName="nobody")

        def test_own_errors_go_on(garrison):
            with garrison.denied():
                raise ZeroDivisionError
    """)
    done.assert_outcomes(failed=9)
    done.stdout.fnmatch_lines_random(
        [
            "a call of iam:ListUsers was expected to be denied, and none was",
            "  ALLOWED, decided by identity-based policies",
            "a call was expected to be allowed, and iam:ListUsers was denied",
            "  DENIED: nothing allows it, decided by identity-based policies",
            "a call was expected to be allowed, and iam:ListRoles was denied",
            "a call was expected to be allowed, and no such call was made",
            "a call of iam:ListRoles was expected to be denied, and none was",
            "a call was expected to be denied by boundary, and none was",
            "a call was expected to be denied; the answer was NoSuchEntity, which no policy decided: *",
            "*NoSuchEntityException: *",
            "*ZeroDivisionError*",
        ]
    )


def test_a_failure_shows_what_was_refused(run: Run):
    done = run("""
        def test_it(garrison):
            garrison.client("iam").list_users()

        def test_other(garrison):
            assert False
    """)
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        ["*calls that garrison refused*", "*DENIED: nothing allows it*", "*calls that garrison refused*", "none"]
    )


def test_code_that_makes_its_own_clients(run: Run):
    run(f"""
        import os
        import subprocess
        import sys
        import boto3
        import pytest

        def test_it(garrison, garrison_env, monkeypatch):
            boto3.setup_default_session(region_name="eu-west-1")
            monkeypatch.setenv("AWS_PROFILE", "production")
            monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
            who = garrison_env(garrison.user({READ}))
            assert boto3.client("sts").get_caller_identity()["Arn"] == who.arn
            with garrison.allowed("iam:ListUsers"):
                boto3.client("iam").list_users()
            with garrison.denied("iam:ListRoles"):
                boto3.client("iam").list_roles()
            code = "import boto3; boto3.client('iam').list_roles()"
            with garrison.denied("iam:ListRoles"):
                assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode
            garrison_env(garrison.assume(policy={READ}))
            assert ":assumed-role/" in boto3.client("sts").get_caller_identity()["Arn"]

        def test_afterwards():
            assert "AWS_ENDPOINT_URL" not in os.environ
    """).assert_outcomes(passed=2)


def test_a_server_that_is_gone_is_said_and_started_again(run: Run):
    done = run("""
        import os
        import signal
        import pytest

        def test_kill(garrison, garrison_server):
            os.killpg(garrison_server._process.pid, signal.SIGKILL)
            garrison_server._process.wait()
            with garrison.denied():
                pass

        def test_next(garrison):
            garrison.admin.client("iam").list_users()
    """)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*ServerError: the server does not answer*"])


def test_a_server_that_does_not_start_says_why(run: Run, pytester: pytest.Pytester):
    pytester.makeini("[pytest]\ngarrison_options = --account none")
    done = run("def test_it(garrison): pass")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*ServerError: the server ended while it started*", "*account*"])


def test_a_setting_that_is_none(run: Run, pytester: pytest.Pytester):
    pytester.makeini("[pytest]\ngarrison_reset = sometimes")
    done = run("def test_it(garrison): pass")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: garrison_reset is `sometimes`; must be `test` or `never`"])


def test_workers_of_xdist_have_a_server_each(run: Run):
    run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_it(garrison, number):
            iam = garrison.admin.client("iam")
            garrison.user(name="mine")
            assert len(iam.list_users()["Users"]) == 2
        """,
        "-n2",
    ).assert_outcomes(passed=8)


def test_nothing_starts_for_tests_that_do_not_ask(run: Run):
    run("""
        import sys

        def test_it():
            assert not [name for name in sys.modules if name.startswith("garrison.") and name != "garrison.pytest_plugin"]
            assert "boto3" not in sys.modules
    """).assert_outcomes(passed=1)


def test_the_server_ends_with_the_tests_however_they_end(tmp_path: Path):
    code = "from garrison.testing import Server; import time; s = Server().start(); print(s._process.pid, flush=True); time.sleep(600)"
    environment = clean_environment({"PYTHONPATH": str(Path(__file__).parents[2] / "src")})
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True) as tests:
        assert tests.stdout is not None
        group = int(tests.stdout.readline())
        assert group_lives(group)
        tests.send_signal(signal.SIGKILL)
        tests.wait()
    deadline = time.monotonic() + 30
    while group_lives(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_lives(group)
