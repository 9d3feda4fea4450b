"""How an operation is declared.

The decorated function is the whole of an operation: on what it acts, which further permissions it needs and
what it does stand in one place. An operation without a declared resource cannot be registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from msgspec import Struct

from garrison.core.context import Context

Keys = Mapping[str, "str | bool | float | int | bytes | Sequence[str]"]
"""Condition keys (``kms:ViaService``, ``aws:RequestTag/team``) and their values; a sequence is multi-valued."""

Auth = Literal["required", "signed", "unsigned"]
"""``required``: authorized by policy. ``signed``: the signature is enough (GetCallerIdentity). ``unsigned``: none at all."""


class Target(Struct, frozen=True):
    """One resource that a call acts on, as authorization sees it."""

    arn: str
    account: str
    """The owner: another than the principal's makes the call cross-account."""
    tags: Mapping[str, str] = {}
    """``aws:ResourceTag/…``"""
    policy: Any = None
    """Its resource-based policy, compiled (``policy.Policy``); None where it has none."""
    policy_decides: bool = False
    """True where an identity policy alone is never enough (KMS key policy, role trust policy)."""
    grants: Any = None
    """Its grants, beside the policy: what allows a request though no policy does (``policy.Grants``); None where it has none."""
    keys: Keys = {}
    """Condition keys of this resource alone."""
    denied_on: str = ""
    """What a denial says instead of ``on resource: <arn>``, where AWS does not name it; without a space before or after."""
    denied_because: str = ""
    """What a denial says after ``because``, where the true reason would tell a stranger whether the resource exists."""
    denied_tersely: bool = False
    """Whether a denial names the action alone, as AWS's do to callers without credentials."""


class Check(Struct, frozen=True):
    """A further permission that a call needs (``iam:PassRole``, ``kms:ReEncryptTo``)."""

    action: str
    target: Target
    keys: Keys = {}


Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = Callable[[Context, Req], Res]
Targets = str | Callable[[Context, Req], "Target | Sequence[Target]"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """An operation as registered."""

    service: str
    """botocore's service name, ``iam``."""
    name: str
    """The function's name, ``create_user``; the wire room binds it to the model's ``CreateUser``."""
    handler: Callable[[Context, Any], Any]
    resource: str | Callable[[Context, Any], Target | Sequence[Target]]
    """``"*"`` where the action knows no resource types; else what the call acts on."""
    action: str | None
    """``iam:CreateUser``; None: the service's prefix and the operation's name."""
    context: Callable[[Context, Any], Keys] | None
    checks: Callable[[Context, Any], Sequence[Check]] | None
    read: bool
    """True where nothing changes: no transaction is opened, and the audit event says readOnly."""
    auth: Auth
    audit_request: Callable[[Any], Mapping[str, Any]] | None
    """requestParameters of the event, where the request itself holds secrets; None: the request, secrets masked by the model."""
    audit_response: bool
    """Whether responseElements are kept (CloudTrail keeps them for writes)."""
    beside: Callable[[Context, Any], bool] | None = None
    """Of a read: whether this call's handler waits for somebody else, or takes long; it runs on a thread beside the loop then."""
    writes: Callable[[Context, Any], bool] | None = None
    """Of a read: whether this call changes state all the same (a code is used up); it runs in a transaction then."""
    prepare: Callable[[Context, Any], Callable[[], Any] | None] | None = None
    """Of a write: what it needs from elsewhere before its transaction, fetched on a thread; in ``scratch[PREPARED]`` then. Of an
    operation that proves who calls: what the proof needs, before it is asked for."""
    proves: Callable[[Context, Any], Any] | None = None
    """Of an unsigned operation whose request proves by itself who calls: the credential that it proves (``identity.Credential``).
    The call is authorized as that caller's then, as any signed one. Raises ServiceError where it proves nothing."""

    @property
    def key(self) -> tuple[str, str]:
        """Service and name folded so that ``get_saml_provider`` meets ``GetSAMLProvider``."""
        return self.service, self.name.replace("_", "").lower()


REGISTRY: dict[tuple[str, str], Declaration] = {}

PREPARED = "prepared"
"""Where in ``Context.scratch`` a handler finds what its ``prepare`` brought."""


def operation(  # noqa: PLR0913 - a declaration has many parts, each by name
    service: str,
    *,
    resource: str | Callable[[Context, Req], Target | Sequence[Target]],
    action: str | None = None,
    context: Callable[[Context, Req], Keys] | None = None,
    checks: Callable[[Context, Req], Sequence[Check]] | None = None,
    read: bool = False,
    auth: Auth = "required",
    audit_request: Callable[[Req], Mapping[str, Any]] | None = None,
    audit_response: bool | None = None,
    beside: Callable[[Context, Req], bool] | None = None,
    writes: Callable[[Context, Req], bool] | None = None,
    prepare: Callable[[Context, Req], Callable[[], Any] | None] | None = None,
    proves: Callable[[Context, Req], Any] | None = None,
) -> Callable[[Handler[Req, Res]], Handler[Req, Res]]:
    """Register a handler. Raises ValueError on an empty resource or a second handler of the same name.

    ``beside`` and ``prepare`` are asked after authorization, ``prepare`` before it where ``proves`` needs it. What runs beside
    the loop may neither read nor write the store, nor what other calls share: it works with what the declaration looked up.
    """
    if not resource:
        msg = "an operation needs a declared resource"
        raise ValueError(msg)
    if (beside is not None and not read) or (prepare is not None and read and proves is None):
        msg = "reads run beside the loop, writes are prepared there"
        raise ValueError(msg)
    if proves is not None and auth != "unsigned":
        msg = "a signature proves who calls already"
        raise ValueError(msg)
    if writes is not None and (not read or beside is not None):
        msg = "only a read that runs on the loop may say when it writes"
        raise ValueError(msg)

    def register(handler: Handler[Req, Res]) -> Handler[Req, Res]:
        declaration = Declaration(
            service=service,
            name=handler.__name__,
            handler=handler,
            resource=resource,
            action=action,
            context=context,
            checks=checks,
            read=read,
            auth=auth,
            audit_request=audit_request,
            audit_response=not read if audit_response is None else audit_response,
            beside=beside,
            writes=writes,
            prepare=prepare,
            proves=proves,
        )
        if declaration.key in REGISTRY:
            msg = f"two handlers for {service}:{handler.__name__}"
            raise ValueError(msg)
        REGISTRY[declaration.key] = declaration
        return handler

    return register
