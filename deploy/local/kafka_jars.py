"""Apache Kafka's jars in this user's cache, fetched once with Maven."""

import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import LocalServerError

_POM = Path(__file__).with_name("pom.xml")
_MAVEN = "{http://maven.apache.org/POM/4.0.0}"
# 44 MB; 7 s on a fast line, so this allows for one of 75 kB/s.
_FETCH_DEADLINE_SECONDS = 600


@dataclass(frozen=True)
class KafkaJars:
    """Where one version of Kafka lies."""

    folder: Path

    @property
    def classpath(self) -> str:
        """Every jar by name: class-data sharing does not work with a wildcard."""
        return os.pathsep.join(str(jar) for jar in sorted((self.folder / "jars").glob("*.jar")))

    @property
    def class_archive(self) -> Path:
        """The prepared classes of a broker that has started once; may not exist."""
        return self.folder / "classes.jsa"

    @property
    def formatted(self) -> Path:
        """An empty formatted log directory, to be copied."""
        return self.folder / "formatted"

    def exist(self) -> bool:
        """Whether the jars are here already, so that Maven is not needed."""
        return self.folder.is_dir()


def kafka_version() -> str:
    """The version of Kafka that `pom.xml` names."""
    for dependency in ElementTree.parse(_POM).iter(f"{_MAVEN}dependency"):
        if dependency.findtext(f"{_MAVEN}artifactId") == "kafka_2.13":
            return dependency.findtext(f"{_MAVEN}version", "")
    raise LocalServerError(f"{_POM.name} names no kafka_2.13")


def cached_jars() -> KafkaJars:
    """The place of the jars in this user's cache; they may not be there yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return KafkaJars(Path(cache) / "throughline" / f"kafka-{kafka_version()}")


def fetch_jars(target: KafkaJars, format_storage: Callable[[KafkaJars], None]) -> None:
    """Fetch the jars and let `format_storage` add a formatted log directory beside them.

    The folder appears under its name only when it is complete, so several processes may do this
    at once: the first one wins.
    """
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.folder.parent, prefix=".new-") as temporary:
        new = KafkaJars(Path(temporary) / "kafka")
        _run_maven(new.folder / "jars")
        format_storage(new)
        try:
            new.folder.rename(target.folder)
        except OSError:
            if not target.exist():
                raise


def missing_tools(jars: KafkaJars) -> list[str]:
    """The programs that starting Kafka needs and this machine lacks."""
    needed = ["java"] if jars.exist() else ["java", "mvn"]
    return [tool for tool in needed if shutil.which(tool) is None]


def _run_maven(output: Path) -> None:
    # Maven writes nothing next to the pom this way, so an installed copy may be read-only.
    command = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={output}"]
    done = subprocess.run(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_FETCH_DEADLINE_SECONDS,
    )
    if done.returncode:
        raise LocalServerError(f"Maven could not fetch Kafka:\n{done.stdout[-2000:]}")
