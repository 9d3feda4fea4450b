from __future__ import annotations

from typing import Any

import pytest

from garrison.core.errors import CommonError
from garrison.core.http import Request
from garrison.core.model import OperationModel, load_model
from garrison.wire.protocols.ec2 import Ec2Protocol

PROTOCOL = Ec2Protocol()
EC2 = load_model("ec2")
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def operation(name: str) -> OperationModel:
    found = EC2.operation(name)
    assert found is not None
    return found


def parse(name: str, form: str, method: str = "POST") -> dict[str, Any]:
    request = Request(method, "/", form, [], b"") if method == "GET" else Request("POST", "/", "", [], form.encode())
    return PROTOCOL.parse(operation(name), request, {})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_filters_of_the_api_reference(method: str):
    # Amazon EC2 API Reference, DescribeVolumes, "Example 2".
    form = (
        "Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=attachment.instance-id&Filter.1.Value.1=i-1a2b3c4d"
        "&Filter.2.Name=attachment.delete-on-termination&Filter.2.Value.1=true"
    )
    assert parse("DescribeVolumes", form, method) == {
        "Filters": [
            {"Name": "attachment.instance-id", "Values": ["i-1a2b3c4d"]},
            {"Name": "attachment.delete-on-termination", "Values": ["true"]},
        ]
    }


def test_names_are_capitalized_and_lists_have_no_wrapper():
    form = "Size=80&Encrypted=true&AvailabilityZone=us-east-1a&TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"
    assert parse("CreateVolume", form) == {
        "Size": 80,
        "Encrypted": True,
        "AvailabilityZone": "us-east-1a",
        "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "k", "Value": "v"}]}],
    }


@pytest.mark.parametrize(
    "form", ["Size=big", "Encrypted=maybe", "Size.1=3", "TagSpecification=x", "TagSpecification.x=y", "Size=1&Size=2"]
)
def test_what_does_not_fit_the_shape_is_refused(form: str):
    with pytest.raises(CommonError) as caught:
        parse("CreateVolume", form)
    assert caught.value.kind == "malformed"


def test_an_index_far_away_costs_nothing():
    assert parse("DescribeVolumes", "VolumeId.1=a&VolumeId.999999999=b") == {"VolumeIds": ["a", "b"]}


def test_an_answer_has_no_result_element():
    answer = PROTOCOL.serialize(
        operation("DescribeVolumes"), {"Volumes": [{"VolumeId": "vol-1", "Size": 80, "Encrypted": False}]}, "id"
    )
    text = answer.body.decode()
    assert text.startswith(
        f'{DECLARATION}<DescribeVolumesResponse xmlns="{NAMESPACE}"><requestId>id</requestId><volumeSet><item>'
    )
    assert "<encrypted>false</encrypted>" in text


def test_an_operation_without_output_says_true():
    # Amazon EC2 API Reference, DeleteVolume, "Example": <return>true</return>.
    assert PROTOCOL.serialize(operation("DeleteVolume"), None, "id").body.decode() == (
        f'{DECLARATION}<DeleteVolumeResponse xmlns="{NAMESPACE}"><requestId>id</requestId><return>true</return></DeleteVolumeResponse>'
    )


def test_an_error():
    # Amazon EC2 API Reference, "Error codes", sample error response.
    answer = PROTOCOL.serialize_error(
        EC2, None, "InvalidInstanceID.NotFound", "The instance ID 'i-1a2b3c4d' does not exist", 400, "id", {}, sender_fault=True
    )
    assert (answer.status, answer.body.decode()) == (
        400,
        (
            f"{DECLARATION}<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code>"
            "<Message>The instance ID 'i-1a2b3c4d' does not exist</Message></Error></Errors><RequestID>id</RequestID></Response>"
        ),
    )
