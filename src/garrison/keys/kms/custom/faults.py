"""What a caller hears when the other side fails.

Source: XKS Proxy API Specification, "Error Codes", second table: message by failure, exception by failure and operation; KMS API
Reference, the exceptions' own descriptions; KMS Developer Guide, "Troubleshooting a custom key store", for ConnectionErrorCode.
"""

from __future__ import annotations

from collections.abc import Callable

from garrison.api import kms as api
from garrison.core.errors import ModelledError
from garrison.keys.hsm import agent as hsm
from garrison.keys.xks import client as xks

_UNCLEAR = (
    "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report it"
    " to your external key store proxy administrator."
)
_NO_MANAGER = (
    "The external key store proxy rejected the request because it cannot communicate with the external HSM. Verify that the"
    " external key store proxy configuration is correct and that the external HSM is available."
)
TEXTS = {
    "ValidationException": _UNCLEAR,
    "InvalidStateException": (
        "The external key associated with this KMS key in an external key store is not enabled in the external HSM. Enable the"
        " external key in the external HSM and retry the request."
    ),
    "InvalidCiphertextException": (
        "The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted,"
        " missing, or otherwise invalid."
    ),
    "InvalidKeyUsageException": (
        "The external key associated with this KMS key in an external key store does not support the requested operation."
        " Enable the operation on the key in your external HSM, and try the request again."
    ),
    "AuthenticationFailedException": (
        "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy"
        " authentication credentials for your external key store and update if necessary."
    ),
    "AccessDeniedException": (
        "The external key store proxy denied access to the operation. Verify that the user and the external key are both"
        " authorized for this operation, and try the request again."
    ),
    "KeyNotFoundException": (
        "The external key associated with this KMS key in an external key store was not found in its external HSM. If the"
        " external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID."
    ),
    "InvalidUriPathException": (
        "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for your"
        " external key store and update if necessary."
    ),
    "UnsupportedOperationException": (
        "The external key store proxy rejected the request because it does not support the requested operation. If you see this"
        " error repeatedly, report it to your external key store proxy administrator."
    ),
    "DependencyTimeoutException": (
        "The external key store proxy did not respond to the request in the time allotted. Retry the request. If you see this"
        " error repeatedly, report it to your external key store proxy administrator."
    ),
    "ThrottlingException": (
        "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of your calls"
        " using KMS keys in this external key store."
    ),
    "InternalException": _NO_MANAGER,
    xks.UNAVAILABLE: _NO_MANAGER,
    xks.UNREACHABLE: (
        "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see this"
        " error repeatedly, verify that your external key store proxy is active and is connected to the network, and that its"
        " endpoint URI is correct in your external key store."
    ),
    xks.NO_TLS: (
        "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its"
        " certificate."
    ),
    xks.TIMED_OUT: (
        "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If you"
        " see this error repeatedly, report it to your external key store proxy administrator."
    ),
    xks.MALFORMED: _UNCLEAR,
}
NOT_CONNECTED = (
    "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the external key"
    " store and try the request again."
)
_NO_HSM = "The HSM of the custom key store did not do what it was asked."

Raised = Callable[[str], ModelledError]

_OF_STORES: dict[str, Raised] = {
    "AuthenticationFailedException": api.XksProxyIncorrectAuthenticationCredentialException,
    "InvalidUriPathException": api.XksProxyInvalidConfigurationException,
    "DependencyTimeoutException": api.XksProxyUriUnreachableException,
    "ThrottlingException": api.XksProxyUriUnreachableException,
    xks.UNAVAILABLE: api.XksProxyUriUnreachableException,
    xks.UNREACHABLE: api.XksProxyUriUnreachableException,
    xks.NO_TLS: api.XksProxyUriUnreachableException,
    xks.TIMED_OUT: api.XksProxyUriUnreachableException,
}
_OF_NEW_KEYS: dict[str, Raised] = {
    "InvalidStateException": api.XksKeyInvalidConfigurationException,
    "InvalidKeyUsageException": api.XksKeyInvalidConfigurationException,
    "UnsupportedOperationException": api.XksKeyInvalidConfigurationException,
    "KeyNotFoundException": api.XksKeyNotFoundException,
    "AccessDeniedException": api.KMSInvalidStateException,
}
_CONNECTION: dict[str, str] = {
    "AuthenticationFailedException": "XKS_PROXY_ACCESS_DENIED",
    "AccessDeniedException": "XKS_PROXY_ACCESS_DENIED",
    "InvalidUriPathException": "XKS_PROXY_INVALID_CONFIGURATION",
    "DependencyTimeoutException": "XKS_PROXY_TIMED_OUT",
    xks.UNAVAILABLE: "XKS_PROXY_NOT_REACHABLE",
    xks.UNREACHABLE: "XKS_PROXY_NOT_REACHABLE",
    xks.NO_TLS: "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    xks.TIMED_OUT: "XKS_PROXY_TIMED_OUT",
}
_HSM_CONNECTION: dict[str, str] = {
    hsm.BAD_PIN: "INVALID_CREDENTIALS",
    hsm.LOCKED_PIN: "USER_LOCKED_OUT",
    hsm.NO_TOKEN: "CLUSTER_NOT_FOUND",
    hsm.TIMED_OUT: "NETWORK_ERRORS",
}


def of_store(kind: str) -> ModelledError:
    """CreateCustomKeyStore and UpdateCustomKeyStore: the proxy did not answer as it should."""
    return _OF_STORES.get(kind, api.XksProxyInvalidResponseException)(TEXTS[kind])


def of_new_key(kind: str) -> ModelledError:
    """CreateKey: the proxy did not vouch for the external key."""
    return _OF_NEW_KEYS.get(kind, api.CustomKeyStoreInvalidStateException)(TEXTS[kind])


def of_use(kind: str) -> ModelledError:
    """A cryptographic operation that the proxy did not do its part of."""
    return api.KMSInvalidStateException(TEXTS[kind])


def of_hsm(kind: str) -> ModelledError:
    """Any operation that the HSM did not do its part of."""
    if kind == hsm.TIMED_OUT:
        return api.DependencyTimeoutException("The HSM of the custom key store did not respond in the time allotted.")
    if kind in {hsm.BAD_PIN, hsm.LOCKED_PIN, hsm.NO_TOKEN}:
        return api.KMSInvalidStateException("AWS KMS cannot log in to the HSM of the custom key store.")
    if kind == hsm.NO_KEY:
        return api.KMSInvalidStateException("The key in the HSM that this KMS key is bound to was not found.")
    return api.KMSInternalException(_NO_HSM)


def not_connected(type_: str) -> api.KMSInvalidStateException:
    """A cryptographic operation with a key whose store is not connected."""
    if type_ == "EXTERNAL_KEY_STORE":
        return api.KMSInvalidStateException(NOT_CONNECTED)
    return api.KMSInvalidStateException("This KMS key is in a custom key store that is not connected to its CloudHSM cluster.")


def connection_error(kind: str) -> str:
    """The ConnectionErrorCode of an external key store that could not be connected."""
    return _CONNECTION.get(kind, "XKS_PROXY_INVALID_RESPONSE")


def hsm_connection_error(kind: str) -> str:
    """The ConnectionErrorCode of a CloudHSM key store that could not be connected."""
    return _HSM_CONNECTION.get(kind, "INTERNAL_ERROR")
