"""What marks a class as faulty."""

# mypy: ignore-errors

import pytest

FAULTS = []


def fault(name, large=20_000):
    """Mark a class with a planted fault, which its docstring describes, and the group or sentence that finds it."""

    def add(faulty):
        FAULTS.append(pytest.param(faulty, name, large, id=f"{name} {faulty.__name__}: {faulty.__doc__}"))
        return faulty

    return add
