"""Principals and resources as a state has them, for cases that are asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from garrison.cli.policy.reading import FileError
from garrison.cli.policy.sources import Source, from_policy
from garrison.core.operation import Target
from garrison.core.principal import OUTSIDE
from garrison.explaining import shown_name
from garrison.identity.iam import managed
from garrison.identity.principals import Principals
from garrison.keys.kms.live import LiveKeys
from garrison.policy import PolicyInputs

if TYPE_CHECKING:
    from garrison.core.principal import Principal
    from garrison.policy import Decision, PolicySet, Value

_USER = "SELECT user_id, path, name FROM iam_user WHERE account = ? AND name_folded = ?"
_ROLE = "SELECT role_id, path, name FROM iam_role WHERE account = ? AND name_folded = ?"


class Stored:
    """What an opened state knows of those whom cases name."""

    def __init__(self, state: Any) -> None:  # noqa: ANN401 - app.State
        self._store = state.store
        self._principals = Principals(state.store, state.keyring, managed.document)
        self._keys = LiveKeys(state.store, state.keyring)

    def principal(self, named: Principal) -> Principal:
        """The caller with its unique id and tags. Raises FileError where there is none."""
        if named.kind == "user":
            owner = self._owner(named)
            return replace(named, id=owner, tags=self._tags(named.account, owner))
        if named.kind == "assumed-role" and named.session is not None:
            owner = self._owner(named)
            path, name = self._path(named)
            arn = f"arn:aws:iam::{named.account}:role{path}{name}"
            session = replace(named.session, issuer_arn=arn, issuer_id=owner, issuer_name=name)
            identity = f"{owner}:{named.arn.rpartition('/')[2]}"
            return replace(named, id=identity, tags=self._tags(named.account, owner), session=session)
        if named.kind == "federated-user":
            msg = (
                f"{named.arn}: a state does not keep who made a federated user's session: name the user, and its session policies"
            )
            raise FileError(msg)
        return named

    def inputs(self, principal: Principal) -> PolicyInputs:
        """Identity policies and boundary, and whatever of an organization binds the principal."""
        if principal.kind in OUTSIDE:
            return PolicyInputs()
        owner = principal.account
        if principal.kind in {"user", "assumed-role"}:
            owner = principal.id.partition(":")[0]
        return self._principals.owner_inputs(principal.account, owner)

    def target(self, action: str, resource: str) -> Target | None:
        """The resource as authorization sees it: a key with policy and grants, a role with its trust policy; None for others."""
        service = action.partition(":")[0].lower()
        parts = resource.split(":", 5)
        if service == "kms" and len(parts) == 6 and parts[5].startswith("key/"):
            key = self._keys.find(self._store.reading(), parts[3], parts[5].partition("/")[2])
            if key is None or key.arn != resource:
                msg = f"{resource}: there is no such key"
                raise FileError(msg)
            return key.target
        if service == "sts" and len(parts) == 6 and parts[5].startswith("role/"):
            role = self._principals.role(resource)
            if role is None:
                msg = f"{resource}: there is no such role"
                raise FileError(msg)
            return Target(role.arn, role.account, tags=role.tags, policy=role.trust, policy_decides=True)
        return None

    def resource_controls(self, account: str, action: str, principal: Principal) -> tuple[PolicySet, ...]:
        """The resource control policies over a resource of an account."""
        return self._principals.resource_controls(account, action, principal)

    def places(self, principal: Principal, owner: str) -> dict[str, Value]:
        """The condition keys that name the organizations of the caller and of the resource's owner."""
        found: dict[str, Value] = {}
        for account, id_key, paths_key in (
            ("" if principal.kind in OUTSIDE else principal.account, "aws:principalorgid", "aws:principalorgpaths"),
            (owner, "aws:resourceorgid", "aws:resourceorgpaths"),
        ):
            place = self._principals.place(account) if account else None
            if place is not None:
                found |= {id_key: place[0], paths_key: [place[1]]}
        return found

    def sources(self, decision: Decision) -> dict[str, Source]:
        """The policies of a decision, as people know them, by policy id."""
        found = decision.considered()
        return {policy.id: from_policy(policy, shown_name(self._store, policy.id, policy.kind)) for policy in found}

    def policies(self, principal: Principal) -> list[Source]:
        """The identity policies that apply to a principal, as people know them."""
        found = self.inputs(principal).identity.policies
        return [from_policy(policy, shown_name(self._store, policy.id, policy.kind)) for policy in found]

    def _owner(self, named: Principal) -> str:
        return str(self._row(named)[0])

    def _path(self, named: Principal) -> tuple[str, str]:
        _, path, name = self._row(named)
        return str(path), str(name)

    def _row(self, named: Principal) -> tuple[Any, ...]:
        sql = _USER if named.kind == "user" else _ROLE
        row = self._store.reading().one(sql, named.account, named.name.lower())
        issuer = named.session.issuer_arn if named.session else named.arn
        if row is None or (named.kind == "user" and named.arn != f"arn:aws:iam::{named.account}:user{row[1]}{row[2]}"):
            msg = f"{issuer}: there is no such {'user' if named.kind == 'user' else 'role'}"
            raise FileError(msg)
        return tuple(row)

    def _tags(self, account: str, owner: str) -> dict[str, str]:
        sql = "SELECT tag_key, tag_value FROM iam_tag WHERE account = ? AND resource_id = ?"
        return dict(self._store.reading().all(sql, account, owner))
