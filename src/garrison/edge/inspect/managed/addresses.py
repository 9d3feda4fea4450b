"""The groups of address lists: reputation and anonymity."""

from __future__ import annotations

from garrison.edge.inspect.groups import Context, Finding, RequestDetector
from garrison.edge.inspect.ipset import IpSet
from garrison.edge.inspect.managed.build import COUNT, Builder
from garrison.edge.inspect.managed.feeds import Feeds
from garrison.edge.inspect.request import WebRequest


def listed(addresses: IpSet) -> RequestDetector:
    """A detector of requests from the addresses."""

    def detect(request: WebRequest, _context: Context) -> Finding | None:
        return Finding() if request.ip is not None and request.ip in addresses else None

    return detect


def reputation(feeds: Feeds) -> Builder:
    """``AWSManagedRulesAmazonIpReputationList``, of the operator's own lists."""
    group = Builder("AWSManagedRulesAmazonIpReputationList", "amazon-ip-list", 25)
    group.detect("AWSManagedIPReputationList", listed(feeds.reputation), "AWSManagedIPReputationList")
    group.detect("AWSManagedReconnaissanceList", listed(feeds.reconnaissance), "AWSManagedReconnaissanceList")
    group.detect("AWSManagedIPDDoSList", listed(feeds.ddos), "AWSManagedIPDDoSList", COUNT)
    return group


def anonymous(feeds: Feeds) -> Builder:
    """``AWSManagedRulesAnonymousIpList``, of the operator's own lists."""
    group = Builder("AWSManagedRulesAnonymousIpList", "anonymous-ip-list", 50)
    group.detect("AnonymousIPList", listed(feeds.anonymous), "AnonymousIPList")
    hosting = listed(feeds.hosting)

    def hosted(request: WebRequest, context: Context) -> Finding | None:
        return Finding() if request.asn in feeds.hosting_asns else hosting(request, context)

    group.detect("HostingProviderIPList", hosted, "HostingProviderIPList")
    return group
