"""A Garrison for tests: a server process, identities with policies, and the decisions behind each call.

The pytest plugin (``garrison.pytest_plugin``) hands it out as fixtures; other test runners can use it as it is. It needs boto3
for clients (``pip install garrison[pytest]``), and nothing of the server's own code.
"""

from __future__ import annotations

from garrison.testing.decisions import Call, Calls, Expectation
from garrison.testing.house import Garrison
from garrison.testing.identities import Identity, Policy
from garrison.testing.server import Server, ServerError

__all__ = ["Call", "Calls", "Expectation", "Garrison", "Identity", "Policy", "Server", "ServerError"]
