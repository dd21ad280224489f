"""`symphony-registry schema`."""

import json

from symphony_registry.cli.options import Output
from symphony_registry.cli.output import write_text
from symphony_registry.settings.json_schema import json_schema


def schema(output: Output = None) -> None:
    """Print the JSON Schema of configuration files, for editors.

    It knows the options of every installed provider. Editors with the YAML language server find it by the first line
    of a file: `# yaml-language-server: $schema=schema.json`.
    """
    write_text(schema_text(), output)


def schema_text() -> str:
    """Return the schema as a file has it."""
    return json.dumps(json_schema(), indent=2) + "\n"
