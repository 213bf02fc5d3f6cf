"""librdkafka's in-process broker, for machines without Java."""

from confluent_kafka import KafkaException, Producer

from deploy.local.process import LocalServerError

# It answers at once; the first call waits for its threads.
_START_DEADLINE_SECONDS = 10


class KafkaStub:
    """A broker inside this process: enough to look around, not to rely on.

    It creates topics on first use with 4 partitions each, stamps every record with the same time,
    keeps nothing and has no admin API. It cannot be restarted: stopping it loses its address.
    """

    supports_admin = False

    def __init__(self) -> None:
        self._owner: Producer | None = None
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """The address for clients; `LocalServerError` when it is not running."""
        if self._owner is None:
            raise LocalServerError("The in-process broker is not running")
        return self._bootstrap

    def start(self) -> None:
        """Start the broker; it answers when this returns."""
        owner = Producer({"test.mock.num.brokers": 1, "log_level": 4})
        try:
            (broker,) = owner.list_topics(timeout=_START_DEADLINE_SECONDS).brokers.values()
        except KafkaException as error:
            raise LocalServerError(f"The in-process broker did not start: {error}") from error
        self._owner = owner
        self._bootstrap = f"{broker.host}:{broker.port}"

    def launch(self) -> None:
        """The same as `start`: there is nothing to wait for."""
        self.start()

    def wait_until_ready(self) -> None:
        """Return at once."""

    def stop(self) -> None:
        """End the broker with everything in it; nothing happens when it is not running."""
        self._owner = None  # librdkafka ends it with its last client object
