"""Small numbers in place of names."""


class Numbering:
    """Gives each name a small number, and reuses those that are released."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []  # by number; "" for a number that is not in use
        self._free: list[int] = []

    def add(self, name: str) -> int:
        """Return the number of a name, which a new name is given."""
        number = self.numbers.get(name)
        if number is None:
            if self._free:
                number = self._free.pop()
                self.names[number] = name
            else:
                number = len(self.names)
                self.names.append(name)
            self.numbers[name] = number
        return number

    def remove(self, name: str) -> int:
        """Forget a name and return its number, which is not reused before it is released."""
        number = self.numbers.pop(name)
        self.names[number] = ""
        return number

    def release(self, number: int) -> None:
        """Allow a number to be reused."""
        self._free.append(number)
