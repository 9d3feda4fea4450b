"""Who a test acts as, and what it may do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]
Policy = Document | str | Path
"""A policy: a document or one statement as a mapping, JSON text, a file of JSON, or the ARN of a managed policy."""
Policies = Policy | Sequence[Policy] | None

_INLINE = 2048
"""Characters that all inline policies of a user may have together; a longer policy becomes a managed one."""
_NOTHING_OF_THE_MACHINE: dict[str, tuple[None, None, str | None, None]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, "", None),
    "credentials_file": (None, None, "", None),
}
"""botocore's variables of a session, without the names of files and environment variables that it would read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Credentials, ready to make clients of."""

    arn: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    endpoint: str
    region: str

    def client(self, service: str, *, region: str | None = None, **more: Any) -> Any:  # noqa: ANN401 - boto3's clients are of any type
        """A boto3 client that signs as this identity. ``more`` goes to boto3."""
        return self.session(region).client(service, **self._reach(more))

    def resource(self, service: str, *, region: str | None = None, **more: Any) -> Any:  # noqa: ANN401 - boto3's resources
        """A boto3 resource that signs as this identity."""
        return self.session(region).resource(service, **self._reach(more))

    def session(self, region: str | None = None) -> Any:  # noqa: ANN401 - boto3.Session
        """A boto3 session with these credentials, that reads no configuration of the machine. Its clients need ``endpoint``."""
        try:
            import boto3  # noqa: PLC0415 - an optional package
            from botocore.session import Session  # noqa: PLC0415
        except ImportError as error:
            msg = "clients need boto3: pip install 'garrison[pytest]'"
            raise ImportError(msg) from error

        core = Session(session_vars=_NOTHING_OF_THE_MACHINE)
        core.register_component("data_loader", _loader())
        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            region_name=region or self.region,
            botocore_session=core,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make AWS's SDKs and tools act as this identity, on this server alone."""
        found = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return found | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})

    def _reach(self, more: dict[str, Any]) -> dict[str, Any]:
        """Where the server is, and no second try: a test wants the first answer."""
        from botocore.config import Config  # noqa: PLC0415 - an optional package

        once = Config(retries={"total_max_attempts": 1})
        given = more.pop("config", None)
        return {"endpoint_url": self.endpoint, "config": once.merge(given) if given else once, **more}


@cache
def _loader() -> Any:  # noqa: ANN401 - botocore's loader
    """The service models, read once for all sessions."""
    from botocore.loaders import create_loader  # noqa: PLC0415 - an optional package

    return create_loader()


def several(policies: Policies) -> list[str]:
    """ARNs and JSON texts. Raises TypeError on what is no policy, OSError where a file cannot be read."""
    if policies is None:
        return []
    if isinstance(policies, Sequence) and not isinstance(policies, str):
        return [_text(policy) for policy in policies]
    return [_text(policies)]


def _text(policy: object) -> str:
    if isinstance(policy, Path):
        return policy.read_text(encoding="utf-8")
    if isinstance(policy, str):
        return policy
    if isinstance(policy, Mapping) and "Statement" in policy:
        return json.dumps(policy)
    if isinstance(policy, Mapping) and "Effect" in policy:
        return json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    msg = f"a policy is a document, a statement, JSON, a Path or an ARN; this is {policy!r}"
    raise TypeError(msg)


def attach(iam: Any, kind: str, name: str, policies: Policies) -> None:  # noqa: ANN401 - a boto3 client
    """Give a user or role (``kind``: ``user``, ``role``) its policies. Raises ClientError where AWS would refuse one."""
    owner = {f"{kind.capitalize()}Name": name}
    room = _INLINE
    for number, text in enumerate(several(policies), 1):
        arn = text if text.startswith("arn:") else ""
        if not arn and len(text) > room:
            arn = iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=text)["Policy"]["Arn"]
        if arn:
            getattr(iam, f"attach_{kind}_policy")(**owner, PolicyArn=arn)
        else:
            room -= len(text)
            getattr(iam, f"put_{kind}_policy")(**owner, PolicyName=f"policy-{number}", PolicyDocument=text)
