"""`throughline`: the operators' command. Errors are one sentence and a fix, never a traceback."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from shared.errors import ThroughlineError

SERVICES = ("ingest", "routing", "sla", "profile")
Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 failed, 2 wrong input."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except ThroughlineError as error:
        print(f"throughline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="throughline", description="Every channel, one timeline: the operators' command."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = _add(commands, "up", "run everything here with sample traffic, until Ctrl-C", _up)
    up.add_argument("--smoke", action="store_true", help="check the sample's timeline, then stop")
    up.add_argument("--no-sample", action="store_true", help="start without the sample traffic")
    for name in SERVICES:
        _add(commands, name, f"run the {name} service (settings: docs/settings.md)", _service)
    _add_topics(commands)
    _add_parse(commands)
    _add_conformance(commands)
    _add_dead_letters(commands)
    _add_reconcile(commands)
    keys = _group(commands, "api-key", "make keys for integrators")
    new = _add(keys, "new", "print a new key, once, and what to configure", _api_key)
    new.add_argument("integrator", metavar="INTEGRATOR", help="its name in channels.yaml")
    return parser


def _add_topics(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    topics = _group(commands, "topics", "see and make the topics of the catalogue")
    _add(topics, "list", "show every topic, and whether Kafka has it", _topics("list_all"))
    create = _add(topics, "create", "create the topics that are missing", _topics("create"))
    create.add_argument(
        "--replication", type=int, default=3, metavar="N", help="copies of each record (3)"
    )


def _add_parse(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parse = _add(commands, "parse", "show the events a provider's payload on stdin becomes", _parse)
    parse.add_argument("provider", metavar="PROVIDER", help="a provider with an adapter")
    parse.add_argument("--account", default="main", metavar="ID", help="channel account (main)")
    parse.add_argument(
        "--header", action="append", default=[], metavar="'K: V'", help="a header of the request"
    )


def _add_conformance(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from deploy.conformance_arguments import add_conformance, add_request

    examine = "examine an adapter by its payloads, or a running hook by requests"
    add_conformance(_add(commands, "conformance", examine, _on_adapters("conformance")))
    verify = "say whether the request on stdin is authentic"
    add_request(_add(commands, "verify", verify, _on_adapters("verify")))
    sign = _add(commands, "sign", "sign the body on stdin as a provider does", _on_adapters("sign"))
    add_request(sign)
    sign.add_argument("--curl", action="store_true", help="print a curl command that sends it")


def _add_dead_letters(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    letters = _group(commands, "dead-letters", "see what was given up on, and put it back")
    _add(letters, "list", "list the dead letters, oldest first", _dead_letters("list_all"))
    show = _add(letters, "show", "show one dead letter, its body as it came", _dead_letters("show"))
    show.add_argument("id", metavar="ID")
    replay = _add(letters, "replay", "put them back where they came from", _dead_letters("replay"))
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="which ones")
    which.add_argument("--all", action="store_true", help="every one of them")


def _add_reconcile(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "ask a provider for what it had while we were down, and publish what did not arrive"
    reconcile = _add(commands, "reconcile", what, _reconcile)
    reconcile.add_argument("provider", metavar="PROVIDER", help="twilio, postmark, slack …")
    reconcile.add_argument("--account", default="main", metavar="ID", help="channel account (main)")
    reconcile.add_argument(
        "--since", required=True, metavar="WHEN", help="2026-11-03T08:00:00Z, or 6h, 2d ago"
    )
    reconcile.add_argument("--dry-run", action="store_true", help="list, but publish nothing")


def _group(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_line: str
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    parser = commands.add_parser(name, help=help_line, description=help_line)
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    help_line: str,
    run: Command,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_line, description=help_line)
    parser.set_defaults(run=run)
    return parser


# Each command imports what it needs when it runs: `throughline --help` stays quick, and a
# service process never loads the code of another.


def _service(options: argparse.Namespace) -> int:
    status: int = import_module(f"services.{options.command}.app").create_app().run()
    return status


def _up(options: argparse.Namespace) -> int:
    from deploy.up import up

    return up(smoke=options.smoke, sample=not options.no_sample)


def _topics(action: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from deploy import topics

        return int(asyncio.run(getattr(topics, action)(options)))

    return run


def _parse(options: argparse.Namespace) -> int:
    from deploy.parse import parse

    return parse(options.provider, options.account, options.header, sys.stdin.buffer.read())


def _on_adapters(action: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from deploy import conformance, signing
        from deploy.adapters import WrongInput

        try:
            return int(
                getattr(conformance if action == "conformance" else signing, action)(options)
            )
        except WrongInput as error:
            print(f"throughline: {error}", file=sys.stderr)
            return 2

    return run


def _reconcile(options: argparse.Namespace) -> int:
    from deploy.reconcile import reconcile

    return asyncio.run(reconcile(options))


def _dead_letters(action: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from deploy import dead_letters

        return int(asyncio.run(getattr(dead_letters, action)(options)))

    return run


def _api_key(options: argparse.Namespace) -> int:
    from deploy.api_key import new

    return new(options.integrator)


if __name__ == "__main__":
    sys.exit(main())
