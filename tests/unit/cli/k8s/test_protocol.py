"""The plugin's protocol is the published one, and its generated code is of this file."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_tools import protoc

from garrison.cli.k8s import kms_v2_pb2
from tests.support.k8s import published
from tests.support.needs import ROOT

FOLDER = ROOT / "src" / "garrison" / "cli" / "k8s"


def described(file: FileDescriptor) -> FileDescriptorProto:
    """Package, messages and services: neither the file's name nor another language's options."""
    whole = FileDescriptorProto()
    file.CopyToProto(whole)
    for message in whole.message_type:
        for field in (*message.field, *(one for nested in message.nested_type for one in nested.field)):
            field.ClearField("json_name")  # the compiler writes it into some outputs and not into others
    return FileDescriptorProto(package=whole.package, syntax=whole.syntax, message_type=whole.message_type, service=whole.service)


def test_the_protocol_is_the_published_one():
    theirs = published().FindFileContainingSymbol("v2.KeyManagementService")
    assert described(kms_v2_pb2.DESCRIPTOR) == described(theirs)


def test_the_generated_code_is_current(tmp_path: Path):
    arguments = ["protoc", f"-I{FOLDER}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "kms_v2.proto"]
    assert protoc.main(arguments) == 0
    for name in ("kms_v2_pb2.py", "kms_v2_pb2.pyi"):
        assert (FOLDER / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8")
