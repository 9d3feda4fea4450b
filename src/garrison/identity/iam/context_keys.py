"""GetContextKeysForCustomPolicy and …ForPrincipalPolicy: which condition keys a simulation has to be given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from garrison.api import iam as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.identity.iam.sources import identity_sources, source_owner, source_target
from garrison.identity.iam.targets import anything
from garrison.policy import Document, MalformedPolicy, parse_policy

_VARIABLE = re.compile(r"\$\{([^{}$*?,][^{},]*)")
"""The key of ``${aws:username}`` and of ``${aws:PrincipalTag/team, 'none'}``; ``${*}``, ``${?}`` and ``${$}`` name none."""


@operation("iam", resource=anything, read=True)
def get_context_keys_for_custom_policy(
    _ctx: Context, req: api.GetContextKeysForCustomPolicyRequest
) -> api.GetContextKeysForPolicyResponse:
    """The keys that the given policies read. Raises InvalidInput on a policy that AWS would refuse."""
    return api.GetContextKeysForPolicyResponse(context_key_names=_names(req.policy_input_list))


@operation("iam", resource=source_target, read=True)
def get_context_keys_for_principal_policy(
    ctx: Context, req: api.GetContextKeysForPrincipalPolicyRequest
) -> api.GetContextKeysForPolicyResponse:
    """The keys that an identity's policies, and the given ones, read. Raises NoSuchEntity, InvalidInput."""
    own = [source.text for source in identity_sources(ctx, source_owner(ctx, req.policy_source_arn))]
    return api.GetContextKeysForPolicyResponse(context_key_names=_names([*own, *(req.policy_input_list or [])]))


def _names(texts: Iterable[str]) -> list[str]:
    """Each key once regardless of case, as it is first written."""
    found: dict[str, str] = {}
    for text in texts:
        for key in keys_of(_parsed(text)):
            found.setdefault(key.lower(), key)
    return list(found.values())


def keys_of(document: Document) -> Iterator[str]:
    """The keys that a document's conditions and policy variables read."""
    for statement in document.statements:
        places = list(statement.resources or ())
        for condition in statement.conditions:
            yield condition.key
            places += condition.values
        if document.has_variables:
            for place in places:
                yield from (name.strip() for name in _VARIABLE.findall(place))


def _parsed(text: str) -> Document:
    try:
        return parse_policy(text, "identity")
    except MalformedPolicy as error:
        raise api.InvalidInputException(error.reason) from error
