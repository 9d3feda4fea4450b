"""SAML assertions that were taken: each is good once, in whichever process it comes again."""

from __future__ import annotations

import hashlib

from garrison.api import sts as api
from garrison.core.ports import Transaction
from garrison.identity.federation.providers import SamlProvider
from garrison.identity.federation.saml import Assertion

MARGIN = 300
"""Seconds beyond its end for which one is remembered: the clocks of several nodes differ."""
REPLAYED = "The SAML assertion was used before"


def use_up(tx: Transaction, provider: SamlProvider, assertion: Assertion, now: float) -> None:
    """Take an assertion; call within the unit of work that does what it is good for.

    Raises InvalidIdentityToken the second time.
    """
    digest = hashlib.sha256(f"{provider.arn}\0{provider.uuid}\0{assertion.id}".encode()).hexdigest()
    tx.run("DELETE FROM sts_saml_assertion WHERE until <= ?", now)
    taken = tx.run(
        "INSERT INTO sts_saml_assertion (digest, until) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
        digest,
        assertion.until + MARGIN,
    )
    if not taken:
        raise api.InvalidIdentityTokenException(REPLAYED)
