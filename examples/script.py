"""A script without `await`: software that is like a package.

python examples/script.py                                                # like gnuchess, in memory
SYMPHONY_REGISTRY_ENV=development python examples/script.py inkscape     # in files: the next run finds them
"""

import sys

from quickstart import CONFIG, read_packages

from symphony_registry import ServiceRegistry
from symphony_registry.blocking import BlockingVectorStore


def main(name: str = "gnuchess") -> None:
    """Print what is most like a package."""
    with ServiceRegistry.from_config(config_dir=CONFIG).in_thread() as registry:
        packages = registry.vector_store()
        if not packages.count():
            packages.add_many(read_packages())
        for line in similar(packages, name):
            print(line)


def similar(packages: BlockingVectorStore, name: str) -> list[str]:
    """Return a line for each of the five packages that are most like one."""
    package = packages.get(name)
    if package is None:
        sys.exit(f"There is no package {name!r}; there is {next(packages.scan())['id']!r}, for example.")
    found = packages.search(package["vector"], limit=6, metadata_filter={"section": package["metadata"]["section"]})
    return [f"{result['id']:20} {result['metadata']['text']}" for result in found if result["id"] != name]


if __name__ == "__main__":
    main(*sys.argv[1:])
