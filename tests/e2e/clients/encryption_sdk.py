"""One step with the AWS Encryption SDK, unmodified: encryption_sdk.py encrypt|strict|discovery|elsewhere KEY_ARN < input > output.

``encrypt`` seals the input under the key with a context; the others open it: by the key, by whatever key the message names
in this account, and by whatever key it names in another account (which must fail).
"""

from __future__ import annotations

import sys

import aws_encryption_sdk
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.key_providers.kms import DiscoveryFilter

CONTEXT = {"purpose": "test", "Straße": "ä"}


def main(step: str, key: str) -> int:
    client = aws_encryption_sdk.EncryptionSDKClient()
    account = key.split(":")[4] if step != "elsewhere" else "999999999999"
    provider = (
        aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])
        if step in {"encrypt", "strict"}
        else aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider(
            discovery_filter=DiscoveryFilter(account_ids=[account], partition="aws")
        )
    )
    source = sys.stdin.buffer.read()
    if step == "encrypt":
        sealed, header = client.encrypt(source=source, key_provider=provider, encryption_context=CONTEXT)
        assert CONTEXT.items() <= header.encryption_context.items()
        sys.stdout.buffer.write(sealed)
        return 0
    try:
        plaintext, header = client.decrypt(source=source, key_provider=provider)
    except AWSEncryptionSDKClientError as error:
        sys.stderr.write(type(error).__name__)
        return 1
    assert CONTEXT.items() <= header.encryption_context.items()
    sys.stdout.buffer.write(plaintext)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
