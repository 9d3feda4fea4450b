"""The OAuth clients that there are: command lines on the device of the browser, and on another one.

Both are public ones without a secret, as AWS has them: what they prove is PKCE (RFC 7636) and their key (RFC 9449).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from garrison.core.context import Call
from garrison.core.operation import Target

CONFIRMATION = "/v1/sessions/confirmation"
"""Where the code for another device is shown."""
_MAX_URI = 2048
_PRINTABLE = re.compile(r"[!-~]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Client(NamedTuple):
    """An OAuth client."""

    id: str
    place: str
    """As the resource that stands for it in policies ends: ``localhost`` or ``remote``."""

    def target(self, region: str, account: str) -> Target:
        """What signin:AuthorizeOAuth2Access and signin:CreateOAuth2Token act on."""
        return Target(arn=f"arn:aws:signin:{region}:{account}:oauth2/public-client/{self.place}", account=account)

    def redirects_to(self, uri: str, call: Call) -> bool:
        """Whether a code may be handed over at this address.

        A command line of the same device listens on a port of its loopback (RFC 8252, section 7.3); for another device the code
        is shown on a page of our own, and goes nowhere.
        """
        if len(uri) > _MAX_URI or not _PRINTABLE.fullmatch(uri) or "\\" in uri:
            return False
        if self.place == "remote":
            return is_own(uri, call, CONFIRMATION)
        try:
            parsed = urlsplit(uri)
            port = parsed.port
        except ValueError:
            return False
        plain = not parsed.fragment and parsed.username is None and parsed.password is None and not parsed.query
        return parsed.scheme == "http" and parsed.hostname in _LOOPBACK and port is not None and plain


CLIENTS: Mapping[str, Client] = {
    client.id: client
    for client in (
        Client("arn:aws:signin:::devtools/same-device", "localhost"),
        Client("arn:aws:signin:::devtools/cross-device", "remote"),
    )
}


def is_own(uri: str, call: Call, path: str) -> bool:
    """Whether an address is that of our own ``path``, at the name under which this request came.

    Before a proxy that ends TLS the address is of HTTPS though the request is not; never the other way about.
    """
    try:
        parsed = urlsplit(uri)
        port = parsed.port
    except ValueError:
        return False
    if parsed.scheme not in ({"https"} if call.https else {"https", "http"}) or parsed.path != path or parsed.query:
        return False
    if parsed.fragment or parsed.username is not None or parsed.password is not None or not parsed.hostname:
        return False
    default = 443 if parsed.scheme == "https" else 80
    return (parsed.hostname.lower(), port or default) == _name_and_port(call.host, default)


def _name_and_port(host: str, default: int) -> tuple[str, int] | None:
    try:
        parsed = urlsplit(f"//{host}")
        return (parsed.hostname or "").lower(), parsed.port or default
    except ValueError:
        return None
