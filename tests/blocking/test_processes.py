"""Ctrl-C, forks, and processes that end without closing, each in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BEFORE = """
import asyncio, os, signal, sys, threading, warnings
from symphony_registry import ServiceRegistry
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import BackendNotOpenError

async_registry = ServiceRegistry()
events = []

def interrupt_when(event):
    def wait():
        event.wait()
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=wait, daemon=True).start()

class Patient(InMemoryVectorStore):
    counting = threading.Event()

    async def count(self, *arguments, **selection):
        self.counting.set()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("count ended")

def open_file_store():
    async_registry.container.vector_store.override(FileVectorStore(sys.argv[1]))
    registry = async_registry.in_thread()
    registry.open()
    return registry, registry.vector_store()
"""


def run(script: str, *arguments: object, status: int = 0) -> str:
    """Return what a script prints; it ends as it is to, and says nothing else."""
    command = [sys.executable, "-c", BEFORE + textwrap.dedent(script), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    assert done.returncode == status
    return done.stdout


def test_ctrl_c_cancels_the_call_that_waits_and_comes_out_when_it_has_ended() -> None:
    script = """
    async_registry.container.vector_store.override(Patient())
    interrupt_when(Patient.counting)
    with async_registry.in_thread() as registry:
        try:
            registry.vector_store().count()
        except KeyboardInterrupt:
            events.append("interrupted")
        registry.vector_store().add("a", [1.0])
        print(events, registry.vector_store().get("a")["id"])
    """
    assert run(script) == "['count ended', 'interrupted'] a\n"


def test_ctrl_c_leaves_the_with_block_and_closes(tmp_path: Path) -> None:
    script = """
    async_registry.container.vector_store.override(Patient())
    interrupt_when(Patient.counting)
    try:
        with async_registry.in_thread() as registry:
            registry.vector_store().count()
    except KeyboardInterrupt:
        print(threading.active_count())
    """
    assert run(script) == "1\n"


def test_a_write_that_ctrl_c_interrupts_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    script = """
    registry, store = open_file_store()
    begun = threading.Event()

    def items():
        for number in range(20_000):
            yield str(number), [1.0, number], None
        begun.set()

    interrupt_when(begun)
    try:
        store.add_many(items())
        signal.pause()
    except KeyboardInterrupt:
        pass
    before = store.count()
    registry.close()
    registry.open()
    print(before == store.count() and before in (0, 20_000))
    registry.close()
    """
    assert run(script, tmp_path) == "True\n"


def test_a_process_that_ends_without_closing_ends_well_and_keeps_what_was_written(tmp_path: Path) -> None:
    script = """
    registry, store = open_file_store()
    store.add(sys.argv[2], [1.0])
    print(store.count())
    """
    assert run(script, tmp_path, "a") == "1\n"
    assert run(script, tmp_path, "b") == "2\n"


INDEXED = """
import logging
import numpy as np
from symphony_registry.providers.embedded.vectors import approximate
approximate._FEWEST, approximate._SHARE = 1, 2
async_registry.container.vector_store.override(InMemoryVectorStore({"index": "hnsw"}))
registry = async_registry.in_thread()
registry.open()
store = registry.vector_store()

def fill(count):
    vectors = np.random.default_rng(0).normal(size=(count, 64))
    store.add_many((str(number), vector, None) for number, vector in enumerate(vectors))
    return vectors[0]
"""


@pytest.mark.parametrize(("ending", "status"), [("", 0), ("sys.exit(3)", 3)])
def test_a_process_that_ends_while_an_index_is_made_ends_well(ending: str, status: int) -> None:
    script = f"""
    fill(50_000)
    print(store.count())
    {ending}
    """
    assert run(INDEXED + textwrap.dedent(script), status=status) == "50000\n"


def test_a_process_that_ends_while_daemons_search_ends_well() -> None:
    script = """
    ready = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record):
            if "is ready" in record.msg:
                ready.set()

    logging.getLogger("symphony_registry").setLevel("INFO")
    logging.getLogger("symphony_registry").addHandler(Listener())
    query = fill(2000)
    ready.wait()
    searched = threading.Barrier(3)

    def search():
        searched.wait()
        while True:
            store.search(query)

    for _ in range(2):
        threading.Thread(target=search, daemon=True).start()
    searched.wait()
    for _ in range(1000):
        store.search(query)
    print("ended")
    """
    assert run(INDEXED + textwrap.dedent(script)) == "ended\n"


def test_an_iterator_that_is_left_open_ends_with_the_process(tmp_path: Path) -> None:
    script = """
    registry, store = open_file_store()
    store.add_many((str(number), [1.0], None) for number in range(5000))
    items = store.scan()
    print(next(items)["id"])
    """
    assert run(script, tmp_path) == "0\n"


def test_in_a_forked_child_nothing_is_open_and_opening_works(tmp_path: Path) -> None:
    script = """
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where there are threads
    async_registry.container.vector_store.override(InMemoryVectorStore())
    registry = async_registry.in_thread()
    registry.open()
    store = registry.vector_store()
    store.add("a", [1.0])
    child = os.fork()
    if not child:
        try:
            store.count()
        except BackendNotOpenError:
            print("not open")
        with registry:
            print("opened", registry.vector_store().count(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", store.count())
    registry.close()
    """
    assert run(script) == "not open\nopened 1\nparent 1\n"


def test_what_is_called_at_the_exit_is_done_and_the_store_closed_in_order(tmp_path: Path) -> None:
    script = """
    import atexit
    registry, store = open_file_store()
    atexit.register(registry.close)
    atexit.register(store.add, "at the exit", [1.0])
    """
    assert run(script, tmp_path) == ""
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert b"at the exit" in lines[-2]
    assert b"closed" in lines[-1]


def test_a_call_while_the_interpreter_ends_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    script = """
    registry, store = open_file_store()
    class Late:
        def __init__(self, count, error, write):
            self.parts = count, error, write

        def __del__(self):
            count, error, write = self.parts
            try:
                count()
            except error as refused:
                write(1, str(refused)[-12:].encode())
    late = Late(store.count, BackendNotOpenError, os.write)
    late.itself = late
    """
    assert "by `with`." in run(script, tmp_path)
