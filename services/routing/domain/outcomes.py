"""The answers to commands: stable codes, each with a sentence and what to do."""

from services.routing.domain import model
from services.routing.domain.model import Outcome

DECLARED = Outcome(True, "declared", "The agent is declared.")
STATUS_DECLARED = Outcome(True, "status-declared", "The agent's status is declared.")
ACCEPTED = Outcome(True, "accepted", "The work item is assigned.")
DECLINED = Outcome(True, "declined", "The offer is declined; the work item keeps its age.")
COMPLETED = Outcome(True, "completed", "The work item is completed.")

AGENT_UNKNOWN = Outcome(
    False, "agent-unknown", "There is no such agent.", "Declare the agent first."
)
AGENT_ELSEWHERE = Outcome(
    False,
    "agent-in-another-pool",
    "The agent is declared in another pool.",
    "Declare an agent with another id for this pool.",
)
SUPERSEDED = Outcome(
    False, "superseded", "Something newer was declared already.", "Look at the agent and declare."
)
OFFER_UNKNOWN = Outcome(False, "offer-unknown", "There is no such offer.", "List the offers.")
OFFER_NOT_YOURS = Outcome(
    False, "offer-not-yours", "The offer was made to another agent.", "List your own offers."
)
WORK_ITEM_UNKNOWN = Outcome(
    False, "work-item-unknown", "There is no such work item.", "Check its id."
)
WORK_ITEM_NOT_YOURS = Outcome(
    False,
    "work-item-not-yours",
    "The work item is not assigned to this agent.",
    "Look at the work item for who has it.",
)
WORK_ITEM_NOT_ASSIGNED = Outcome(
    False, "work-item-not-assigned", "The work item is only offered.", "Accept the offer first."
)

_ENDED = {
    model.ACCEPTED: "The offer was accepted already.",
    model.COMPLETED: "The offer was accepted, and the work item is completed.",
    model.DECLINED: "The offer was declined.",
    model.EXPIRED: "The offer expired before it was answered.",
    model.WITHDRAWN: "The offer was withdrawn.",
}


def repeated_answer(state: str, answer: str) -> Outcome:
    """Return the outcome of answering an offer that no longer stands.

    The same answer again is no error: whoever repeats it wants what is so already.
    """
    if answer == "accept" and state == model.ACCEPTED:
        return ACCEPTED
    if answer == "decline" and state == model.DECLINED:
        return DECLINED
    return Outcome(False, f"offer-{state}", _ENDED[state], "List the offers that stand.")
