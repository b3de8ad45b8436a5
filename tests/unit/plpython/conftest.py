"""What these tests need of tests/conftest.py, which does not load on Python 3.9: the settings of hypothesis."""

import tests.forms  # noqa: F401
