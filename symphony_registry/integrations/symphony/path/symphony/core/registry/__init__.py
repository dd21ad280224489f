"""Found at the end of the path, so only where no other distribution has a package `symphony`."""

import sys

import symphony_registry
from symphony_registry.integrations.symphony.installation import find_as_package

find_as_package()
sys.modules[__name__] = symphony_registry  # this module makes way
