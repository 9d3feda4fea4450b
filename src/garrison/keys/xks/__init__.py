"""The external key store proxy protocol: spoken as KMS speaks it, and answered as a proxy answers it.

Source: AWS KMS External Key Store (XKS) Proxy API Specification, version 1.
"""
