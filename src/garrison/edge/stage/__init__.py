"""Garrison's own API as what a web ACL protects: to AWS WAF it is a stage of API Gateway.

``follow`` is in every worker and costs nothing while no web ACL is associated; ``inspecting`` is imported when one is, with the
engine's detectors.
"""
