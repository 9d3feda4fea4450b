"""Credentials and policies of principals, kept in memory and dropped when they change.

The request path finds here who an access key belongs to and what its owner's compiled policies are, without
reading the database. Entries are made on first use and stand until the store's change log names something that
they were made of (the user, one of its groups, an attached policy): a change acknowledged by any process of the node
is seen by the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from garrison.core.arn import parse_arn
from garrison.core.errors import CommonError
from garrison.core.ports import Sealer, Transaction
from garrison.core.principal import OUTSIDE, Principal, Session
from garrison.identity.caches import LIMIT, Cache, Dependency
from garrison.identity.delegation.partners import BOUNDARIES, boundary_document
from garrison.identity.memberships import CHANGES, Memberships
from garrison.identity.tokens import Grant, open_token
from garrison.policy import Policy, PolicyInputs, PolicySet, compile_policy
from garrison.store import Store

USE_SECONDS = 60.0
"""How often the last use of a key by the same service, and of a role, is written down, at most."""


class Use(NamedTuple):
    """The last use of a long-term key, or of a role by one of its sessions."""

    at: float
    """Seconds since the epoch."""
    service: str
    region: str
    account: str
    """Whose key or role it is."""


Uses = dict[str, Use]
"""By access key id, or a role's unique id."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key that may sign: its secret and its owner."""

    secret: str
    principal: Principal
    owner: str
    """The unique id whose policies apply: AIDA, AROA, or the account's number for root."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role as AssumeRole needs it."""

    account: str
    role_id: str
    arn: str
    name: str
    trust: Policy
    """Its trust policy, compiled, with users and roles as unique ids."""
    max_session_duration: int
    """Seconds."""
    tags: Mapping[str, str]


class Principals:
    """The identities of every account, as the gateway needs them."""

    def __init__(self, store: Store, sealer: Sealer, aws_policy: Callable[[str], str | None]) -> None:
        """``aws_policy`` gives the document of an AWS managed policy by its ARN."""
        self._store = store
        self._sealer = sealer
        self._aws_policy = aws_policy
        self._keys = Cache()
        self._sessions = Cache()
        self._inputs = Cache()
        self._policies = Cache()
        self._roles = Cache()
        self.memberships = Memberships(store)
        self._used: Uses = {}
        self._unsaved: Uses = {}
        for kind in ("access-key", "user", "group", "role", "policy", "account", "delegation", *CHANGES):
            store.on_change(kind, self._dropper(kind))

    def credential(self, access_key_id: str, token: str | None, now: float) -> Credential:
        """Who may sign with this key.

        Raises CommonError: ``unknown_access_key`` for a key that does not exist, is inactive or has a token that
        is not its own; ``expired_token``.
        """
        if token:
            return self._session(access_key_id, token, now)
        found = self._keys.values.get(access_key_id)
        if found is None:
            found = self._load_key(access_key_id)
        if not isinstance(found, Credential):
            raise CommonError("unknown_access_key")
        return found

    def inputs(self, credential: Credential) -> PolicyInputs:
        """The caller's side of a decision: identity policies, boundary, session policies."""
        if credential.principal.kind in OUTSIDE:
            return PolicyInputs()
        session = credential.principal.session
        policies, arns = (session.policies, session.policy_arns) if session else ((), ())
        scopes = session.scopes if session else ()
        key = (credential.owner, policies, arns, scopes, _is_federated(credential.principal), _is_root_task(credential.principal))
        found: PolicyInputs | None = self._inputs.values.get(key)
        if found is None:
            found = self._load_inputs(credential, policies, arns, key)
        return found

    def resource_controls(self, account: str, action: str, principal: Principal) -> tuple[PolicySet, ...]:
        """The resource control policies over a resource of an account (:meth:`Memberships.resource_controls`)."""
        return self.memberships.resource_controls(account, action, principal)

    def place(self, account: str) -> tuple[str, str] | None:
        """Organization and path of an account (:meth:`Memberships.place`)."""
        return self.memberships.place(account)

    def acting(self, account: str, owner_id: str, access_key_id: str) -> Credential | None:
        """A user as whom a credential of another kind than an access key calls; None where it is gone. It has no secret here."""
        made_of: set[Dependency] = set()
        principal = self._owner(self._store.reading(), account, owner_id, access_key_id, made_of)
        return None if principal is None else Credential("", principal, owner_id)

    def owner_inputs(self, account: str, owner_id: str) -> PolicyInputs:
        """A user's or role's policies by its unique id, without any session's (the policy simulator)."""
        made_of: set[Dependency] = set()
        return self._owner_inputs(account, owner_id, made_of)

    def check_use(self, principal: Principal, service: str, operation: str) -> None:
        """Refuse what a kind of temporary credential may never be used for, whatever its policies say.

        Source: IAM User Guide, "Compare AWS STS credentials": those of GetSessionToken call IAM only after MFA, and of STS only
        AssumeRole and GetCallerIdentity; those of GetFederationToken call no IAM, and of STS only GetCallerIdentity.
        Raises CommonError("unknown_access_key"), as AWS answers.
        """
        session = principal.session
        if session is None or session.kind not in {"session-token", "federation-token"} or service not in {"iam", "sts"}:
            return
        federated = session.kind == "federation-token"
        if service == "iam" and (federated or session.mfa_at is None):
            raise CommonError("unknown_access_key")
        own_answer = {"GetSessionToken", "GetFederationToken", "GetScopedCredentials"}
        if service == "sts" and operation not in {"GetCallerIdentity", *own_answer, *(() if federated else ("AssumeRole",))}:
            raise CommonError("unknown_access_key")

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        """Note that a long-term key, or a role, was used; ``save_uses`` writes it down.

        A role once in :data:`USE_SECONDS`, a key also when it is used for another service or in another Region.
        """
        principal = credential.principal
        role = principal.kind == "assumed-role"
        if principal.session is not None and not role:
            return
        key = credential.owner if role else principal.access_key_id
        last = self._used.get(key)
        elsewhere = last is not None and not role and (last.service, last.region) != (service, region)
        if last is None or now - last.at >= USE_SECONDS or elsewhere:
            if len(self._used) >= LIMIT:
                self._used.clear()
            self._used[key] = self._unsaved[key] = Use(now, service, region, principal.account)

    def take_uses(self) -> Uses:
        """What ``save_uses`` has to write, once: the caller gives it back where it could not be written."""
        taken, self._unsaved = self._unsaved, {}
        return taken

    def give_back_uses(self, taken: Uses) -> None:
        """What was not written after all; what came meanwhile is newer and stays."""
        self._unsaved = {**taken, **self._unsaved}

    def forget_uses(self) -> None:
        """Nothing was used and nothing is to be written: the state went back to where it began."""
        self._used.clear()
        self._unsaved.clear()

    @staticmethod
    def save_uses(tx: Transaction, taken: Uses) -> None:
        """Write down when keys and roles were last used. Call within a unit of work."""
        of_key = "UPDATE iam_access_key SET last_used = ?, last_used_service = ?, last_used_region = ? WHERE access_key_id = ?"
        of_role = "UPDATE iam_role SET last_used = ?, last_used_region = ? WHERE account = ? AND role_id = ?"
        for key, use in taken.items():
            if key.startswith("AROA"):
                tx.run(of_role, use.at, use.region, use.account, key)
            else:
                tx.run(of_key, use.at, use.service, use.region, key)

    @property
    def has_unsaved_uses(self) -> bool:
        """Whether ``save_uses`` has something to write."""
        return bool(self._unsaved)

    def role(self, arn: str) -> Role | None:
        """A role by its ARN; None where there is none."""
        found: Role | None = self._roles.values.get(arn)
        return found or self._load_role(arn)

    def managed_document(self, arn: str) -> str | None:
        """The default version of a managed policy, the account's or AWS's; None where there is none."""
        if arn.startswith("arn:aws:iam::aws:policy/"):
            return self._aws_policy(arn)
        if arn.startswith(BOUNDARIES):
            return boundary_document(self._store.reading(), arn)
        row = self._store.reading().one(
            "SELECT v.document FROM iam_policy p JOIN iam_policy_version v"
            " ON v.account = p.account AND v.policy_id = p.policy_id AND v.version = p.default_version WHERE p.arn = ?",
            arn,
        )
        return None if row is None else str(row[0])

    def _load_role(self, arn: str) -> Role | None:
        try:
            named = parse_arn(arn)
        except ValueError:
            return None
        if named.service != "iam" or named.resource_type != "role":
            return None
        tx = self._store.reading()
        row = tx.one(
            "SELECT role_id, name, path, trust_resolved, max_session_duration FROM iam_role"
            " WHERE account = ? AND name_folded = ?",
            named.account,
            named.resource_name.lower(),
        )
        made_of: set[Dependency] = set()
        if row is None or f"arn:aws:iam::{named.account}:role{row[2]}{row[1]}" != arn or _is_closed(tx, named.account, made_of):
            return None
        role_id, name, _, trust, longest = row
        compiled = compile_policy(trust, "trust", id=arn, arn=arn, name=name)
        found = Role(named.account, role_id, arn, name, compiled, longest, _tags(tx, named.account, role_id))
        self._roles.put(arn, found, {("role", role_id), *made_of})
        return found

    def _dropper(self, kind: str) -> Callable[[str | None], None]:
        caches = (self._keys, self._sessions, self._inputs, self._policies, self._roles)

        def drop(key: str | None) -> None:
            for cache in caches:
                if key is None:
                    cache.clear()
                else:
                    cache.drop((kind, key))

        return drop

    # Long-term credentials

    def _load_key(self, access_key_id: str) -> Credential | None:
        tx = self._store.reading()
        row = tx.one("SELECT account, owner_id, secret, status FROM iam_access_key WHERE access_key_id = ?", access_key_id)
        if row is None or row[3] != "Active":
            # Not kept: a stranger could fill the cache with keys that do not exist.
            return None
        account, owner, sealed, _ = row
        secret = self._sealer.unseal("access-key", sealed, access_key_id.encode()).decode()
        made_of = {("access-key", access_key_id)}
        principal = self._owner(tx, account, owner, access_key_id, made_of)
        if principal is None:
            return None
        found = Credential(secret, principal, owner)
        self._keys.put(access_key_id, found, made_of)
        return found

    def _owner(self, tx: Transaction, account: str, owner: str, access_key_id: str, made_of: set[Dependency]) -> Principal | None:
        """The user, or the root user, that a long-term key or a GetSessionToken session is of; None in a closed account."""
        if _is_closed(tx, account, made_of):
            return None
        if owner == account:
            return Principal(
                kind="root", account=account, arn=f"arn:aws:iam::{account}:root", id=account, access_key_id=access_key_id
            )
        made_of.add(("user", owner))
        row = tx.one("SELECT name, path FROM iam_user WHERE account = ? AND user_id = ?", account, owner)
        if row is None:
            return None
        name, path = row
        return Principal(
            kind="user",
            account=account,
            arn=f"arn:aws:iam::{account}:user{path}{name}",
            id=owner,
            name=name,
            access_key_id=access_key_id,
            tags=_tags(tx, account, owner),
        )

    # Temporary credentials

    def _session(self, access_key_id: str, token: str, now: float) -> Credential:
        key = (access_key_id, token)
        found: Credential | None = self._sessions.values.get(key)
        if found is not None:
            session = found.principal.session
            if session is None or now >= session.expires_at:
                raise CommonError("expired_token")
            return found
        grant = open_token(self._sealer, access_key_id, token, now)
        made_of: set[Dependency] = set()
        principal = self._session_principal(grant, access_key_id, made_of)
        if principal is None:
            raise CommonError("unknown_access_key")
        found = Credential(grant.secret, principal, grant.owner_id)
        self._sessions.put(key, found, made_of)
        return found

    def _session_principal(self, grant: Grant, access_key_id: str, made_of: set[Dependency]) -> Principal | None:
        tx = self._store.reading()
        if grant.delegation and not self._delegated(tx, grant, made_of):
            return None
        if grant.kind == "assume-role":
            return self._role_session(tx, grant, access_key_id, made_of)
        owner = self._owner(tx, grant.account, grant.owner_id, access_key_id, made_of)
        if owner is None:
            return None
        session = _session(grant, issuer_arn=owner.arn, issuer_name=owner.name)
        if grant.kind in {"session-token", "assume-root", "sign-in", "delegated"}:
            return Principal(
                kind=owner.kind,
                account=owner.account,
                arn=owner.arn,
                id=owner.id,
                name=owner.name,
                access_key_id=access_key_id,
                session=session,
                tags=owner.tags,
            )
        return Principal(
            kind="federated-user",
            account=grant.account,
            arn=f"arn:aws:sts::{grant.account}:federated-user/{grant.session_name}",
            id=f"{grant.account}:{grant.session_name}",
            name=grant.session_name,
            access_key_id=access_key_id,
            session=session,
            tags=_merged(owner.tags, grant.tags),
        )

    @staticmethod
    def _delegated(tx: Transaction, grant: Grant, made_of: set[Dependency]) -> bool:
        """Whether a delegation still holds: its request is there, nobody revoked it, and the partner's account is open."""
        made_of.add(("delegation", grant.delegation))
        row = tx.one("SELECT revoked FROM iam_delegation_request WHERE request_id = ?", grant.delegation)
        return row is not None and not row[0] and not _is_closed(tx, grant.delegate, made_of)

    @staticmethod
    def _role_session(tx: Transaction, grant: Grant, access_key_id: str, made_of: set[Dependency]) -> Principal | None:
        made_of.add(("role", grant.owner_id))
        if _is_closed(tx, grant.account, made_of):
            return None
        row = tx.one("SELECT name, path FROM iam_role WHERE account = ? AND role_id = ?", grant.account, grant.owner_id)
        if row is None:
            return None
        name, path = row
        return Principal(
            kind="assumed-role",
            account=grant.account,
            arn=f"arn:aws:sts::{grant.account}:assumed-role/{name}/{grant.session_name}",
            id=f"{grant.owner_id}:{grant.session_name}",
            name=name,
            access_key_id=access_key_id,
            session=_session(grant, issuer_arn=f"arn:aws:iam::{grant.account}:role{path}{name}", issuer_name=name),
            tags=_merged(_tags(tx, grant.account, grant.owner_id), grant.tags),
        )

    # Policies

    def _load_inputs(
        self, credential: Credential, policies: tuple[str, ...], arns: tuple[str, ...], key: tuple[object, ...]
    ) -> PolicyInputs:
        account = credential.principal.account
        made_of: set[Dependency] = set()
        owner = self._owner_inputs(account, credential.owner, made_of)
        if not policies and not arns and not _is_federated(credential.principal):
            found = owner
        else:
            # A federated user without session policies may do nothing: its session set is there, and empty.
            inline = [compile_policy(text, "session", id=f"session-policy-{index}") for index, text in enumerate(policies)]
            attached = [self._managed(arn, "session", made_of) for arn in arns]
            if _is_root_task(credential.principal) and None not in attached:
                # Not without what denies all but the task: beside nothing it would be all that the root user may.
                attached.append(_ROOT_TASK)
            found = PolicyInputs(
                identity=owner.identity,
                boundary=owner.boundary,
                session=PolicySet([*inline, *(policy for policy in attached if policy is not None)]),
                scps=owner.scps,
            )
        found.scopes = _scopes(credential.principal.session)
        self._inputs.put(key, found, made_of)
        return found

    def _owner_inputs(self, account: str, owner: str, made_of: set[Dependency]) -> PolicyInputs:
        tx = self._store.reading()
        kind = "root" if owner == account else "role" if owner.startswith("AROA") else "user"
        made_of.add((kind, owner))
        scps = self._service_controls(tx, kind, account, owner, made_of)
        if kind == "root":
            return PolicyInputs(identity=PolicySet([]), boundary=None, session=None, scps=scps)
        policies = self._policies_of(tx, account, owner, made_of)
        if kind == "user":
            groups = tx.all(
                "SELECT group_id FROM iam_membership WHERE account = ? AND user_id = ? ORDER BY group_id", account, owner
            )
            for (group,) in groups:
                made_of.add(("group", group))
                policies += self._policies_of(tx, account, group, made_of)
        return PolicyInputs(
            identity=PolicySet(policies), boundary=self._boundary(tx, kind, account, owner, made_of), session=None, scps=scps
        )

    def _service_controls(
        self, tx: Transaction, kind: str, account: str, owner: str, made_of: set[Dependency]
    ) -> tuple[PolicySet, ...]:
        """The SCPs of the account; none for a service-linked role, whose service nobody's organization bounds."""
        if kind == "role":
            row = tx.one("SELECT service FROM iam_role WHERE account = ? AND role_id = ?", account, owner)
            if row is not None and row[0] is not None:
                return ()
        return self.memberships.service_controls(account, made_of)

    def _policies_of(self, tx: Transaction, account: str, owner: str, made_of: set[Dependency]) -> list[Policy]:
        inline = tx.all(
            "SELECT name, document FROM iam_inline_policy WHERE account = ? AND owner_id = ? ORDER BY name", account, owner
        )
        found = [compile_policy(text, "identity", id=f"{owner}/{name}", name=name, attached_to=owner) for name, text in inline]
        attached = tx.all(
            "SELECT policy_arn FROM iam_attachment WHERE account = ? AND owner_id = ? ORDER BY policy_arn", account, owner
        )
        found += [policy for (arn,) in attached if (policy := self._managed(arn, "identity", made_of)) is not None]
        return found

    def _boundary(self, tx: Transaction, kind: str, account: str, owner: str, made_of: set[Dependency]) -> PolicySet | None:
        query = {
            "user": "SELECT boundary_arn FROM iam_user WHERE account = ? AND user_id = ?",
            "role": "SELECT boundary_arn FROM iam_role WHERE account = ? AND role_id = ?",
        }[kind]
        row = tx.one(query, account, owner)
        if row is None or row[0] is None:
            return None
        policy = self._managed(row[0], "boundary", made_of)
        # A boundary whose policy is gone allows nothing.
        return PolicySet([policy] if policy is not None else [])

    def _managed(self, arn: str, kind: Any, made_of: set[Dependency]) -> Policy | None:  # noqa: ANN401 - a policy kind
        """A managed policy's default version, compiled once for all who have it."""
        made_of.add(("policy", arn))
        key = (arn, kind)
        found: Policy | None = self._policies.values.get(key)
        if found is None:
            text = self.managed_document(arn)
            if text is None:
                return None
            found = compile_policy(text, kind, id=arn, arn=arn, name=arn.rpartition("/")[2])
            self._policies.put(key, found, (("policy", arn),))
        return found


def _is_federated(principal: Principal) -> bool:
    """Whether the session policies are a bound even where there are none."""
    return principal.session is not None and principal.session.kind == "federation-token"


_ROOT_TASK = compile_policy(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', "session", id="root-task"
)
"""Beside the policy of a privileged task, which only denies: all else is the root user's."""


def _is_root_task(principal: Principal) -> bool:
    """Whether the session is one of AssumeRoot."""
    return principal.session is not None and principal.session.kind == "assume-root"


def _is_closed(tx: Transaction, account: str, made_of: set[Dependency]) -> bool:
    """Whether nobody may sign for an account any more."""
    made_of.add(("account", account))
    row = tx.one("SELECT state FROM account WHERE id = ?", account)
    return row is not None and row[0] != "ACTIVE"


def _scopes(session: Session | None) -> tuple[PolicySet, ...]:
    """What scoped a session down: one set a layer, each of which must allow."""
    texts = session.scopes if session is not None else ()
    return tuple(PolicySet([compile_policy(text, "session", id=f"scope-policy-{at}")]) for at, text in enumerate(texts))


def _session(grant: Grant, *, issuer_arn: str, issuer_name: str) -> Session:
    return Session(
        issued_at=grant.issued_at,
        expires_at=grant.expires_at,
        issuer_arn=issuer_arn,
        issuer_id=grant.owner_id,
        issuer_name=issuer_name,
        session_name=grant.session_name,
        tags=grant.tags,
        transitive_tags=tuple(grant.transitive_tags),
        source_identity=grant.source_identity,
        policies=tuple(grant.policies),
        policy_arns=tuple(grant.policy_arns),
        mfa_at=grant.mfa_at,
        chained=grant.chained,
        kind=grant.kind,
        scopes=tuple(grant.scopes),
        signin_session=grant.signin_session,
        provider=grant.provider,
        claims=grant.claims,
        delegate=grant.delegate,
        delegation=grant.delegation,
    )


def _tags(tx: Transaction, account: str, owner: str) -> dict[str, str]:
    return dict(tx.all("SELECT tag_key, tag_value FROM iam_tag WHERE account = ? AND resource_id = ?", account, owner))


def _merged(owner: Any, session: Any) -> dict[str, str]:  # noqa: ANN401 - mappings of text
    """The owner's tags with the session's over them; keys differ by more than case."""
    taken = {key.lower() for key in session}
    return {**{key: value for key, value in owner.items() if key.lower() not in taken}, **session}
