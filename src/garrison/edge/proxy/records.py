"""AWS WAF's log record, format version 1, of one inspection. Pure.

Sources: AWS WAF Developer Guide, "Log fields for web ACL traffic" and "Log examples for web ACL traffic".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from garrison.core.arn import parse_arn
from garrison.edge import privacy
from garrison.edge.inspect import Action, GroupResult, MatchDetail, RateResult, RuleMatch, Verdict, WebRequest
from garrison.edge.inspect.verdict import TokenAnswer
from garrison.edge.listeners import is_api
from garrison.edge.privacy import Privacy, shown_header, shown_query

LABELS: Final = 100
HEADERS: Final = 200
VALUE: Final = 8192
"""Characters of a value that a record keeps."""
_STATUS: Final[Mapping[Action, int]] = {Action.CAPTCHA: 405, Action.CHALLENGE: 202}
_DETAILED: Final = frozenset({"SQL_INJECTION", "XSS"})
"""Conditions whose matches AWS's records detail."""
_KINDS: Final[Mapping[str, str]] = {
    "HEADER": privacy.HEADER,
    "ALL_HEADERS": privacy.HEADER,
    "COOKIE": privacy.COOKIE,
    "ALL_COOKIES": privacy.COOKIE,
    "SINGLE_QUERY_ARG": privacy.ARGUMENT,
    "QUERY_ARGUMENT": privacy.ARGUMENT,
    "ALL_QUERY_ARGS": privacy.ARGUMENT,
    "QUERY_STRING": privacy.QUERY,
    "URI": privacy.PATH,
    "URI_PATH": privacy.PATH,
    "BODY": privacy.BODY,
    "JSON_BODY": privacy.BODY,
    "METHOD": privacy.METHOD,
    "HTTP_METHOD": privacy.METHOD,
}
"""Locations of matches and keys of rates, as the kinds of fields that are masked."""
Record = dict[str, Any]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")[:VALUE]


def record(request: WebRequest, verdict: Verdict, source: str, acl_arn: str, masks: Privacy) -> Record:
    """The record of an inspection. ``source`` is the ARN of what was protected, ``acl_arn`` that of the web ACL."""
    found: Record = {
        "timestamp": int(request.time * 1000),
        "formatVersion": 1,
        "webaclId": acl_arn,
        "terminatingRuleId": verdict.rule,
        "terminatingRuleType": str(verdict.kind),
        "action": str(verdict.action),
        "terminatingRuleMatchDetails": _details(verdict.details, masks),
        **_source(source, acl_arn),
        "ruleGroupList": [_group(each, masks) for each in verdict.groups],
        "rateBasedRuleList": [_rate(each, masks) for each in verdict.rates],
        "nonTerminatingMatchingRules": [_match(each, verdict, masks) for each in verdict.matches],
        "requestHeadersInserted": [{"name": name, "value": value} for name, value in verdict.inserted] or None,
        "responseCodeSent": _status(verdict),
        "httpRequest": _request(request, masks),
    }
    if verdict.labels:
        found["labels"] = [{"name": label} for label in verdict.labels[:LABELS]]
    for member, answer in (("captchaResponse", verdict.captcha), ("challengeResponse", verdict.challenge)):
        if answer is not None:
            found[member] = _token(answer)
    if verdict.overridden is not None:
        found["overriddenAction"] = str(verdict.overridden)
    return {**found, **_measures(request, verdict)}


@lru_cache(maxsize=64)
def _source(arn: str, acl_arn: str) -> Mapping[str, str]:
    """What was protected. A stage of API Gateway is ``account:API:stage``, as in AWS's examples; its ARN has no account."""
    if is_api(arn):
        _, _, api, _, stage = parse_arn(arn).resource.split("/")
        return {"httpSourceName": "APIGW", "httpSourceId": f"{parse_arn(acl_arn).account}:{api}:{stage}"}
    return {"httpSourceName": "ALB", "httpSourceId": source_id(arn)}


def source_id(arn: str) -> str:
    """``httpSourceId`` of a load balancer: account, Region and the path of its ARN."""
    try:
        parts = parse_arn(arn)
    except ValueError:
        return "-"
    return f"{parts.account}-{parts.resource.removeprefix('loadbalancer/')}"


def _status(verdict: Verdict) -> int | None:
    """The status of an answer that a rule chose: only of a custom response, and of the pages."""
    if verdict.action is Action.BLOCK and verdict.response is not None and _is_custom(verdict):
        return verdict.response.status
    return _STATUS.get(verdict.action)


def _is_custom(verdict: Verdict) -> bool:
    response = verdict.response
    return response is not None and (response.status != 403 or response.body is not None or bool(response.headers))


def _measures(request: WebRequest, verdict: Verdict) -> Record:
    found: Record = {
        "ja3Fingerprint": request.ja3,
        "ja4Fingerprint": request.ja4,
        "requestBodySize": request.body_size,
        "requestBodySizeInspectedByWAF": verdict.body_inspected,
        "oversizeFields": sorted(verdict.oversize),
        "clientAsn": request.asn,
    }
    return {name: value for name, value in found.items() if value or name.startswith("requestBody")}


def _details(details: Iterable[MatchDetail], masks: Privacy) -> list[Record]:
    return [_detail(each, masks) for each in details if each.condition in _DETAILED]


def _detail(detail: MatchDetail, masks: Privacy) -> Record:
    kind = _KINDS.get(detail.location, detail.location)
    found: Record = {"conditionType": detail.condition}
    if detail.sensitivity:
        found["sensitivityLevel"] = detail.sensitivity
    found["location"] = detail.location
    found["matchedData"] = [_in_match(kind, _text(each), detail.field, masks) for each in detail.matched]
    if detail.field:
        found["matchedFieldName"] = detail.field
    return found


def _in_match(kind: str, value: str, name: str, masks: Privacy) -> str:
    """What matched. Where it is not said in which of several fields, and one of them is masked, it is masked too."""
    if kind == privacy.ARGUMENT and masks.has(privacy.QUERY):
        return masks.shown_in_match(privacy.QUERY, value)
    hidden = privacy.ARGUMENT if kind == privacy.QUERY else kind
    if not name and (hidden == privacy.HEADER or masks.has(hidden)) and kind not in {privacy.BODY, privacy.PATH, privacy.METHOD}:
        return privacy.REDACTED
    return masks.shown_in_match(kind, value, name)


def _match(match: RuleMatch, verdict: Verdict, masks: Privacy) -> Record:
    found: Record = {"ruleId": match.rule, "action": str(match.action), "ruleMatchDetails": _details(match.details, masks)}
    if match.overridden is not None:
        found["overriddenAction"] = str(match.overridden)
    answer = {Action.CAPTCHA: verdict.captcha, Action.CHALLENGE: verdict.challenge}.get(match.action)
    if answer is not None:
        found[f"{match.action.lower()}Response"] = _token(answer)
    return found


def _group(group: GroupResult, masks: Privacy) -> Record:
    terminating = group.terminating
    shown: Record | None = None
    if terminating is not None:
        shown = {
            "ruleId": terminating.rule,
            "action": str(terminating.action),
            "ruleMatchDetails": _details(terminating.details, masks) or None,
        }
        if terminating.overridden is not None:
            shown["overriddenAction"] = str(terminating.overridden)
    return {
        "ruleGroupId": f"{group.group}#{group.version}" if group.version else group.group,
        "terminatingRule": shown,
        "nonTerminatingMatchingRules": [_in_group(each, masks) for each in group.non_terminating],
        "excludedRules": [{"exclusionType": "EXCLUDED_AS_COUNT", "ruleId": each} for each in group.excluded] or None,
        "customerConfig": None,
    }


def _in_group(match: RuleMatch, masks: Privacy) -> Record:
    found: Record = {"ruleId": match.rule, "action": str(match.action), "ruleMatchDetails": _details(match.details, masks)}
    if match.overridden is not None:
        found["overriddenAction"] = str(match.overridden)
    return found


def _rate(rate: RateResult, masks: Privacy) -> Record:
    found: Record = {
        "rateBasedRuleId": rate.rule_id,
        "rateBasedRuleName": rate.rule,
        "limitKey": rate.limit_key,
        "maxRateAllowed": rate.limit,
        "evaluationWindowSec": str(rate.window),
    }
    if rate.limit_value:
        found["limitValue"] = rate.limit_value
    if rate.custom:
        found["customValues"] = [_custom(key, name, value, masks) for key, name, value in rate.custom]
    return found


def _custom(key: str, name: str, value: str, masks: Privacy) -> Record:
    found: Record = {"key": key}
    if name:
        found["name"] = name
    found["value"] = masks.shown_in_rate(_KINDS.get(key, key), value[:VALUE], name)
    return found


def _token(answer: TokenAnswer) -> Record:
    found: Record = {"responseCode": answer.status}
    if answer.solved is not None:
        found["solveTimestamp"] = int(answer.solved)
    if answer.failure is not None:
        found["failureReason"] = answer.failure
    return found


def _request(request: WebRequest, masks: Privacy) -> Record:
    found: Record = {
        "clientIp": request.source_ip,
        "country": request.country or "-",
        "headers": [_header(name, value, masks) for name, value in request.headers[:HEADERS]],
        "uri": masks.shown(privacy.PATH, _text(request.path)),
        "args": shown_query(_text(request.query), masks),
        "httpVersion": request.http_version,
        "httpMethod": masks.shown(privacy.METHOD, request.method),
        "requestId": request.request_id,
    }
    if request.fragment is not None:
        found["fragment"] = _text(request.fragment)
    return {**found, "scheme": request.scheme, "host": request.host}


def _header(name: bytes, value: bytes, masks: Privacy) -> Record:
    title = name.decode("latin-1")
    return {"name": title, "value": shown_header(title, _text(value), masks)}
