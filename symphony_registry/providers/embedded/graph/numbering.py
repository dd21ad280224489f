"""Small numbers for names."""


class Numbering:
    """A small number for each name; one that is released is given again."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []  # by number; empty where it is nobody's
        self._free: list[int] = []

    def add(self, name: str) -> int:
        """Return the name's number, a new one for a new name."""
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
        """Forget the name and return the number that it had, which stays taken until it is released."""
        number = self.numbers.pop(name)
        self.names[number] = ""
        return number

    def release(self, number: int) -> None:
        """Let another name have the number."""
        self._free.append(number)
