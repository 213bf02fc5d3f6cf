"""The routing policy: what it refuses, and how it says so."""

from pathlib import Path
from typing import Any

import pytest

from services.routing.domain.classify import Classifier, Inquiry, readable
from services.routing.domain.policy import RoutingPolicy
from shared.errors import PolicyError
from shared.policy import load_policy


def content(**changes: Any) -> dict[str, Any]:
    return {
        "pools": ["default"],
        "queues": {"general": {"pool": "default"}},
        "default_queue": "general",
    } | changes


EXAMPLE = Path(__file__).parents[2] / "deploy/policy/routing.yaml"


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("default_queue: general", "default_queue: x", ": default_queue: x is no queue; use one"),
        ("default_queue: general", "", "default_queue: is missing; add it"),
        ("pool: default", "pool: other", "queues.general.pool: other is no pool; use one of: d"),
        ("queue: calls", "queue: cals", ": rules.0.queue: cals is no queue; use one of:"),
        ("channel: [voice]", "channel: []", "rules.0.match: matches nothing in particular"),
        ("complaint,", '"*",', "rules.1.match.words.0: `*` alone is no word"),
        ("offers:", "offer:", "offer: is not a known key"),
        ("voice: 4", "voice: 0", "capacity_units.voice: input should be greater than or equal"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_what_to_do(
    tmp_path: Path, right: str, wrong: str, problem: str
) -> None:
    text = EXAMPLE.read_text("utf-8")
    assert right in text
    file = tmp_path / "routing.yaml"
    file.write_text(text.replace(right, wrong, 1), "utf-8")

    with pytest.raises(PolicyError) as refused:
        load_policy(file, RoutingPolicy)

    assert problem in str(refused.value)
    assert f"{file}:" in str(refused.value)


def test_the_example_policy_is_valid() -> None:
    policy = load_policy(EXAMPLE, RoutingPolicy).content

    assert policy.lease("calls").total_seconds() == 15
    assert policy.lease("general").total_seconds() == 30
    assert policy.lease("a queue of an older policy").total_seconds() == 30


def test_a_rule_adds_skills_and_replaces_priority_and_units() -> None:
    policy = RoutingPolicy.model_validate(
        content(
            queues={"general": {"pool": "default", "required_skills": ["a"], "priority": 1}},
            capacity_units={"chat": 2},
            rules=[
                {
                    "match": {"provider": ["meta"]},
                    "queue": "general",
                    "required_skills": ["b"],
                    "priority": 0,
                    "capacity_units": 3,
                }
            ],
        )
    )
    classifier = Classifier(policy)

    ruled = classifier.classify(Inquiry("chat", "meta", "page", ""))
    default = classifier.classify(Inquiry("chat", "web", "page", ""))

    assert (ruled.required_skills, ruled.priority, ruled.capacity_units) == (("a", "b"), 0, 3)
    assert (default.required_skills, default.priority, default.capacity_units) == (("a",), 1, 2)


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = {
        "match": {"channel": ["email"], "channel_account": ["vip@example.com"], "words": ["help"]},
        "queue": "vip",
    }
    policy = RoutingPolicy.model_validate(
        content(queues={"general": {"pool": "default"}, "vip": {"pool": "default"}}, rules=[rule])
    )
    classifier = Classifier(policy)

    def queue(*inquiry: str) -> str:
        return classifier.classify(Inquiry(*inquiry)).queue

    assert queue("email", "smtp", "vip@example.com", "please help") == "vip"
    assert queue("email", "smtp", "vip@example.com", "please") == "general"
    assert queue("email", "smtp", "help@example.com", "please help") == "general"
    assert queue("sms", "smtp", "vip@example.com", "please help") == "general"


def test_letters_have_one_form_however_they_were_typed() -> None:
    assert readable("Pritoz\u030cba") == readable("PRITOŽBA")
