"""``garrison delegation``: the operator stands where AWS's onboarding of partners does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from garrison.cli.options import STATE, fail, opened, settings_from, settings_options

if TYPE_CHECKING:
    from garrison.core.context import ConfigurationItem
    from garrison.core.ports import Transaction
    from garrison.identity.delegation.partners import Registration

_LARGEST = 1024 * 1024


@click.group()
def delegation() -> None:
    """Admit partners to temporary delegation, and end what they were given."""


@delegation.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@settings_options(*STATE)
def register(file: Path, **given: Any) -> None:  # noqa: ANN401 - options
    """Admit the partner of FILE (JSON), or change what is registered of it.

    Everything in it is checked before anything is kept. Prints the new secrets that messages are signed with, once.
    """
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.core.ids import system_random  # noqa: PLC0415
    from garrison.identity.delegation import partners  # noqa: PLC0415

    made: dict[str, str] = {}
    try:
        if file.stat().st_size > _LARGEST:
            fail(f"{file} is larger than {_LARGEST} bytes", status=2)
        found = partners.read(file.read_bytes())
        with opened(settings_from(given)) as state:

            def admit(tx: Transaction, _now: float) -> ConfigurationItem:
                made.update(partners.register(tx, state.keyring, found, system_random))
                return _partner_item(found)

            app.on_record(state, "iam.amazonaws.com", "DelegationPartnerRegistered", admit)
    except partners.RegistrationError as error:
        fail(f"{file} was not registered: {error}", status=2)
    click.echo(json.dumps(_registered(found, made), indent=2))


@delegation.command("list")
@settings_options(*STATE)
def list_partners(**given: Any) -> None:  # noqa: ANN401 - options
    """Print the registered partners, and whose access lasts, as JSON."""
    from garrison.core.clock import iso8601  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.identity.delegation import partners, requests  # noqa: PLC0415

    with opened(settings_from(given)) as state:
        tx = state.store.reading()
        access = [
            {
                "request": row.id,
                "partner": row.requestor,
                "account": row.owner_account,
                "as": row.approver_arn,
                "until": iso8601(row.access_ends),
            }
            for row in requests.released(tx, time.time())
        ]
        click.echo(json.dumps({"partners": partners.registered(tx), "access": access}, indent=2))


@delegation.command()
@click.argument("topic_arn")
@settings_options(*STATE)
def messages(topic_arn: str, **given: Any) -> None:  # noqa: ANN401 - options
    """Print the messages of a topic that nobody was sent yet, one JSON document a line. They hold exchange tokens."""
    from garrison.identity.delegation import notices  # noqa: PLC0415 - `garrison --help` needs no rooms

    with opened(settings_from(given)) as state:
        for each in notices.kept(state.store.reading(), state.keyring, topic_arn):
            click.echo(each)


@delegation.command()
@click.argument("request_id")
@settings_options(*STATE)
def revoke(request_id: str, **given: Any) -> None:  # noqa: ANN401 - options
    """End the access of a delegation request: its credentials and its token are good for nothing from now on."""
    from garrison import app  # noqa: PLC0415 - `garrison --help` needs no rooms
    from garrison.identity.delegation import requests  # noqa: PLC0415

    def end(tx: Transaction, now: float) -> ConfigurationItem:
        row = requests.revoke(tx, request_id, now)
        if row is None:
            fail(f"no access of `{request_id}` lasts")
        return requests.item(row)

    with opened(settings_from(given)) as state:
        app.on_record(state, "iam.amazonaws.com", "DelegationRevoked", end)
    click.echo(f"Revoked {request_id}")


def _registered(found: Registration, made: dict[str, str]) -> dict[str, object]:
    from garrison.identity.delegation import partners  # noqa: PLC0415 - as above

    return {
        "domain": found.domain,
        "templates": [partners.template_arn(found.domain, name) for name in found.templates],
        "boundaries": [partners.boundary_arn(found.domain, name) for name in found.boundaries],
        "secrets": made,
    }


def _partner_item(found: Registration) -> ConfigurationItem:
    from garrison.core.context import ConfigurationItem  # noqa: PLC0415 - as above
    from garrison.identity.delegation import partners  # noqa: PLC0415

    return ConfigurationItem(
        type="AWS::IAM::DelegationPartner",
        id=found.domain,
        arn=f"{partners.NAMESPACE}partner/{found.domain}",
        account=found.accounts[0],
        region="global",
        name=found.name,
        configuration={
            "Accounts": found.accounts,
            "Topics": {arn: topic.url for arn, topic in found.topics.items()},
            "Templates": list(found.templates),
            "Boundaries": list(found.boundaries),
            "SingleUse": found.single_use,
        },
    )
