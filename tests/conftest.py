"""What every test may ask for, and how generated examples are drawn."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.parts.plugin"]

# No example is timed: machines are shared. The same examples each time, so that a red run means a change.
settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("project")
