"""Custom key stores: keys whose second half is in an HSM, or behind an external key store proxy.

What such a key encrypts is encrypted twice: with material of KMS's own, then out there. Neither side alone opens it, and what the
other side answers is never believed without proof. Source: KMS Developer Guide, "Key stores", "External key stores".
"""
