"""The gateway: from bytes on a socket to a decided, audited call, and back."""
