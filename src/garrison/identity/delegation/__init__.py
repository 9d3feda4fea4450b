"""Temporary delegation: what IAM, which keeps the requests, and STS, which trades their tokens in, share.

Source: IAM User Guide, "IAM temporary delegation" and "IAM temporary delegation for AWS Partners". Where AWS admits partners, the
operator of the installation does.
"""
