"""The routing policy: what it refuses, and how it says so."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from services.routing.domain.classify import Classifier, Inquiry, readable
from services.routing.domain.policy import RoutingPolicy


def content(**changes: Any) -> dict[str, Any]:
    return {
        "pools": ["default"],
        "queues": {"general": {"pool": "default"}},
        "default_queue": "general",
    } | changes


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"default_queue": "nowhere"}, "default_queue nowhere is not one of `queues`"),
        ({"queues": {"general": {"pool": "other"}}}, "names the pool other"),
        (
            {"rules": [{"match": {"channel": ["email"]}, "queue": "nowhere"}]},
            "rule 1 sends to the queue nowhere",
        ),
        ({"rules": [{"match": {}, "queue": "general"}]}, "matches nothing in particular"),
        (
            {"rules": [{"match": {"words": ["*"]}, "queue": "general"}]},
            "alone is no word",
        ),
        ({"offer": {}}, "Extra inputs are not permitted"),
        ({"capacity_units": {"chat": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_refused_with_its_reason(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        RoutingPolicy.model_validate(content(**changes))


def test_a_policy_without_a_default_queue_is_refused() -> None:
    without = content()
    del without["default_queue"]

    with pytest.raises(ValidationError, match="default_queue"):
        RoutingPolicy.model_validate(without)


def test_the_example_policy_is_valid() -> None:
    example = Path(__file__).parents[2] / "deploy/policy/routing.yaml"
    policy = RoutingPolicy.model_validate(yaml.safe_load(example.read_text("utf-8")))

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
