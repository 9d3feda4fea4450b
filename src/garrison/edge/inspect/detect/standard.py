"""The detectors of the rule language itself: ``SqliMatchStatement`` and ``XssMatchStatement``.

They look at the value as the statement's transformations made it, and decode nothing more: so AWS WAF does.
"""

from __future__ import annotations

from garrison.edge.inspect.detect import libinjection, sql, survey, xss
from garrison.edge.inspect.groups import Finding, Sensitivity

LONGEST = 65536


class StandardDetectors:
    """:class:`garrison.edge.inspect.Detectors`: our own grammars, and libinjection beside them."""

    def sqli(self, value: bytes, level: Sensitivity) -> Finding | None:
        """SQL injection. LOW asks for what prose never is; HIGH also takes libinjection's word, and weaker shapes."""
        value = value[:LONGEST]
        found = sql.detect(value, high=level == "HIGH")
        if found is None and level == "HIGH":
            fingerprint = libinjection.sqli(value)
            found = value[:128] if fingerprint is not None else None
        elif found is None and survey.injected(value):
            found = value[:128]
        return None if found is None else Finding((found,))

    def xss(self, value: bytes) -> Finding | None:
        """Cross-site scripting."""
        found = xss.detect(value[:LONGEST])
        return None if found is None else Finding((found,))
