"""What the pages need to know of what they protect."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.edge.interstitial.puzzles import WORK, Work
from garrison.edge.token_keys import TokenKeys


@dataclass(frozen=True, slots=True)
class Site:
    """A protected resource: the keys of the installation, and its web ACL's ``TokenDomains``."""

    keys: TokenKeys
    token_domains: tuple[str, ...] = ()
    work: Work = WORK
