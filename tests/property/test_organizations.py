"""A tree of any shape with any policies: what the memory of memberships decides is what the slow evaluator says of the same levels."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from garrison.identity.memberships import RCP, SCP, Memberships
from garrison.keys.keyring import Keyring
from garrison.policy import PolicyInputs, PolicySet, Request, authorize, compile_policy
from garrison.policy.reference import reference_authorize
from garrison.store import Store, open_store
from tests.support.policies import MINE, requests, statements

LEVELS = st.lists(st.lists(st.lists(statements("scp"), min_size=1, max_size=2), min_size=1, max_size=2), min_size=2, max_size=5)
ALL = compile_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', "identity")


def plant(store: Store, levels: list[list[list[Any]]]) -> None:
    """An organization whose root, units and account have these policies, the account at the end."""
    with store.writing() as tx:
        for table in ("org_organization", "org_unit", "org_account", "org_policy", "org_attachment", "org_policy_type"):
            tx.run(f"DELETE FROM {table}")  # noqa: S608 - constants
        tx.run("INSERT INTO org_organization VALUES ('o-a1b2c3d4e5', '999999999999', 'ALL', 'r-ab12', 0.0)")
        tx.run("INSERT INTO org_policy_type VALUES ('o-a1b2c3d4e5', ?)", SCP)
        nodes = ["r-ab12", *(f"ou-ab12-0000000{depth}" for depth in range(len(levels) - 2)), MINE]
        for parent, unit in pairwise(nodes[:-1]):
            tx.run("INSERT INTO org_unit VALUES ('o-a1b2c3d4e5', ?, ?, ?, 0.0)", unit, parent, unit)
        tx.run("INSERT INTO org_account VALUES ('o-a1b2c3d4e5', ?, ?, 'CREATED', 0.0)", MINE, nodes[-2])
        for node, policies in zip(nodes, levels, strict=True):
            for number, policy in enumerate(policies):
                name = f"p-{nodes.index(node)}{number}"
                text = json.dumps({"Version": "2012-10-17", "Statement": policy})
                tx.run("INSERT INTO org_policy VALUES ('o-a1b2c3d4e5', ?, ?, ?, ?, '', ?, 0.0, 0.0)", name, name, SCP, name, text)
                tx.run(
                    "INSERT INTO org_attachment (organization, target_id, policy_id, type, attached)"
                    " VALUES ('o-a1b2c3d4e5', ?, ?, ?, 0.0)",
                    node,
                    name,
                    SCP,
                )
        for kind in ("org", "org-account", "org-node", "org-policy"):
            for key in ("o-a1b2c3d4e5", MINE, *nodes, *(f"p-{one}{two}" for one in range(5) for two in range(2))):
                tx.changed(kind, key)
    store.commit()


@settings(max_examples=60, deadline=None)
@given(LEVELS, st.lists(requests(), min_size=5, max_size=5))
def test_the_levels_of_a_tree_decide_as_the_reference_says(levels: list[list[list[Any]]], asked: list[Request]):
    plant(STORE, levels)
    found = MEMBERSHIPS.service_controls(MINE, set())
    wanted = tuple(
        PolicySet([compile_policy(json.dumps({"Version": "2012-10-17", "Statement": policy}), "scp") for policy in level])
        for level in levels
    )
    assert len(found) == len(levels)
    for request in asked:
        fast = authorize(request, PolicyInputs(identity=PolicySet([ALL]), scps=found))
        slow = reference_authorize(request, PolicyInputs(identity=PolicySet([ALL]), scps=wanted))
        assert not fast.errors
        assert (fast.outcome, fast.decided_by) == (slow.outcome, slow.decided_by)
    assert MEMBERSHIPS.of("999999999999") is None
    assert not MEMBERSHIPS.resource_controls(MINE, "kms:Encrypt", asked[0].principal), f"{RCP} is not enabled"


STORE = open_store("", sealer=Keyring(bytes(32)), memory=True)
MEMBERSHIPS = Memberships(STORE)
