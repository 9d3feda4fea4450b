"""The data plane of the firewall: Envoy, driven by files, and the inspectors that it asks about each request."""
