"""Found at the end of the path, so only where no other distribution has a package `symphony`."""

import sys

import symphony_registry.integrations.symphony

del sys.modules[__name__]  # this module makes way
symphony_registry.integrations.symphony.install()
sys.modules[__name__] = symphony_registry.integrations.symphony
