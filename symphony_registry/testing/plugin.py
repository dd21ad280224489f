"""The pytest plugin: makes the kit's asserts explain themselves."""

import pkgutil
from pathlib import Path

import pytest

# The modules themselves are imported when a test uses the kit.
pytest.register_assert_rewrite(
    *(
        f"{__package__}.{module.name}"
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name != "plugin"
    )
)
