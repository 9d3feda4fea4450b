"""``python -m garrison`` and the ``garrison`` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from garrison.cli import cli  # noqa: PLC0415 - a bare import of the package stays cheap

    cli()


if __name__ == "__main__":
    main()
