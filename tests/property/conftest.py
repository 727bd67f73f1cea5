"""Hypothesis: as many examples as minutes allow; more with MESOFHIR_TESTS=thorough."""

import os

from hypothesis import HealthCheck, Phase, settings

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
settings.register_profile("quick", max_examples=60, deadline=None, suppress_health_check=_CHECKS)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=_CHECKS)
settings.register_profile(
    "explore", max_examples=40, deadline=None, suppress_health_check=_CHECKS, phases=[Phase.generate]
)
settings.load_profile(os.environ.get("MESOFHIR_TESTS", "quick"))
