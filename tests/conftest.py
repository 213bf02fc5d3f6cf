"""Fixtures every test can ask for, and what all properties have in common."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.stack", "tests.support.deployment"]

# By default hypothesis fails an example that takes 200 ms of the wall's time, and drawing that is
# slow at first. Both measure how busy the machine is; none of our properties is about that.
settings.register_profile(
    "throughline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("throughline")
