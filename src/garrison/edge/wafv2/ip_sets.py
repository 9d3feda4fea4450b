"""IP sets: addresses and networks that rules refer to. Sources: AWS WAF API reference, CreateIPSet; "AWS WAF quotas"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any, Final

import msgspec

from garrison.api import wafv2 as api
from garrison.core.context import Context
from garrison.core.operation import PREPARED, operation
from garrison.edge.wafv2 import documents, errors, store, tags
from garrison.edge.wafv2.names import checked_scope, found, named, new, request_tags
from garrison.edge.wafv2.pages import Pager

ADDRESSES: Final = 10_000
FORMAT: Final = "The parameter contains formatting that is not valid."
_VERSIONS: Final = {"IPV4": 4, "IPV6": 6}


def _prepared(_ctx: Context, req: Any) -> Callable[[], list[tuple[str, int]]]:  # noqa: ANN401 - Create or Update
    """Reading ten thousand addresses takes its time: they are read on a thread."""
    return lambda: _read(req.addresses)


@operation("wafv2", resource=new("ipset"), context=request_tags, prepare=_prepared)
def create_ip_set(ctx: Context, req: api.CreateIPSetRequest) -> api.CreateIPSetResponse:
    """Create an IP set, with a name that is free in this scope.

    Raises WAFInvalidParameterException, WAFDuplicateItemException, WAFLimitsExceededException, WAFTagOperationException.
    """
    document = documents.settings(req)
    document["Addresses"] = _of_version(ctx, req.ip_address_version)
    entity = store.create(ctx, "ipset", req.scope, req.name, document)
    tags.put(ctx, entity.arn, req.tags)
    store.changed(ctx, entity)
    return api.CreateIPSetResponse(summary=api.IPSetSummary(**documents.summary(entity)))


@operation("wafv2", resource=named("ipset"), read=True)
def get_ip_set(ctx: Context, req: api.GetIPSetRequest) -> api.GetIPSetResponse:
    """An IP set. Raises WAFNonexistentItemException."""
    entity = found(ctx, "ipset", req)
    return api.GetIPSetResponse(ip_set=msgspec.convert(dict(entity.document), api.IPSet), lock_token=entity.lock_token)


@operation("wafv2", resource=named("ipset"), prepare=_prepared)
def update_ip_set(ctx: Context, req: api.UpdateIPSetRequest) -> api.UpdateIPSetResponse:
    """Put addresses in the place of all that an IP set has; its version stays.

    Raises WAFOptimisticLockException, WAFInvalidParameterException, WAFNonexistentItemException, WAFLimitsExceededException.
    """
    entity = found(ctx, "ipset", req)
    store.locked(entity, req.lock_token)
    version = entity.document["IPAddressVersion"]
    document: dict[str, Any] = {**documents.settings(req), "IPAddressVersion": version}
    document["Addresses"] = _of_version(ctx, version)
    entity = store.update(ctx, entity, document)
    store.changed(ctx, entity)
    return api.UpdateIPSetResponse(next_lock_token=entity.lock_token)


@operation("wafv2", resource=named("ipset"))
def delete_ip_set(ctx: Context, req: api.DeleteIPSetRequest) -> api.DeleteIPSetResponse:
    """Delete an IP set that no rule refers to. Raises WAFAssociatedItemException, WAFOptimisticLockException."""
    entity = found(ctx, "ipset", req)
    store.locked(entity, req.lock_token)
    store.delete(ctx, entity)
    return api.DeleteIPSetResponse()


@operation("wafv2", resource="*", read=True)
def list_ip_sets(ctx: Context, req: api.ListIPSetsRequest) -> api.ListIPSetsResponse:
    """The IP sets of a scope, by name."""
    scope = checked_scope(ctx, req.scope)
    pager = Pager(ctx, req, scope)
    page, marker = pager.cut(store.listed(ctx, "ipset", scope, pager.after, pager.limit + 1), lambda each: each.name)
    return api.ListIPSetsResponse(ip_sets=[api.IPSetSummary(**documents.summary(each)) for each in page], next_marker=marker)


def _read(addresses: Sequence[str]) -> list[tuple[str, int]]:
    """Addresses in CIDR notation, each once, as they were given, with their versions. The whole Internet is none.

    Raises WAFInvalidParameterException, WAFLimitsExceededException.
    """
    unique = list(dict.fromkeys(addresses))
    if len(unique) > ADDRESSES:
        raise errors.limit("IP_SET")
    return [(each, _version(each)) for each in unique]


def _version(address: str) -> int:
    _, slash, prefix = address.partition("/")
    try:
        network = ip_network(address, strict=False)
    except ValueError:
        raise errors.invalid("IP_ADDRESS", address, FORMAT) from None
    if not slash or not prefix.isdecimal() or network.prefixlen == 0 or "%" in address:
        raise errors.invalid("IP_ADDRESS", address, FORMAT)
    return network.version


def _of_version(ctx: Context, version: str) -> list[str]:
    """The addresses that were read, which must all be of the version. Raises WAFInvalidParameterException."""
    found: list[tuple[str, int]] = ctx.scratch[PREPARED]
    for address, its_version in found:
        if its_version != _VERSIONS[version]:
            raise errors.invalid("IP_ADDRESS", address, FORMAT)
    return [address for address, _ in found]
