"""What a policy of each type may say. The good ones are the examples of AWS's User Guide, in its words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison.identity.organizations.content import TYPES, Wrong, check_content, effective_faults
from tests.support.organizations import Org, document, refused

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
GOOD: list[tuple[str, Any]] = [
    (
        SCP,
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
        },
    ),
    (SCP, {"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}),
    (SCP, {"Effect": "Allow", "Action": ["ec2:*", "s3:Get*"], "Resource": "*"}),
    (
        SCP,
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::b/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
    ),
    (
        RCP,
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:*"],
            "Resource": "*",
            "Condition": {
                "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
            },
        },
    ),
    (
        "TAG_POLICY",
        {
            "tags": {
                "costcenter": {
                    "tag_key": {"@@assign": "CostCenter"},
                    "tag_value": {"@@assign": ["100", "200"]},
                    "enforced_for": {"@@assign": ["secretsmanager:*", "ec2:ALL_SUPPORTED"]},
                }
            }
        },
    ),
    (
        "AISERVICES_OPT_OUT_POLICY",
        {
            "services": {
                "@@operators_allowed_for_child_policies": ["@@none"],
                "default": {
                    "@@operators_allowed_for_child_policies": ["@@none"],
                    "opt_out_policy": {"@@operators_allowed_for_child_policies": ["@@none"], "@@assign": "optOut"},
                },
                "rekognition": {"opt_out_policy": {"@@assign": "optIn"}},
            }
        },
    ),
    (
        "BACKUP_POLICY",
        {
            "plans": {
                "PII_Backup_Plan": {
                    "regions": {"@@append": ["us-east-1", "eu-north-1"]},
                    "rules": {
                        "Hourly": {
                            "schedule_expression": {"@@assign": "cron(0 0/1 ? * * *)"},
                            "start_backup_window_minutes": {"@@assign": "60"},
                            "complete_backup_window_minutes": {"@@assign": "604800"},
                            "target_backup_vault_name": {"@@assign": "FortKnox"},
                            "recovery_point_tags": {
                                "owner": {"tag_key": {"@@assign": "Owner"}, "tag_value": {"@@assign": "Backup"}}
                            },
                            "lifecycle": {
                                "delete_after_days": {"@@assign": "2"},
                                "move_to_cold_storage_after_days": {"@@assign": "180"},
                            },
                            "copy_actions": {
                                "arn:aws:backup:us-west-2:111111111111:backup-vault:my_vault": {
                                    "target_backup_vault_arn": {
                                        "@@assign": "arn:aws:backup:us-west-2:111111111111:backup-vault:my_vault"
                                    },
                                    "lifecycle": {"delete_after_days": {"@@assign": "28"}},
                                }
                            },
                        }
                    },
                    "selections": {
                        "tags": {
                            "datatype": {
                                "iam_role_arn": {"@@assign": "arn:aws:iam::$account:role/MyIamRole"},
                                "tag_key": {"@@assign": "dataType"},
                                "tag_value": {"@@assign": ["PII", "RED"]},
                            }
                        }
                    },
                    "advanced_backup_settings": {"ec2": {"windows_vss": {"@@assign": "enabled"}}},
                }
            }
        },
    ),
    ("S3_POLICY", {"s3_attributes": {"public_access_block_configuration": {"@@assign": "all"}}}),
    (
        "UPGRADE_ROLLOUT_POLICY",
        {
            "upgrade_rollout": {
                "default": {"patch_order": {"@@assign": "last"}},
                "tags": {"devtag": {"tag_values": {"tag1": {"patch_order": {"@@assign": "first"}}}}},
            }
        },
    ),
    (
        "INSPECTOR_POLICY",
        {
            "inspector": {
                "enablement": {
                    "ec2_scanning": {
                        "enable_in_regions": {"@@assign": ["us-east-1", "us-west-2"]},
                        "disable_in_regions": {"@@assign": ["eu-west-1"]},
                    }
                }
            }
        },
    ),
    (
        "NETWORK_SECURITY_DIRECTOR_POLICY",
        {
            "network_security_director": {
                "enablement": {
                    "network_security_scan": {
                        "enable_in_regions": {"@@assign": ["us-east-1", "eu-west-1"]},
                        "disable_in_regions": {"@@assign": []},
                    }
                }
            }
        },
    ),
    (
        "SECURITYHUB_POLICY",
        {
            "securityhub": {
                "enable_in_regions": {"@@append": ["ALL_SUPPORTED"], "@@operators_allowed_for_child_policies": ["@@all"]},
                "disable_in_regions": {"@@append": [], "@@operators_allowed_for_child_policies": ["@@all"]},
            }
        },
    ),
    (
        "BEDROCK_POLICY",
        {
            "bedrock": {
                "guardrail_inference": {
                    "us-east-1": {
                        "config_1": {
                            "identifier": {"@@assign": "arn:aws:bedrock:us-east-1:123456789012:guardrail/hu1dlsv9wy1d:1"},
                            "selective_content_guarding": {
                                "system": {"@@assign": "selective"},
                                "messages": {"@@assign": "comprehensive"},
                            },
                            "model_enforcement": {"included_models": {"@@assign": ["ALL"]}},
                        }
                    }
                }
            }
        },
    ),
    (
        "DECLARATIVE_POLICY_EC2",
        {
            "ec2_attributes": {
                "exception_message": {"@@assign": "Your custom error message.https://myURL"},
                "vpc_block_public_access": {
                    "internet_gateway_block": {
                        "mode": {"@@assign": "block_ingress"},
                        "exclusions_allowed": {"@@assign": "enabled"},
                    }
                },
            }
        },
    ),
    (
        "CHATBOT_POLICY",
        {"chatbot": {"platforms": {"slack": {"client": {"@@assign": "enabled"}, "workspaces": {"@@assign": ["T1"]}}}}},
    ),
    ("SECURITYHUB_CSPM_POLICY", {"anything": {"cspm_enablement": {"enable_in_regions": {"@@assign": ["us-east-1"]}}}}),
    ("GUARDDUTY_POLICY", {"guardduty": {"default": {"foundational": {"@@assign": "enabled"}}}}),
]


def text_of(kind: str, value: Any) -> str:
    return document(value) if kind in {SCP, RCP} else json.dumps(value)


def test_every_type_has_an_example():
    assert {kind for kind, _ in GOOD} == set(TYPES)


@pytest.mark.parametrize(("kind", "value"), GOOD, ids=[kind for kind, _ in GOOD])
def test_awss_examples_are_good(kind: str, value: Any):
    check_content(kind, text_of(kind, value))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '"x"', "1", '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 2000])
def test_what_no_policy_is(kind: str, text: str):
    with pytest.raises(Wrong):
        check_content(kind, text)


BAD: list[tuple[str, Any]] = [
    (SCP, {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}),
    (SCP, {"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": "*"}),
    (SCP, {"Effect": "deny", "Action": "*", "Resource": "*"}),
    (SCP, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Nothing": {"a:b": "c"}}}),
    (SCP, {"Effect": "Deny", "Action": "*"}),
    (RCP, {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "NotPrincipal": "*", "Action": "s3:*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}),
    (RCP, {"Effect": "Deny", "Principal": "*", "Action": "iam:*", "Resource": "*"}),
    ("TAG_POLICY", {"labels": {}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_key": "a"}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_key": {"@@append": "a"}}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_key": {"@@assign": ["a"]}}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_value": {"@@assign": "a"}}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_value": {"@@assign": [["a"]]}}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_value": {"@@nothing": ["a"]}}}}),
    ("TAG_POLICY", {"tags": {"a": {"tag_value": {"@@assign": ["a"], "more": 1}}}}),
    ("TAG_POLICY", {"tags": {"a": {"color": {"@@assign": "a"}}}}),
    ("TAG_POLICY", {"tags": {"@@assign": {}}}),
    ("TAG_POLICY", {"tags": {"a": {"@@operators_allowed_for_child_policies": "@@none"}}}),
    ("TAG_POLICY", {"tags": {"a": {"@@operators_allowed_for_child_policies": ["@@none", "@@assign"]}}}),
    ("TAG_POLICY", {"tags": {"a": {"@@operators_allowed_for_child_policies": []}}}),
    ("TAG_POLICY", {"tags": {"a": {"@@operators_allowed_for_child_policies": ["none"]}}}),
    ("AISERVICES_OPT_OUT_POLICY", {"services": {"lex": {"opt_out_policy": {"@@assign": "maybe"}}}}),
    ("BACKUP_POLICY", {"plans": {"p": {"rules": {"r": {"schedule": {"@@assign": "cron(0 5 ? * * *)"}}}}}}),
    ("S3_POLICY", {"s3_attributes": {"public_access_block_configuration": {"@@assign": "some"}}}),
    ("INSPECTOR_POLICY", {"inspector": {"enablement": {"ec2_scanning": {"enable_in_regions": {"@@assign": ["mars"]}}}}}),
    ("GUARDDUTY_POLICY", {"other": {}}),
    ("GUARDDUTY_POLICY", {"guardduty": {"default": {"foundational": "enabled"}}}),
    ("SECURITYHUB_CSPM_POLICY", {"a": {"b": {"c": {"@@assign": {"d": 1}}}}}),
    ("SECURITYHUB_CSPM_POLICY", {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"@@assign": "x"}}}}}}}}}}}),
]


@pytest.mark.parametrize(("kind", "value"), BAD, ids=[f"{kind}-{number}" for number, (kind, _) in enumerate(BAD)])
def test_what_is_not_of_its_type(kind: str, value: Any, org: Org):
    with pytest.raises(Wrong):
        check_content(kind, text_of(kind, value))
    with refused("MalformedPolicyDocumentException", "does not meet the requirements of the specified policy type"):
        org.policy(text_of(kind, value), kind)


@pytest.mark.parametrize("kind", TYPES)
def test_the_size_counts_white_space(kind: str, org: Org):
    """User Guide, "Quotas for AWS Organizations", maximum size of a policy document."""
    value = next(found for its_kind, found in GOOD if its_kind == kind)
    text = text_of(kind, value)
    org.policy(text.ljust(TYPES[kind].size), kind)
    with refused("ConstraintViolationException", reason="POLICY_CONTENT_LIMIT_EXCEEDED"):
        org.policy(text.ljust(TYPES[kind].size + 1), kind)


def test_what_an_effective_policy_lacks():
    whole = {"plans": {"p": {"regions": ["us-east-1"], "rules": {"r": {"schedule_expression": "x"}}}}}
    faults = effective_faults("BACKUP_POLICY", whole)
    assert [(fault.code, fault.path) for fault in faults] == [
        ("KEY_REQUIRED", "plans/p/selections"),
        ("KEY_REQUIRED", "plans/p/rules/r/target_backup_vault_name"),
    ]
    long = {"tags": {"a": {"tag_key": "a", "tag_value": ["x" * 100] * 100}}}
    assert [fault.code for fault in effective_faults("TAG_POLICY", long)] == ["ELEMENTS_TOO_MANY"]
    assert effective_faults("TAG_POLICY", {"tags": {"a": {"tag_key": "a"}}}) == []
