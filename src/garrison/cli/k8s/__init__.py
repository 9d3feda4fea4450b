"""The plugin between the Kubernetes API server and KMS: ``garrison plugin k8s-kms``.

A program of its own that runs beside the API server and calls KMS as any client does; it needs ``garrison[k8s]``.
"""
