from __future__ import annotations

from garrison.policy import parse_policy
from garrison.policy.document import Position, plain_json

# The policies and positions of the AWS CLI's documented examples for simulate-custom-policy and simulate-principal-policy.
ONE_LINE = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
LINES = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "codecommit:ListRepositories"
            ], "Resource": "*"
        },
        {"Effect": "Deny", "Action": "*", "Resource": "*"}
    ]
}"""


def test_positions_are_those_that_aws_documents() -> None:
    found = parse_policy(ONE_LINE, "identity").statements[0]
    assert (found.start, found.end) == (Position(1, 38), Position(1, 167))


def test_positions_of_statements_in_a_list() -> None:
    first, second = parse_policy(LINES, "identity").statements
    assert (first.start, first.end) == (Position(3, 19), Position(9, 10))
    assert (second.start, second.end) == (Position(9, 11), Position(10, 59))


def test_elements_are_kept_as_written() -> None:
    text = (
        '{"Id":"i","Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Deny","NotAction":["a:B"],"NotResource":"*",'
        '"Condition":{"numericlessthan":{"K":[1e3,12345678901234567890,true,"x${y}"]}}}]}'
    )
    # a condition of an operator that compares anything, so that all JSON forms of a value may stand
    document = parse_policy(text.replace("numericlessthan", "StringLike"), "identity")
    found = document.statements[0]
    assert (document.id, document.version, found.sid, found.effect) == ("i", "2012-10-17", "s", "Deny")
    assert (found.actions, found.not_action, found.resources, found.not_resource) == (("a:B",), True, ("*",), True)
    assert found.conditions[0].values == ("1e3", "12345678901234567890", "true", "x${y}")
    assert plain_json(document)["Id"] == "i"


def test_principals_are_sorted_by_type() -> None:
    text = (
        '{"Statement":{"Effect":"Allow","Principal":{"AWS":["*","123456789012"],"Service":"ec2.amazonaws.com"},'
        '"Action":"s3:*","Resource":"*"}}'
    )
    found = parse_policy(text, "resource").statements[0].principal
    assert found is not None
    assert (found.everyone, found.aws, found.service) == (True, ("123456789012",), ("ec2.amazonaws.com",))
