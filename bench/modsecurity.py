"""libmodsecurity over rule files and requests: ``python bench/modsecurity.py RULES LEVEL < requests > matches``.

A line in is a request in JSON (``method``, ``target``, ``version``, ``client``, ``headers`` as pairs, ``body`` in base64; texts
are bytes as Latin-1); a line out is the list of the numbers of rules that matched. A process of its own: it and Vectorscan do not
get along in one.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any, Final

SETUP: Final = """
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecRequestBodyLimit 131072
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\\+|/)|text/)xml" \
  "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/(?:[a-z0-9.-]+[+])?json" \
  "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecDefaultAction "phase:1,log,pass"
SecDefaultAction "phase:2,log,pass"
SecAction "id:900990,phase:1,nolog,pass,t:none,setvar:tx.crs_setup_version=334"
SecAction "id:900000,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level=LEVEL"
"""
WITHOUT: Final = ("REQUEST-910",)
"""Needs a database of places, which the wheel is built without."""


class Reference:
    """The rules of a directory at a paranoia level."""

    def __init__(self, folder: Path, level: int) -> None:
        import libmodsecurity as ms  # noqa: PLC0415 - what the rest of the bench has no need of

        self._library = ms
        self._engine = ms.ModSecurity()
        self._rules = ms.RulesSet()
        if self._rules.load(SETUP.replace("LEVEL", str(level))) < 0:
            raise RuntimeError(self._rules.get_parser_error())
        for path in sorted(folder.glob("*.conf")):
            if not path.name.startswith(WITHOUT) and self._rules.load_from_uri(str(path)) < 0:
                raise RuntimeError(f"{path}: {self._rules.get_parser_error()}")

    def matched(self, request: dict[str, Any]) -> list[int]:
        """The numbers of the rules that match."""
        transaction = self._library.Transaction(self._engine, self._rules)
        transaction.process_connection(request["client"], 40000, "192.0.2.2", 80)
        transaction.process_uri(_text(request["target"]), request["method"], request["version"].removeprefix("HTTP/"))
        for name, value in request["headers"]:
            transaction.add_request_header(_text(name), _text(value))
        transaction.process_request_headers()
        transaction.append_request_body(base64.b64decode(request["body"]))
        transaction.process_request_body()
        return sorted({int(each.rule_id) for each in transaction.get_rule_messages()})


def _text(latin: str) -> str:
    """The text whose UTF-8 is the bytes: the library takes texts alone. What is no UTF-8 is replaced."""
    return latin.encode("latin-1").decode("utf-8", "replace")


def main() -> None:
    """Answer every line."""
    reference = Reference(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(reference.matched(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
