from __future__ import annotations

from garrison.policy import context_keys, parse_policy

# The example of the AWS CLI's get-context-keys-for-custom-policy.
EXAMPLE = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*",'
    '"Resource":"arn:aws:dynamodb:us-west-2:123456789012:table/${aws:username}",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}'
)


def test_the_documented_example() -> None:
    assert context_keys([parse_policy(EXAMPLE, "identity")]) == ("aws:username", "aws:CurrentTime")


def test_keys_in_values_count_once_and_only_where_variables_exist() -> None:
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",'
        '"Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:RequestTag/team}","AWS:principaltag/TEAM":"x"},'
        '"Null":{"k:n":"true"}}}}'
    )
    assert context_keys([parse_policy(text, "identity")] * 2) == ("aws:PrincipalTag/team", "aws:RequestTag/team", "k:n")
    older = '{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}'
    assert context_keys([parse_policy(older, "resource")]) == ()
