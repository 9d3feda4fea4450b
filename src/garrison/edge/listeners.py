"""Listeners of the firewall's proxies, and their names.

To AWS WAF a listener is an application load balancer: a web ACL is associated with its ARN. Garrison's own API has an ARN too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from garrison.core.arn import parse_arn
from garrison.core.ports import Transaction

CHANGED: Final = "edge-listener"
"""Kind of the changes that ``register`` and ``remove`` note; the key is the ARN."""
_COLUMNS: Final = "arn, name, address, upstream, tls, fail_open, created"
_NAME: Final = re.compile(r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_RESOURCE: Final = re.compile(rf"loadbalancer/app/({_NAME.pattern})/[0-9a-f]{{16}}")
_API: Final = "/restapis/garrison/stages/api"


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener. ``address`` is ``host:port``, ``upstream`` the URL of the application; ``created`` in seconds."""

    arn: str
    name: str
    address: str
    upstream: str
    tls: bool = False
    fail_open: bool = False
    created: float = 0.0


def listener_arn(account: str, region: str, name: str) -> str:
    """The ARN of a listener. The same name has the same ARN each time, so associations outlive a restart.

    Raises ValueError for a name that AWS gives no load balancer: 1 to 32 letters, digits and hyphens, no hyphen at either end
    and no ``internal-`` at the beginning (Elastic Load Balancing API reference, CreateLoadBalancer).
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"`{name}` is no name of a listener: 1 to 32 letters, digits and hyphens, not `internal-` first")
    digest = hashlib.sha256(f"{account} {region} {name}".encode()).hexdigest()[:16]
    return f"arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{digest}"


def api_arn(region: str) -> str:
    """The ARN of Garrison's own API, to which a web ACL can be associated as to a stage of API Gateway."""
    return f"arn:aws:apigateway:{region}::{_API}"


def is_listener(arn: str) -> bool:
    """Whether ``arn`` has the form of a listener's, existing or not."""
    try:
        parts = parse_arn(arn)
    except ValueError:
        return False
    return parts.service == "elasticloadbalancing" and _RESOURCE.fullmatch(parts.resource) is not None


def is_api(arn: str) -> bool:
    """Whether ``arn`` names Garrison's own API, in any Region."""
    try:
        parts = parse_arn(arn)
    except ValueError:
        return False
    return parts.service == "apigateway" and not parts.account and parts.resource == _API


def register(tx: Transaction, listener: Listener) -> None:
    """Keep a listener. One that is known by the same ARN takes the new settings and keeps the time it was created.

    Raises ValueError where its ARN is none of a listener's.
    """
    if not is_listener(listener.arn):
        raise ValueError(f"`{listener.arn}` is no ARN of a listener")
    parts = parse_arn(listener.arn)
    tx.run(
        "INSERT INTO edge_listener (arn, account, region, name, address, upstream, tls, fail_open, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (arn) DO UPDATE SET"
        " address = excluded.address, upstream = excluded.upstream, tls = excluded.tls, fail_open = excluded.fail_open",
        listener.arn,
        parts.account,
        parts.region,
        listener.name,
        listener.address,
        listener.upstream,
        int(listener.tls),
        int(listener.fail_open),
        listener.created,
    )
    tx.changed(CHANGED, listener.arn)


def remove(tx: Transaction, arn: str) -> bool:
    """Forget a listener; whether there was one. What is associated with it is not touched."""
    gone = tx.run("DELETE FROM edge_listener WHERE arn = ?", arn) > 0
    if gone:
        tx.changed(CHANGED, arn)
    return gone


def find(tx: Transaction, arn: str) -> Listener | None:
    """The listener of this ARN, None where there is none."""
    row = tx.one(f"SELECT {_COLUMNS} FROM edge_listener WHERE arn = ?", arn)  # noqa: S608 - the columns are a constant
    return None if row is None else _listener(row)


def every(tx: Transaction, account: str, region: str) -> list[Listener]:
    """The listeners of an account in a Region, by name."""
    sql = f"SELECT {_COLUMNS} FROM edge_listener WHERE account = ? AND region = ? ORDER BY name"  # noqa: S608 - the same
    return [_listener(row) for row in tx.all(sql, account, region)]


def _listener(row: tuple[str, str, str, str, int, int, float]) -> Listener:
    arn, name, address, upstream, tls, fail_open, created = row
    return Listener(arn, name, address, upstream, bool(tls), bool(fail_open), created)
