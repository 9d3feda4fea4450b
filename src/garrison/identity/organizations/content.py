"""What the content of a policy must be, by its type. Pure.

Authorization policies (SCP, RCP) are read by the policy engine; every other type is a JSON document with inheritance operators
under one top key, whose shape is held against what AWS documents for the type. Sources: AWS Organizations User Guide, "SCP
syntax", "RCP syntax", and "… policy syntax and examples" of every other type; "Quotas for AWS Organizations" for sizes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from garrison.identity.memberships import KINDS, RCP, RCP_SERVICES, SCP
from garrison.identity.organizations.inheritance import CONTROL, is_setting, operators_of, plain_value
from garrison.policy import Document, MalformedPolicy, parse_policy


class Kind(NamedTuple):
    """The limits of a type of policy."""

    size: int
    """Characters, white space included."""
    attached: int
    """To one root, unit or account, at most."""
    policies: int
    """In an organization."""


TYPES: Mapping[str, Kind] = {
    SCP: Kind(5120, 5, 10_000),
    RCP: Kind(5120, 5, 1000),
    "TAG_POLICY": Kind(10_000, 10, 1000),
    "BACKUP_POLICY": Kind(10_000, 10, 1000),
    "AISERVICES_OPT_OUT_POLICY": Kind(2500, 5, 1000),
    "CHATBOT_POLICY": Kind(10_000, 5, 1000),
    "DECLARATIVE_POLICY_EC2": Kind(10_000, 10, 1000),
    "SECURITYHUB_POLICY": Kind(10_000, 10, 1000),
    "SECURITYHUB_CSPM_POLICY": Kind(10_000, 10, 1000),
    "INSPECTOR_POLICY": Kind(10_000, 10, 1000),
    "UPGRADE_ROLLOUT_POLICY": Kind(5120, 10, 1000),
    "BEDROCK_POLICY": Kind(10_000, 10, 1000),
    "S3_POLICY": Kind(10_000, 10, 1000),
    "NETWORK_SECURITY_DIRECTOR_POLICY": Kind(10_000, 10, 1000),
    "GUARDDUTY_POLICY": Kind(10_000, 10, 1000),
}
"""Every type of the API."""


class Wrong(ValueError):  # noqa: N818 - what it is
    """Content that is not of its type, at a path of keys."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(message)
        self.code, self.path = code, path


def check_content(kind: str, text: str) -> None:
    """Raises Wrong."""
    if kind == SCP:
        _control(kind, text)
    elif kind == RCP:
        _only_supported_services(_control(kind, text))
    else:
        _check(_SHAPES[kind], document_of(text), "")


def _control(kind: str, text: str) -> Document:
    try:
        return parse_policy(text, KINDS[kind])
    except MalformedPolicy as error:
        raise Wrong("MALFORMED", "", str(error)) from error


def _only_supported_services(document: Document) -> None:
    for statement in document.statements:
        for action in statement.actions or ():
            if action != "*" and action.partition(":")[0].lower() not in RCP_SERVICES:
                raise Wrong("UNSUPPORTED_ACTION", "", f"{action} is of no service that supports RCPs")


def document_of(text: str) -> dict[str, Any]:
    """A JSON object without a key twice. Raises Wrong."""
    try:
        found = json.loads(text, object_pairs_hook=_unique)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate names nothing and cannot be stored
    except (ValueError, RecursionError) as error:
        raise Wrong("MALFORMED", "", "not JSON") from error
    if not isinstance(found, dict):
        raise Wrong("MALFORMED", "", "no JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return found


# Shapes: what may stand where. A Branch holds further keys; a Leaf is a setting, given through operators.


class Leaf(NamedTuple):
    """A setting."""

    many: bool = False
    """A list of texts, which may be appended to and removed from."""
    form: re.Pattern[str] | None = None
    """What each text looks like."""


class Branch(NamedTuple):
    """An object: keys by name, and what any other key holds (None: there is none)."""

    keys: Mapping[str, Any]
    others: Any = None
    required: tuple[str, ...] = ()
    """Of the effective policy: a child policy may give a part alone."""
    name: re.Pattern[str] | None = None
    """What other keys look like."""


class Open(NamedTuple):
    """An object whose keys AWS does not all document: any keys, and settings below them."""

    depth: int = 8


Shape = Branch | Leaf | Open


def _check(shape: Shape, value: Any, path: str) -> None:  # noqa: ANN401 - a document's value
    if isinstance(shape, Open) and isinstance(value, dict) and is_setting(value):
        shape = Leaf(many=any(isinstance(given, list) for given in operators_of(value).values()))
    if isinstance(shape, Leaf):
        _check_setting(shape, value, path)
        return
    if not isinstance(value, dict) or (not value and not path):
        raise Wrong("WRONG_TYPE", path, "an object must stand here")
    for key, inner in value.items():
        if key == CONTROL:
            _check_control(inner, _at(path, key))
        else:
            _check(_inside(shape, key, path), inner, _at(path, key))


def _inside(shape: Branch | Open, key: str, path: str) -> Shape:
    if isinstance(shape, Open):
        if key.startswith("@@") or not shape.depth:
            raise Wrong("UNKNOWN_KEY", _at(path, key), f"the key {key} is not known here")
        return Open(shape.depth - 1)
    found = shape.keys.get(key, shape.others)
    known = key in shape.keys or shape.name is None or shape.name.fullmatch(key) is not None
    if key.startswith("@@") or found is None or not known:
        raise Wrong("UNKNOWN_KEY", _at(path, key), f"the key {key} is not known here")
    inside: Shape = found
    return inside


def _check_setting(shape: Leaf, value: Any, path: str) -> None:  # noqa: ANN401 - a document's value
    if not isinstance(value, dict) or not value or not is_setting(value):
        raise Wrong("OPERATOR_MISSING", path, "a setting is given through an inheritance operator")
    for operator, given in operators_of(value).items():
        if operator != "@@assign" and not shape.many:
            raise Wrong("OPERATOR_NOT_ALLOWED", _at(path, operator), "only @@assign sets a single value")
        check_value(shape, given, _at(path, operator))
    if CONTROL in value:
        _check_control(value[CONTROL], _at(path, CONTROL))


def check_value(shape: Leaf, value: Any, path: str) -> None:  # noqa: ANN401 - a document's value
    """A setting's value. Raises Wrong."""
    texts = value if isinstance(value, list) else [value]
    if isinstance(value, list) is not shape.many or not all(plain_value(text) for text in texts):
        raise Wrong("WRONG_TYPE", path, "a list of texts must stand here" if shape.many else "one text must stand here")
    if shape.form is not None and not all(shape.form.fullmatch(_text(text)) for text in texts):
        raise Wrong("INVALID_VALUE", path, "the value is not one that this setting knows")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_ALLOWED = frozenset({"@@all", "@@none", "@@assign", "@@append", "@@remove"})


def _check_control(value: Any, path: str) -> None:  # noqa: ANN401 - a document's value
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text in _ALLOWED for text in value):
        raise Wrong("INVALID_VALUE", path, "operators for child policies are listed here")
    if len(value) > 1 and {"@@all", "@@none"} & set(value):
        raise Wrong("INVALID_VALUE", path, "@@all and @@none stand alone")


def _at(path: str, key: str) -> str:
    return f"{path}/{key}" if path else key


def _one(*values: str) -> Leaf:
    return Leaf(form=re.compile("|".join(map(re.escape, values))))


_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d|ALL_SUPPORTED")
_REGIONS = Branch({"enable_in_regions": Leaf(many=True, form=_REGION), "disable_in_regions": Leaf(many=True, form=_REGION)})
_MINUTES = Leaf(form=re.compile(r"\d{1,7}"))
_DAYS = Leaf(form=re.compile(r"-?\d{1,5}"))
_ON_OFF = _one("enabled", "disabled")
_TRUTH = _one("true", "false")
_LIFECYCLE = Branch(
    {
        "move_to_cold_storage_after_days": _DAYS,
        "delete_after_days": _DAYS,
        "opt_in_to_archive_for_supported_resources": _TRUTH,
        "delete_after_event": Leaf(),
    }
)
_RULE = Branch(
    {
        "schedule_expression": Leaf(),
        "schedule_expression_timezone": Leaf(),
        "start_backup_window_minutes": _MINUTES,
        "complete_backup_window_minutes": _MINUTES,
        "target_backup_vault_name": Leaf(),
        "target_logically_air_gapped_backup_vault_arn": Leaf(),
        "enable_continuous_backup": _TRUTH,
        "index_actions": Branch({"resource_types": Leaf(many=True)}),
        "lifecycle": _LIFECYCLE,
        "recovery_point_tags": Branch({}, Branch({"tag_key": Leaf(), "tag_value": Leaf()})),
        "scan_actions": Branch({}, Branch({"scan_mode": Leaf()})),
        "copy_actions": Branch({}, Branch({"target_backup_vault_arn": Leaf(), "lifecycle": _LIFECYCLE})),
    },
    required=("schedule_expression", "target_backup_vault_name"),
)
_SELECTION = Branch(
    {},
    Branch(
        {
            "iam_role_arn": Leaf(),
            "resource_types": Leaf(many=True),
            "not_resource_types": Leaf(many=True),
            "tag_key": Leaf(),
            "tag_value": Leaf(many=True),
            "conditions": Branch({}, Branch({}, Branch({"condition_key": Leaf(), "condition_value": Leaf()}))),
        }
    ),
)
_PLAN = Branch(
    {
        "regions": Leaf(many=True, form=re.compile(_REGION.pattern)),
        "rules": Branch({}, _RULE),
        "selections": Branch({"tags": _SELECTION, "resources": _SELECTION}),
        "advanced_backup_settings": Branch({"ec2": Branch({"windows_vss": _ON_OFF})}),
        "backup_plan_tags": Branch({}, Branch({"tag_key": Leaf(), "tag_value": Leaf()})),
        "scan_settings": Branch({}, Branch({"scanner_role_arn": Leaf(), "resource_types": Leaf(many=True)})),
    },
    required=("regions", "rules", "selections"),
)
_CHAT = Branch(
    {
        "client": _ON_OFF,
        "workspaces": Leaf(many=True),
        "tenants": Branch({}, Leaf(many=True)),
        "default": Branch({"supported_channel_types": Leaf(many=True), "supported_role_settings": Leaf(many=True)}),
        "overrides": Branch({}, Branch({"supported_channel_types": Leaf(many=True), "supported_role_settings": Leaf(many=True)})),
    }
)
_PUBLIC = Branch({"state": Leaf(form=re.compile(r"unblocked|block_new_sharing|block_all_sharing"))})
_EC2 = Branch(
    {
        "exception_message": Leaf(),
        "vpc_block_public_access": Branch(
            {
                "internet_gateway_block": Branch(
                    {"mode": _one("off", "block_ingress", "block_bidirectional"), "exclusions_allowed": _ON_OFF},
                    required=("mode", "exclusions_allowed"),
                )
            }
        ),
        "serial_console_access": Branch({"status": _ON_OFF}),
        "image_block_public_access": _PUBLIC,
        "snapshot_block_public_access": _PUBLIC,
        "allowed_images_settings": Branch(
            {
                "state": _one("enabled", "disabled", "audit_mode"),
                "image_criteria": Branch(
                    {},
                    Branch(
                        {
                            "allowed_image_providers": Leaf(many=True),
                            "image_names": Leaf(many=True),
                            "marketplace_product_codes": Leaf(many=True),
                            "creation_date_condition": Branch({"maximum_days_since_created": _DAYS}),
                            "deprecation_time_condition": Branch({"maximum_days_since_deprecated": _DAYS}),
                        }
                    ),
                    name=re.compile(r"criteria_\d{1,2}"),
                ),
            }
        ),
        "instance_metadata_defaults": Branch(
            {
                "http_tokens": _one("no_preference", "required", "optional"),
                "http_put_response_hop_limit": Leaf(form=re.compile(r"-1|[1-9]|[1-5]\d|6[0-4]")),
                "http_endpoint": _one("no_preference", "enabled", "disabled"),
                "instance_metadata_tags": _one("no_preference", "enabled", "disabled"),
                "http_tokens_enforced": _one("no_preference", "enabled", "disabled"),
            }
        ),
    }
)
_GUARDRAIL = Branch(
    {
        "identifier": Leaf(),
        "input_tags": _one("honor", "ignore"),
        "selective_content_guarding": Branch(
            {"system": _one("selective", "comprehensive"), "messages": _one("selective", "comprehensive")}
        ),
        "model_enforcement": Branch({"included_models": Leaf(many=True), "excluded_models": Leaf(many=True)}),
    },
    required=("identifier",),
)
_PATCH = Branch({"patch_order": _one("first", "second", "last")})
_SHAPES: Mapping[str, Branch] = {
    "TAG_POLICY": Branch(
        {
            "tags": Branch(
                {},
                Branch(
                    {
                        "tag_key": Leaf(form=re.compile(r"[\w \t.:/=+\-@]{1,128}")),
                        "tag_value": Leaf(many=True, form=re.compile(r"[\w \t.:/=+\-@*]{0,256}")),
                        "enforced_for": Leaf(many=True, form=re.compile(r"[a-z0-9-]+:(?:\*|[A-Za-z0-9-]+|ALL_SUPPORTED)")),
                        "report_required_tag_for": Leaf(many=True),
                    }
                ),
            )
        },
        required=("tags",),
    ),
    "BACKUP_POLICY": Branch({"plans": Branch({}, _PLAN)}, required=("plans",)),
    "AISERVICES_OPT_OUT_POLICY": Branch(
        {"services": Branch({}, Branch({"opt_out_policy": _one("optIn", "optOut")}), name=re.compile(r"[a-z0-9-]+"))},
        required=("services",),
    ),
    "CHATBOT_POLICY": Branch(
        {"chatbot": Branch({"platforms": Branch({"slack": _CHAT, "microsoft_teams": _CHAT, "chime": _CHAT}), "default": _CHAT})},
        required=("chatbot",),
    ),
    "DECLARATIVE_POLICY_EC2": Branch({"ec2_attributes": _EC2}, required=("ec2_attributes",)),
    "SECURITYHUB_POLICY": Branch({"securityhub": _REGIONS}, required=("securityhub",)),
    "SECURITYHUB_CSPM_POLICY": Branch({}, Open()),
    "INSPECTOR_POLICY": Branch(
        {
            "inspector": Branch(
                {
                    "enablement": Branch(
                        {
                            "ec2_scanning": _REGIONS,
                            "ecr_scanning": _REGIONS,
                            "code_repository_scanning": _REGIONS,
                            "lambda_standard_scanning": Branch({**_REGIONS.keys, "lambda_code_scanning": _REGIONS}),
                        }
                    )
                }
            )
        },
        required=("inspector",),
    ),
    "UPGRADE_ROLLOUT_POLICY": Branch(
        {"upgrade_rollout": Branch({"default": _PATCH, "tags": Branch({}, Branch({"tag_values": Branch({}, _PATCH)}))})},
        required=("upgrade_rollout",),
    ),
    "BEDROCK_POLICY": Branch(
        {"bedrock": Branch({"guardrail_inference": Branch({}, Branch({}, _GUARDRAIL), name=_REGION)})}, required=("bedrock",)
    ),
    "S3_POLICY": Branch(
        {"s3_attributes": Branch({"public_access_block_configuration": _one("all", "none")})}, required=("s3_attributes",)
    ),
    "NETWORK_SECURITY_DIRECTOR_POLICY": Branch(
        {"network_security_director": Branch({"enablement": Branch({"network_security_scan": _REGIONS})})},
        required=("network_security_director",),
    ),
    "GUARDDUTY_POLICY": Branch({"guardduty": Open()}, required=("guardduty",)),
}


def effective_faults(kind: str, effective: Mapping[str, Any]) -> list[Wrong]:
    """What is wrong with an effective policy: too large, or without a key that it needs."""
    found: list[Wrong] = []
    _missing(_SHAPES[kind], effective, "", found)
    size = len(json.dumps(effective, separators=(",", ":")))
    if size > TYPES[kind].size:
        found.append(
            Wrong("ELEMENTS_TOO_MANY", "", f"the effective policy has {size} characters; {TYPES[kind].size} are allowed")
        )
    return found


def _missing(shape: Shape, value: Any, path: str, found: list[Wrong]) -> None:  # noqa: ANN401 - a document's value
    if not isinstance(shape, Branch) or not isinstance(value, Mapping):
        return
    missing = [key for key in shape.required if key not in value]
    found.extend(Wrong("KEY_REQUIRED", _at(path, key), f"the key {key} is required") for key in missing)
    for key, inner in value.items():
        _missing(shape.keys.get(key, shape.others) or Leaf(), inner, _at(path, key), found)
