"""Regex pattern sets: regular expressions that rules refer to. Sources: AWS WAF API reference; "AWS WAF quotas"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import operation
from garrison.edge.inspect import InvalidParameter
from garrison.edge.inspect.patterns import check_regex
from garrison.edge.wafv2 import documents, errors, store, tags
from garrison.edge.wafv2.names import checked_scope, found, named, new, request_tags
from garrison.edge.wafv2.pages import Pager

PATTERNS: Final = 10
LENGTH: Final = 200
"""Characters of a pattern in a set."""


def _prepared(_ctx: Context, req: Any) -> Callable[[], dict[str, Any]]:  # noqa: ANN401 - Create or Update
    """Compiling expressions takes its time: they are checked on a thread."""
    return lambda: _checked(req)


@operation("wafv2", resource=new("regexpatternset"), context=request_tags, prepare=_prepared)
def create_regex_pattern_set(ctx: Context, req: api.CreateRegexPatternSetRequest) -> api.CreateRegexPatternSetResponse:
    """Create a regex pattern set, with a name that is free in this scope.

    Raises WAFInvalidParameterException, WAFDuplicateItemException, WAFLimitsExceededException, WAFTagOperationException.
    """
    entity = store.create(ctx, "regexpatternset", req.scope, req.name, documents.of(ctx))
    tags.put(ctx, entity.arn, req.tags)
    store.changed(ctx, entity)
    return api.CreateRegexPatternSetResponse(summary=api.RegexPatternSetSummary(**documents.summary(entity)))


@operation("wafv2", resource=named("regexpatternset"), read=True)
def get_regex_pattern_set(ctx: Context, req: api.GetRegexPatternSetRequest) -> api.GetRegexPatternSetResponse:
    """A regex pattern set. Raises WAFNonexistentItemException."""
    entity = found(ctx, "regexpatternset", req)
    shown = msgspec.convert(dict(entity.document), api.RegexPatternSet)
    return api.GetRegexPatternSetResponse(regex_pattern_set=shown, lock_token=entity.lock_token)


@operation("wafv2", resource=named("regexpatternset"), prepare=_prepared)
def update_regex_pattern_set(ctx: Context, req: api.UpdateRegexPatternSetRequest) -> api.UpdateRegexPatternSetResponse:
    """Put patterns in the place of all that a set has.

    Raises WAFOptimisticLockException, WAFInvalidParameterException, WAFNonexistentItemException, WAFLimitsExceededException.
    """
    entity = found(ctx, "regexpatternset", req)
    store.locked(entity, req.lock_token)
    entity = store.update(ctx, entity, documents.of(ctx))
    store.changed(ctx, entity)
    return api.UpdateRegexPatternSetResponse(next_lock_token=entity.lock_token)


@operation("wafv2", resource=named("regexpatternset"))
def delete_regex_pattern_set(ctx: Context, req: api.DeleteRegexPatternSetRequest) -> api.DeleteRegexPatternSetResponse:
    """Delete a set that no rule refers to. Raises WAFAssociatedItemException, WAFOptimisticLockException."""
    entity = found(ctx, "regexpatternset", req)
    store.locked(entity, req.lock_token)
    store.delete(ctx, entity)
    return api.DeleteRegexPatternSetResponse()


@operation("wafv2", resource="*", read=True)
def list_regex_pattern_sets(ctx: Context, req: api.ListRegexPatternSetsRequest) -> api.ListRegexPatternSetsResponse:
    """The regex pattern sets of a scope, by name."""
    scope = checked_scope(ctx, req.scope)
    pager = Pager(ctx, req, scope)
    page, marker = pager.cut(store.listed(ctx, "regexpatternset", scope, pager.after, pager.limit + 1), lambda each: each.name)
    shown = [api.RegexPatternSetSummary(**documents.summary(each)) for each in page]
    return api.ListRegexPatternSetsResponse(regex_pattern_sets=shown, next_marker=marker)


def _checked(req: api.CreateRegexPatternSetRequest | api.UpdateRegexPatternSetRequest) -> dict[str, Any]:
    """The document. Raises WAFLimitsExceededException, WAFInvalidParameterException."""
    if len(req.regular_expression_list) > PATTERNS:
        raise errors.limit("REGEX_PATTERN_SET")
    for each in req.regular_expression_list:
        text = each.regex_string or ""
        if not 1 <= len(text) <= LENGTH:
            reason = f"A pattern of a set must have 1 to {LENGTH} characters."
            raise errors.invalid("REGEX_PATTERN_SET", text[:64] or "RegexString", reason)
        try:
            check_regex(text, "REGEX_PATTERN_SET")
        except InvalidParameter as error:
            raise errors.refused(error) from error
    return documents.settings(req)
