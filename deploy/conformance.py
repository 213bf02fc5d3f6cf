"""`throughline conformance`: does an adapter, or a running hook, do what it must?"""

import argparse
import json
import sys

from deploy.adapters import WrongInput, find_adapter, find_folder, known
from services.ingest.conformance.report import Report, as_data, as_list, as_table
from services.ingest.conformance.subject import Subject
from services.ingest.conformance.suite import checks, examine


def conformance(options: argparse.Namespace) -> int:
    """Print the report; status 0 if everything passes, 1 if not, 2 for wrong input."""
    if options.url:
        from deploy.conformance_url import examine_url

        return examine_url(options)
    names = known() if options.all else [options.adapter] if options.adapter else []
    if not names or (options.all and (options.adapter or options.payloads)):
        raise WrongInput(
            "Nothing to examine, or too much.", "Name one ADAPTER, or --all, or --url."
        )
    subjects = [_subject(name, options.payloads) for name in names]
    reports = [_examined(subject, options.fuzz, len(subjects) > 1) for subject in subjects]
    if options.json:
        print(json.dumps(as_data(reports), indent=2))
    elif options.all:
        print(as_table(reports, checks(options.fuzz)))
    else:
        print(as_list(reports[0]))
    return 0 if all(report.passed for report in reports) else 1


def _subject(name: str, payloads: str | None) -> Subject:
    adapter = find_adapter(name)
    return Subject(adapter, find_folder(adapter, payloads))


def _examined(subject: Subject, rounds: int, aloud: bool) -> Report:
    if aloud:
        print(f"== {subject.adapter.provider}", file=sys.stderr)
    return examine(subject, rounds)
