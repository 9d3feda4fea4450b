"""Which organization an account belongs to, and the policies that bound it there, kept in memory.

A request asks here for the service control policies of its caller's account, the resource control policies of the resource's, and
the condition keys that name organizations. An answer stands until the change log names one of the things that it was made of: the
account's place in the tree, an attachment to one of the nodes above it, the text of a policy, the organization itself.

Sources: AWS Organizations User Guide, "SCP evaluation", "RCP evaluation", "Service control policies" (tasks and entities not
restricted by SCPs) and "Resource control policies" (services that support RCPs, entities not restricted by RCPs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from garrison.core.ports import Transaction
from garrison.core.principal import Principal
from garrison.identity.caches import Cache, Dependency
from garrison.policy import Policy, PolicyKind, PolicySet, compile_policy
from garrison.store import Store

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
FULL_ACCESS = "p-FullAWSAccess"
RCP_FULL_ACCESS = "p-RCPFullAWSAccess"
AWS_CONTENT = {
    FULL_ACCESS: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    RCP_FULL_ACCESS: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}',
}
"""The policies that AWS attaches to everything."""
AWS_NAMES = {FULL_ACCESS: "FullAWSAccess", RCP_FULL_ACCESS: "RCPFullAWSAccess"}
AWS_TYPES = {FULL_ACCESS: SCP, RCP_FULL_ACCESS: RCP}
KINDS: dict[str, PolicyKind] = {SCP: "scp", RCP: "rcp"}
"""The types that bound permissions, as the policy room calls them."""
CHANGES = ("org", "org-account", "org-node", "org-policy")
"""Kinds of the change log: an organization, an account's place in one, what is attached to a node, a policy's text."""

RCP_SERVICES = frozenset(
    {"s3", "sts", "kms", "sqs", "secretsmanager", "ecr", "aoss", "cognito-idp", "cognito-identity", "logs", "dynamodb"}
)
"""Prefixes of actions whose resources RCPs bound."""
_RCP_EXEMPT = frozenset({"kms:retiregrant"})


def aws_arn(policy_id: str) -> str:
    """``arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess``."""
    return f"arn:aws:organizations::aws:policy/{AWS_TYPES[policy_id].lower()}/{policy_id}"


class Membership(NamedTuple):
    """An account's place in its organization."""

    organization: str
    management: str
    path: str
    """``o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/``: ``aws:PrincipalOrgPaths``."""
    scps: tuple[PolicySet, ...]
    """One set a level, root first; empty for the management account and where the type is not enabled."""
    rcps: tuple[PolicySet, ...]
    made_of: frozenset[Dependency]


class Memberships:
    """The organizations of this installation, as requests need them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._members = Cache()
        self._levels = Cache()
        self._policies = Cache()
        for kind in CHANGES:
            store.on_change(kind, self._dropper(kind))

    def of(self, account: str) -> Membership | None:
        """The organization of an account; None where it is in none."""
        found: tuple[Membership | None] | None = self._members.values.get(account)
        return self._load(account) if found is None else found[0]

    def place(self, account: str) -> tuple[str, str] | None:
        """Id of the organization and path of an account in it: what the condition keys say of it."""
        member = self.of(account)
        return None if member is None else (member.organization, member.path)

    def service_controls(self, account: str, made_of: set[Dependency]) -> tuple[PolicySet, ...]:
        """The SCPs over an account's principals, one set a level; what they were made of is added to ``made_of``."""
        made_of.add(("org-account", account))
        member = self.of(account)
        if member is None:
            return ()
        made_of |= member.made_of
        return member.scps

    def resource_controls(self, account: str, action: str, principal: Principal) -> tuple[PolicySet, ...]:
        """The RCPs over a resource of an account, one set a level; none where the service or the caller is not bound by them."""
        if action.partition(":")[0] not in RCP_SERVICES:
            return ()
        member = self.of(account)
        if member is None or not member.rcps or action.lower() in _RCP_EXEMPT or is_service_linked(principal):
            return ()
        return member.rcps

    def _dropper(self, kind: str) -> Callable[[str | None], None]:
        caches = (self._members, self._levels, self._policies)

        def drop(key: str | None) -> None:
            for cache in caches:
                if key is None:
                    cache.clear()
                else:
                    cache.drop((kind, key))

        return drop

    def _load(self, account: str) -> Membership | None:
        tx = self._store.reading()
        row = tx.one(
            "SELECT o.organization, o.management, o.root_id, a.parent_id FROM org_account a"
            " JOIN org_organization o ON o.organization = a.organization WHERE a.account = ?",
            account,
        )
        made_of: set[Dependency] = {("org-account", account)}
        found = None if row is None else self._member(tx, account, row, made_of)
        self._members.put(account, (found,), made_of)
        return found

    def _member(self, tx: Transaction, account: str, row: tuple[Any, ...], made_of: set[Dependency]) -> Membership:
        organization, management, root, parent = row
        made_of.add(("org", organization))
        above = ancestors(tx, parent)
        nodes = (*above, account)
        made_of |= {("org-node", node) for node in nodes}
        enabled = {kind for (kind,) in tx.all("SELECT type FROM org_policy_type WHERE organization = ?", organization)}
        bound = account != management
        scps, rcps = (
            tuple(self._level(tx, organization, node, kind, made_of) for node in nodes) if bound and kind in enabled else ()
            for kind in (SCP, RCP)
        )
        path = "/".join((organization, *above)) + "/"
        if above[0] != root:
            msg = f"the place of account {account} does not lead to the root {root}"
            raise LookupError(msg)
        return Membership(organization, management, path, scps, rcps, frozenset(made_of))

    def _level(self, tx: Transaction, organization: str, node: str, kind: str, made_of: set[Dependency]) -> PolicySet:
        """The policies of one type on one node: one set for all accounts below it."""
        found: tuple[PolicySet, set[Dependency]] | None = self._levels.values.get((node, kind))
        if found is None:
            uses: set[Dependency] = {("org", organization), ("org-node", node)}
            ids = tx.all(
                "SELECT policy_id FROM org_attachment WHERE organization = ? AND target_id = ? AND type = ? ORDER BY seq",
                organization,
                node,
                kind,
            )
            uses |= {("org-policy", policy) for (policy,) in ids}
            found = PolicySet([self._policy(tx, policy, kind) for (policy,) in ids]), uses
            self._levels.put((node, kind), found, uses)
        made_of |= found[1]
        return found[0]

    def _policy(self, tx: Transaction, policy_id: str, kind: str) -> Policy:
        """A policy compiled once for all nodes that have it. One that is not there bounds everything: LookupError."""
        found: Policy | None = self._policies.values.get(policy_id)
        if found is None:
            arn, name, content = _text(tx, policy_id)
            found = compile_policy(content, KINDS[kind], id=policy_id, arn=arn, name=name)
            self._policies.put(policy_id, found, (("org-policy", policy_id),))
        return found


def _text(tx: Transaction, policy_id: str) -> tuple[str, str, str]:
    if policy_id in AWS_CONTENT:
        return aws_arn(policy_id), AWS_NAMES[policy_id], AWS_CONTENT[policy_id]
    row = tx.one("SELECT arn, name, content FROM org_policy WHERE policy_id = ?", policy_id)
    if row is None:
        msg = f"the policy {policy_id} is attached and does not exist"
        raise LookupError(msg)
    return row[0], row[1], row[2]


def ancestors(tx: Transaction, parent: str) -> tuple[str, ...]:
    """The nodes from the root down to ``parent`` (a root or a unit), itself included."""
    found = [parent]
    while found[-1].startswith("ou-"):
        row = tx.one("SELECT parent_id FROM org_unit WHERE unit_id = ?", found[-1])
        if row is None:
            msg = f"the unit {found[-1]} does not exist"
            raise LookupError(msg)
        found.append(row[0])
    return tuple(reversed(found))


def is_service_linked(principal: Principal) -> bool:
    """Whether a service acts by its service-linked role: no organization's policy bounds those."""
    return principal.session is not None and principal.session.service_linked
