"""Real servers on free ports, for the examples as for the service."""

from tests.serving.conftest import serving  # noqa: F401  a fixture
