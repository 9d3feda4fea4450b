"""A web ACL inside an application: middleware for ASGI and WSGI, where no proxy stands in front.

``AsgiFirewall(app, Firewall("acl.json"))`` and ``WsgiFirewall(app, Firewall("acl.json"))``. A server that cannot be trusted to
refuse malformed HTTP is not made one that can: for that, put ``garrison protect`` in front.
"""

from __future__ import annotations

from garrison.edge.middleware.asgi import AsgiFirewall
from garrison.edge.middleware.firewall import Firewall
from garrison.edge.middleware.wsgi import WsgiFirewall

__all__ = ["AsgiFirewall", "Firewall", "WsgiFirewall"]
