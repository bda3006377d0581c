"""Settings of hypothesis for all tests: what a busy machine does slowly is no fault."""

from hypothesis import HealthCheck, settings

# Under CI hypothesis does so by itself; whoever runs `make test` wants the same verdict.
settings.register_profile(
    "unhurried",
    settings.get_profile("default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
if settings.get_current_profile_name() == "default":
    settings.load_profile("unhurried")
