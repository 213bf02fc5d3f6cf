"""What the commands about adapters take, declared without loading an adapter."""

import argparse


def add_conformance(parser: argparse.ArgumentParser) -> None:
    """Declare what `throughline conformance` takes."""
    parser.add_argument(
        "adapter", nargs="?", metavar="ADAPTER", help="a provider, or module:Class of your own"
    )
    parser.add_argument("--all", action="store_true", help="every registered adapter, one table")
    parser.add_argument("--json", action="store_true", help="the same as data")
    parser.add_argument("--payloads", metavar="FOLDER", help="the folder with its account.json")
    parser.add_argument(
        "--fuzz", type=_count, default=10_000, metavar="N", help="damaged requests (10000)"
    )
    parser.add_argument("--url", metavar="URL", help="examine a running hook or events API instead")
    parser.add_argument("--provider", metavar="P", help="with --url: whose hook it is")
    add_account(parser)
    parser.add_argument("--api-key", metavar="KEY", help="with --url: the events API, by its key")
    parser.add_argument("--send", action="store_true", help="with --api-key: send, not only check")


def add_account(parser: argparse.ArgumentParser) -> None:
    """Declare how a channel account's secrets and options are given."""
    for name, what in (
        ("secret", "a live secret, or NAME=env:VAR, NAME=file:PATH"),
        ("option", "an option as in channels.yaml"),
    ):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME=VALUE", help=what
        )


def add_request(parser: argparse.ArgumentParser) -> None:
    """Declare how a request to verify or sign is given; its body comes on stdin."""
    parser.add_argument("provider", metavar="PROVIDER", help="a provider, or module:Class")
    add_account(parser)
    parser.add_argument("--account", default="main", metavar="ID", help="channel account (main)")
    parser.add_argument("--url", metavar="URL", help="the address it is sent to")
    parser.add_argument(
        "--header", action="append", default=[], metavar="'K: V'", help="a header of the request"
    )
    parser.add_argument("--at", metavar="TIME", help="as if it were then (now)")


def _count(written: str) -> int:
    number = int(written)
    if number < 0:
        raise argparse.ArgumentTypeError("a number of requests is not negative")
    return number
