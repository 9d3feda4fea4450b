"""A second lock beside the password or the access key: one-time codes of a device, and keys that sign a challenge.

``totp``: codes, pure. ``devices``: who has which device, and codes proven and used up. ``qr``: the image that a phone reads.
``tokens``: hardware tokens whose seeds the operator brings in. ``passkeys``: passkeys and security keys.
"""

from __future__ import annotations
