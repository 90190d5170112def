"""What every test may ask for."""

import os

import hypothesis

pytest_plugins = ["tests.parts.plugin"]

# A machine under load is no fault: no example is judged by the time that it took.
# On a developer's machine they try other examples each time; in CI the same, so that a change fails by its own fault.
hypothesis.settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("untimed")
