"""Why a call was allowed or denied, from what the audit trail kept.

What decided stands in the trail, as it was decided: outcome, statements, the policies that were looked at, condition keys.
Why each other statement did not apply is found by asking the policies again; the record has a digest of each, so that it is
said of every one whether it is still the policy that was asked then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from garrison import policy as engine
from garrison.core.clock import from_iso8601
from garrison.core.context import Call
from garrison.core.operation import Target
from garrison.core.principal import Principal, Session
from garrison.identity.iam import managed
from garrison.identity.memberships import AWS_CONTENT
from garrison.policy import MalformedPolicy, Policy, Request, compile_policy, global_context
from garrison.policy.compile import mark_of
from garrison.store import Store


class Seen(NamedTuple):
    """One policy that was looked at."""

    name: str
    """Its ARN, ``owner's id/name`` of an inline policy, or what it is (``key policy``)."""
    kind: str
    shown: str
    state: str
    """``unchanged``, ``changed``, ``gone`` or ``not kept``."""
    statements: tuple[Mapping[str, Any], ...]
    """What each statement says to the request, as ``policy.explain`` reports it; empty where there is no text to ask."""
    sources: tuple[str, ...]
    """Each statement's JSON, on one line."""


# What is there


def decisions_of(decision: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The decision of an event and the further ones that its call needed; none where no policy was asked."""
    return [decision, *decision.get("further", ())] if decision else []


def looked_at(store: Store, event: Mapping[str, Any], decision: Mapping[str, Any]) -> list[Seen]:
    """Every policy of a decision, asked again with the request as it was."""
    names = decision.get("considered", ())
    marks = decision.get("marks", ()) or ("",) * len(names)
    return [_seen(store, event, decision, name, mark) for name, mark in zip(names, marks, strict=True)]


def _seen(store: Store, event: Mapping[str, Any], decision: Mapping[str, Any], name: str, mark: str) -> Seen:
    kind: Any = mark.partition(":")[0] or "identity"
    shown = shown_name(store, name, kind)
    if kind == "session" and not name.startswith("arn:"):
        return Seen(name, kind, shown, "not kept", (), ())
    text = _text(store, decision, name, kind)
    if text is None:
        return Seen(name, kind, shown, "gone", (), ())
    try:
        policy = compile_policy(text, kind, id=name, name=name)
    except MalformedPolicy:
        return Seen(name, kind, shown, "changed", (), ())
    state = "unchanged" if mark_of(kind, text) == mark else "changed"
    statements = tuple(_ask(policy, event, decision))
    sources = tuple(json.dumps(statement) for statement in _statements(text))
    return Seen(name, kind, shown, state, statements, sources)


def _statements(text: str) -> list[Any]:
    found = json.loads(text)["Statement"]
    return found if isinstance(found, list) else [found]


def _text(store: Store, decision: Mapping[str, Any], name: str, kind: str) -> str | None:
    """A policy's text as it is now."""
    if kind == "resource" and name == "key policy":
        _, _, _, region, _, key = str(decision.get("resource", "")).split(":", 5)
        return _one(store, "SELECT policy_resolved FROM kms_key WHERE region = ? AND key_id = ?", region, key.partition("/")[2])
    if kind == "trust":
        account, role = name.split(":", 5)[4], name.rpartition("/")[2]
        return _one(store, "SELECT trust_resolved FROM iam_role WHERE account = ? AND name_folded = ?", account, role.lower())
    if kind in {"scp", "rcp"}:
        return _of_organization(store, name)
    if name.startswith("arn:"):
        return _managed(store, name)
    owner, _, inline = name.partition("/")
    return _one(store, "SELECT document FROM iam_inline_policy WHERE owner_id = ? AND name = ?", owner, inline)


def _of_organization(store: Store, arn: str) -> str | None:
    """A policy of an organization, or one of those that AWS attaches to everything."""
    return AWS_CONTENT.get(arn.rpartition("/")[2]) or _one(store, "SELECT content FROM org_policy WHERE arn = ?", arn)


def _managed(store: Store, arn: str) -> str | None:
    if arn.startswith("arn:aws:iam::aws:policy/"):
        return managed.document(arn)
    return _one(
        store,
        "SELECT v.document FROM iam_policy p JOIN iam_policy_version v"
        " ON v.account = p.account AND v.policy_id = p.policy_id AND v.version = p.default_version WHERE p.arn = ?",
        arn,
    )


def _one(store: Store, sql: str, *parameters: str) -> str | None:
    row = store.reading().one(sql, *parameters)
    return None if row is None else str(row[0])


_OWNERS = {
    "AIDA": ("user", "SELECT name FROM iam_user WHERE user_id = ?"),
    "AROA": ("role", "SELECT name FROM iam_role WHERE role_id = ?"),
    "AGPA": ("group", "SELECT name FROM iam_group WHERE group_id = ?"),
}


def shown_name(store: Store, name: str, kind: str) -> str:
    """A policy as people know it: the inline ones by the name of their owner."""
    owner, slash, inline = name.partition("/")
    known = _OWNERS.get(owner[:4])
    if kind == "trust":
        return f"the trust policy of {name}"
    if not slash or known is None or name.startswith("arn:"):
        return name
    what, sql = known
    return f"{inline} (inline, {what} {_one(store, sql, owner) or owner})"


# Asking again


def _ask(policy: Policy, event: Mapping[str, Any], decision: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What every statement of a policy says to the request of the event."""
    request = request_of(event, decision)
    bounded = any(mark.startswith("boundary:") for mark in decision.get("marks", ()))
    inputs = engine.PolicyInputs(engine.PolicySet([policy]), boundary=engine.PolicySet() if bounded else None)
    asked = engine.authorize(request, inputs)
    yield from engine.explain(asked).as_json()["statements"]


def request_of(event: Mapping[str, Any], decision: Mapping[str, Any]) -> Request:
    """The question as the record has it. Keys that nobody read at the time come out of the event."""
    principal = _principal(event["userIdentity"], decision.get("keys", {}))
    resource = str(decision.get("resource", "*"))
    account = resource.split(":", 5)[4] if resource.count(":") >= 5 else principal.account
    call = Call(event["sourceIPAddress"], event.get("userAgent") or "", secure="tlsDetails" in event)
    context = global_context(
        principal,
        call,
        now=from_iso8601(event["eventTime"]),
        region=event["awsRegion"],
        target=Target(resource, account or principal.account),
        extra=decision.get("keys", {}),
    )
    return Request(str(decision.get("action", "")), resource, account, principal, context)


_KINDS: Mapping[str, Any] = {
    "Root": "root",
    "IAMUser": "user",
    "AssumedRole": "assumed-role",
    "FederatedUser": "federated-user",
    "AWSService": "service",
    "WebIdentityUser": "web-identity",
    "SAMLUser": "saml",
}


def _principal(identity: Mapping[str, Any], keys: Mapping[str, Any]) -> Principal:
    session = None
    if "sessionContext" in identity:
        context = identity["sessionContext"]
        issuer = context.get("sessionIssuer", {})
        session = Session(
            issued_at=from_iso8601(context["attributes"]["creationDate"]),
            expires_at=0.0,
            issuer_arn=issuer.get("arn", ""),
            issuer_id=issuer.get("principalId", ""),
            issuer_name=issuer.get("userName", ""),
            source_identity=context.get("sourceIdentity", ""),
        )
    prefix = "aws:principaltag/"
    return Principal(
        kind=_KINDS.get(identity.get("type", ""), "anonymous"),
        account=identity.get("accountId", ""),
        arn=identity.get("arn", ""),
        id=identity.get("principalId", ""),
        name=identity.get("userName", ""),
        session=session,
        tags={key.removeprefix(prefix): str(value) for key, value in keys.items() if key.startswith(prefix)},
        service=identity.get("invokedBy", ""),
    )


# The story


def told(store: Store, entry: Mapping[str, Any]) -> str:
    """The story of an event as ``Trail`` answers it, in lines."""
    decisions = decisions_of(entry["decision"])
    return "\n".join(story(entry["event"], decisions, [looked_at(store, entry["event"], one) for one in decisions]))


_OUTCOMES = {"allowed": "ALLOWED", "implicitDeny": "DENIED: nothing allows it", "explicitDeny": "DENIED by an explicit deny"}
_LEVELS = {
    "identity": "identity-based policies",
    "resource": "the resource's policy",
    "trust": "the role's trust policy",
    "boundary": "the permissions boundary",
    "session": "the session policies",
    "scp": "service control policies",
    "rcp": "resource control policies",
    "root": "the account's root user",
}
_STATES = {
    "unchanged": "",
    "changed": "   (changed since; as it is now)",
    "gone": "   (gone since)",
    "not kept": "   (its text is not kept)",
}


def story(event: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]], looked: Sequence[Sequence[Seen]]) -> Iterator[str]:
    """The lines that a person reads."""
    who = event["userIdentity"].get("arn") or event["userIdentity"].get("accountId") or event["userIdentity"].get("type", "")
    yield f"{event['eventTime']}  {who}"
    yield f"  {event['eventSource'].partition('.')[0]}:{event['eventName']} from {event['sourceIPAddress']}"
    if event.get("errorCode"):
        yield f"  answered {event['errorCode']}: {event.get('errorMessage', '')}"
    if not decisions:
        yield "  No policy was asked: the call was refused before, or needs no permission."
    for decision, policies in zip(decisions, looked, strict=True):
        yield ""
        yield from _decision(decision, policies)


def _decision(decision: Mapping[str, Any], policies: Sequence[Seen]) -> Iterator[str]:
    level = _LEVELS.get(decision.get("policy_type", ""), decision.get("policy_type", ""))
    yield f"  {decision.get('action')} on {decision.get('resource')}"
    yield f"  {_OUTCOMES.get(decision['outcome'], decision['outcome'])}, decided by {level}"
    by_name = {seen.name: seen for seen in policies}
    decided = set()
    for matched in decision.get("matched", ()):
        decided.add((matched["policy"], matched["statement"]))
        yield from _matched(matched, by_name.get(matched["policy"]))
    if decision.get("grant"):
        yield f"    decided by  grant {decision['grant']} in the place of the resource's policy"
    for seen in policies:
        yield from _policy(seen, decided)
    if not policies and decision.get("policy_type") != "root":
        yield "    looked at   no policy: there is none that could speak"
    for key, value in sorted(decision.get("keys", {}).items()):
        yield f"    key         {key} = {json.dumps(value)}"


def _matched(matched: Mapping[str, Any], seen: Seen | None) -> Iterator[str]:
    sid = f" ({matched['sid']})" if matched.get("sid") else ""
    name = seen.shown if seen else matched["policy"]
    yield f"    decided by  {matched['effect']} statement {matched['statement'] + 1}{sid} of {name}"
    if seen and seen.state == "unchanged" and matched["statement"] < len(seen.sources):
        yield f"                {seen.sources[matched['statement']]}"
    elif seen:
        yield f"                its text is not shown: the policy is {seen.state}"


def _policy(seen: Seen, decided: set[tuple[str, int]]) -> Iterator[str]:
    yield f"    looked at   {seen.shown}{_STATES[seen.state]}"
    silent = 0
    for statement in seen.statements:
        if seen.state == "unchanged" and (seen.name, statement["index"]) in decided:
            continue
        if not statement["action"] and not statement["sid"]:
            silent += 1
            continue
        sid = f" ({statement['sid']})" if statement["sid"] else ""
        yield f"                {statement['effect']} statement {statement['index'] + 1}{sid}: {verdict(statement)}"
    if silent:
        yield f"                {silent} more {'statement speaks' if silent == 1 else 'statements speak'} of other actions"


def verdict(statement: Mapping[str, Any]) -> str:
    """Whether a statement applies to the request, and why not; ``statement`` is as ``policy.explain`` reports it."""
    return "; ".join(_reasons(statement)) or _applies(statement)


def _applies(statement: Mapping[str, Any]) -> str:
    if not statement["applies"]:
        return "does not apply"
    if statement["effect"] == "Allow" and statement["principal"] == "by its account":
        return "applies to the whole account: the caller's own policies must allow it too"
    return "applies"


def _reasons(statement: Mapping[str, Any]) -> Iterator[str]:
    """Why a statement does not apply."""
    if not statement["action"]:
        yield "speaks of other actions"
        return
    if not statement["resource"]:
        yield "speaks of other resources"
    if statement["principal"] == "no":
        yield "names other principals"
    for condition in statement["conditions"]:
        if not condition["matched"]:
            actual = (
                "the request has none" if condition["actual"] is None else f"the request has {json.dumps(condition['actual'])}"
            )
            yield f"{condition['operator']} {condition['key']} wants {_listed(condition['expected'])}, {actual}"


def _listed(values: Sequence[str]) -> str:
    return " or ".join(map(json.dumps, values))
