"""The last net for secrets in events.

Request members are masked by their model's traits before they come here; this list catches what slipped through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What CloudTrail writes in the place of a secret."""

SECRETS = frozenset(
    {
        "password",
        "oldpassword",
        "newpassword",
        "masterpassword",
        "masteruserpassword",
        "servicepassword",
        "secretaccesskey",
        "sessiontoken",
        "securitytoken",
        "accesstoken",
        "refreshtoken",
        "clientsecret",
        "secret",
        "secretkey",
        "secretstring",
        "secretbinary",
        "sharedsecret",
        "plaintext",
        "plaintextblob",
        "privatekey",
        "privatekeyplaintext",
        "keymaterial",
        "base32stringseed",
        "qrcodepng",
        "authenticationcode1",
        "authenticationcode2",
        "tokencode",
        "mfacode",
        "webidentitytoken",
        "samlassertion",
        "signintoken",
        "sseckey",
        "ssecustomerkey",
        "copysourcessecustomerkey",
    }
)
"""Member names in lower case, without underscores and dashes."""

_DEPTH = 64


def is_secret(name: str) -> bool:
    """Whether a member of this name holds a secret, in any of the protocols' spellings."""
    return name.lower().replace("_", "").replace("-", "") in SECRETS


def masked(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members with every secret hidden, at any depth; the same object where there was none."""
    changed: dict[str, Any] | None = None
    for name, value in members.items():
        kept = HIDDEN if value is not None and is_secret(name) else _masked_value(value, 0)
        if kept is not value:
            changed = changed if changed is not None else dict(members)
            changed[name] = kept
    return members if changed is None else changed


def _masked_value(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON values
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth > _DEPTH:
        return HIDDEN
    if isinstance(value, Mapping):
        kept = {
            name: HIDDEN if item is not None and is_secret(str(name)) else _masked_value(item, depth + 1)
            for name, item in value.items()
        }
        return value if all(kept[name] is item for name, item in value.items()) else kept
    items = [_masked_value(item, depth + 1) for item in value]
    return value if all(new is old for new, old in zip(items, value, strict=True)) else items


def scrubbed(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """The value with every half of a surrogate pair replaced by ``?``, so that it can be written as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {scrubbed(name): scrubbed(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(item) for item in value]
    return value
