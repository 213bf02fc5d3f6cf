"""Errors that say what is wrong in one sentence, and what to do in another."""


class ThroughlineError(Exception):
    """A failure a person can act on.

    `problem` says what is wrong, `fix` what to do; neither holds personal data, so both may be
    logged and shown.
    """

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem} {fix}")
        self.problem = problem
        self.fix = fix


class PolicyError(ThroughlineError):
    """A policy file is wrong: the problem names file, line and key."""


class SettingsError(ThroughlineError):
    """The deployment's settings are wrong: the problem names the environment variable."""


class Unavailable(ThroughlineError):
    """Something we need to be durable did not answer in time: the caller must try again."""
