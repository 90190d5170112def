"""What every test may ask for."""

import hypothesis

pytest_plugins = ["tests.parts.plugin"]

# A machine under load is no fault: no example is judged by the time that it took.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
