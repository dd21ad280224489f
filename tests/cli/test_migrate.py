"""`migrate`, `stats`, `export` and `import`, as they are typed."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.cli import main
from tests.helpers.transfers import IDS, everything, filled, store_of

VECTORS, GRAPH, CHECKPOINTS = BackendType
COUNTS = {VECTORS: 10, GRAPH: 20, CHECKPOINTS: 10}


def environment(directory, name, provider="file", **more):
    """Write the file of an environment whose stores are files in a directory of its name."""
    sections = {
        kind.section: {"default": {"provider": provider, "options": {"path": str(directory / name / kind)}}}
        for kind in BackendType
    }
    (directory / f"{name}.yaml").write_text(json.dumps({**sections, **more}))


def fill(directory, name, more=0):
    async def run():
        for kind in BackendType:
            async with store_of(kind, "file", directory / name) as store:
                await filled(store, more)

    asyncio.run(run())


def held(directory, name, kind):
    async def run():
        async with store_of(kind, "file", directory / name) as store:
            return await everything(store)

    return asyncio.run(run())


@pytest.fixture
def config(tmp_path):
    """A directory with the environments `old`, which is filled, and `new`, which is empty."""
    environment(tmp_path, "old")
    environment(tmp_path, "new")
    fill(tmp_path, "old")
    return tmp_path


@pytest.fixture
def run(config, capsys):
    """Run a command in the directory; return its exit status, its output and its errors."""

    def typed(*words):
        status = main([*words, "--config-dir", str(config)])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return status, output, errors

    return typed


def move(run, *words):
    """Return the exit status of `migrate`, and what its JSON says of the stores."""
    status, output, errors = run("migrate", "--from", "old", "--to", "new", "--json", *words)
    assert not errors
    return status, {each["type"]: each for each in json.loads(output)["stores"]}


def test_migrate_copies_every_store_and_says_that_both_sides_are_equal(run, config):
    status, output, errors = run("migrate", "--from", "old", "--to", "new")
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0].split() == ["TYPE", "NAME", "FROM", "TO", "ITEMS", "COPIED", "RESULT"]
    for kind, count in COUNTS.items():
        assert f"{kind} default file file {count} {count} equal".split() in [line.split() for line in lines]
        assert held(config, "new", kind) == held(config, "old", kind)
    assert "    10 entities, 10 relations, sha256:" in output
    assert lines[-1] == "Both sides were read and are equal."


def test_the_json_of_migrate_has_counts_and_a_digest_for_each_side(run):
    status, stores = move(run)
    assert status == 0
    for kind, store in stores.items():
        assert (store["from_provider"], store["to_provider"], store["action"]) == ("file", "file", "copy")
        assert store["source"] == store["target"]
        assert (store["equal"], store["copied"], sum(store["source"]["counts"].values())) == (
            True,
            COUNTS[kind],
            COUNTS[kind],
        )


def test_migrating_again_copies_nothing(run):
    move(run)
    status, stores = move(run)
    assert status == 0
    assert {(store["action"], store["copied"], store["equal"]) for store in stores.values()} == {("nothing", 0, True)}


def test_a_dry_run_says_what_would_be_done_and_copies_nothing(run, config):
    status, output, _ = run("migrate", "--from", "old", "--to", "new", "--dry-run")
    assert status == 0
    assert "would copy 20" in output
    assert output.endswith("Nothing was copied.\n")
    assert not any(held(config, "new", kind) for kind in BackendType)


def test_only_chooses_stores_by_type_and_by_name(run, config):
    for word, kinds in ((["vector_store"], [VECTORS]), (["knowledge_graph/default", "vector_store"], [VECTORS, GRAPH])):
        _, stores = move(run, *(part for each in word for part in ("--only", each)))
        assert list(stores) == kinds
    assert not held(config, "new", CHECKPOINTS)


def write_else(config, *kinds):
    async def run():
        for kind in kinds:
            async with store_of(kind, "file", config / "new") as store:
                if kind is GRAPH:
                    await store.add_entity("else", "T")
                elif kind is VECTORS:
                    await store.add("else", [1.0] * 4)
                else:
                    await store.save_checkpoint("else", {})

    asyncio.run(run())


def test_a_target_that_is_not_empty_is_refused_and_no_store_is_touched(run, config):
    write_else(config, GRAPH)
    status, output, _ = run("migrate", "--from", "old", "--to", "new")
    assert status == 1
    assert "refused" in output
    assert 'The knowledge_graph "default" (FileKnowledgeGraph) is not empty' in output
    assert output.endswith("1 of 3 stores need attention. Nothing was copied.\n")
    assert not held(config, "new", VECTORS)


def test_merge_keeps_what_else_the_target_holds(run, config):
    write_else(config, *BackendType)
    status, stores = move(run, "--merge")
    assert status == 0
    for kind, store in stores.items():
        assert (store["action"], store["others"], store["equal"]) == ("merge", 1, True)
        assert len(held(config, "new", kind)) == COUNTS[kind] + 1


def test_replace_deletes_what_the_target_holds(run, config):
    write_else(config, *BackendType)
    status, stores = move(run, "--replace")
    assert (status, {store["action"] for store in stores.values()}) == (0, {"replace"})
    for kind in BackendType:
        assert held(config, "new", kind) == held(config, "old", kind)


def test_a_store_that_the_target_environment_does_not_have_is_named(run, config):
    (config / "new.yaml").write_text(json.dumps({"vector_stores": {"defualt": {"provider": "memory"}}}))
    status, output, _ = run("migrate", "--from", "old", "--to", "new", "--only", "vector_store")
    assert status == 1
    assert 'new: There is no vector_store "default". Did you mean' in output.replace("'", '"')


def test_a_store_at_the_same_place_in_both_environments_is_refused(run, config):
    (config / "new.yaml").write_text((config / "old.yaml").read_text())
    status, output, _ = run("migrate", "--from", "old", "--to", "new", "--replace")
    assert (status, output.count("in the same place")) == (1, 3)
    assert held(config, "old", VECTORS)


def test_a_store_in_memory_is_refused_since_nothing_of_it_would_stay(run, config):
    (config / "new.yaml").write_text(json.dumps({"vector_stores": {"default": {"provider": "memory"}}}))
    status, output, _ = run("migrate", "--from", "old", "--to", "new", "--only", "vector_store")
    assert (status, "does not persist" in output) == (1, True)


def test_another_dimension_is_refused_before_any_store_is_copied(run, config):
    options = {"path": str(config / "new" / VECTORS), "dimension": 3}
    environment(config, "new", vector_stores={"default": {"provider": "file", "options": options}})
    status, output, _ = run("migrate", "--from", "old", "--to", "new")
    assert (status, "dimension 3, and the source has vectors of dimension 4" in output) == (1, True)
    assert not held(config, "new", CHECKPOINTS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["migrate", "--from", "old"], "--to"),
        (["migrate", "--from", "old", "--to", "old"], "both 'old'"),
        (["migrate", "--from", "old", "--to", "new", "--merge", "--replace"], "choose one"),
        (["migrate", "--from", "old", "--to", "new", "--only", "vectors"], "There is no backend type 'vectors'"),
        (["migrate", "--from", "old", "--to", "new", "--only", "vector_store/x"], "vector_store/default"),
        (["stats", "vector_store/defualt", "--env", "old"], "Did you mean"),
        (["export", "vector_store/x", "--env", "old"], "Known: "),
    ],
)
def test_a_command_that_is_misused_says_how_and_exits_with_2(run, words, message):
    status, output, errors = run(*words)
    assert (status, output) == (2, "")
    assert message in errors


@pytest.mark.parametrize("name", ["old", "nwe"])
def test_an_environment_that_does_not_exist_is_an_error_with_its_file(run, name):
    status, _, errors = run("migrate", "--from", "nwe", "--to", name if name == "old" else "new")
    assert status == 1
    assert 'nwe.yaml: there is no file for the environment "nwe". Did you mean "new"?' in errors


@pytest.mark.slow
@pytest.mark.parametrize(("by", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_migration_that_is_killed_anywhere_reaches_the_same_end_when_it_is_run_again(by, status, config):
    fill(config, "old", more=600)
    providers = {VECTORS: "VectorStore", GRAPH: "KnowledgeGraph", CHECKPOINTS: "CheckpointStore"}
    sections = {
        kind.section: {
            "default": {
                "provider": f"tests.helpers.dying_providers:{name}",
                "options": {"path": str(config / "new" / kind)},
            }
        }
        for kind, name in providers.items()
    }
    (config / "new.yaml").write_text(json.dumps(sections))
    command = [sys.executable, "-m", "symphony_registry", "migrate", "--from", "old", "--to", "new", "--json"]

    def run_once(**variables):
        known = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SYMPHONY_REGISTRY_CONFIG_DIR": str(config),
        }
        return subprocess.run(command, env={**known, **variables}, capture_output=True, text=True, check=False)

    for _ in range(4):  # each run writes a batch, and ends before the second
        ended = run_once(DIE_AFTER="1", DIE_BY=str(int(by)))
        assert ended.returncode == status
        assert "Traceback" not in ended.stderr
    done = run_once()
    assert done.returncode == 0
    stores = {each["type"]: each for each in json.loads(done.stdout)["stores"]}
    assert {each["equal"] for each in stores.values()} == {True}
    assert stores[VECTORS]["action"] == "nothing"
    assert stores[GRAPH]["action"] == "continue"
    for kind in BackendType:
        assert held(config, "new", kind) == held(config, "old", kind)


def test_stats_says_how_much_there_is_of_what(run):
    status, output, _ = run("stats", "--env", "old")
    assert status == 0
    assert [line.split() for line in output.splitlines() if not line.startswith(" ")] == [
        ["TYPE", "NAME", "PROVIDER", "ITEMS"],
        ["vector_store", "default", "file", "10"],
        ["knowledge_graph", "default", "file", "10", "+", "10"],
        ["checkpoint_store", "default", "file", "10"],
    ]
    assert "    dimension: 4\n" in output
    assert "    entity types: 5 T, 5 É\n" in output
    assert "    relation types: 10 R\n" in output
    assert "    oldest: 2001-09-09 01:46:40 UTC, '../x'\n" in output
    assert "    newest: 2001-09-09 01:46:31 UTC, '9'\n" in output


def test_the_json_of_stats_has_every_number(run):
    _, output, _ = run("stats", "--env", "old", "--json")
    known = {"name": "default", "provider": "file", "problem": None}
    oldest, newest = {"checkpoint_id": "../x", "timestamp": 1e9 + 0.1}, {"checkpoint_id": "9", "timestamp": 1e9 - 8.9}
    types = {"entity_types": {"T": 5, "É": 5}, "relation_types": {"R": 10}}
    assert json.loads(output) == [
        {"type": VECTORS, **known, "vectors": 10, "dimension": 4},
        {"type": GRAPH, **known, "entities": 10, "relations": 10, **types},
        {"type": CHECKPOINTS, **known, "checkpoints": 10, "oldest": oldest, "newest": newest},
    ]


def test_stats_of_an_empty_store_and_of_one_store(run):
    run("check", "--env", "new")  # which makes the stores
    assert run("stats", "checkpoint_store/default", "--env", "new")[1].splitlines()[1:] == [
        "checkpoint_store  default  file          0",
        "    oldest: -",
        "    newest: -",
    ]


def test_stats_of_a_store_that_cannot_be_opened_says_why(run, config):
    journal = config / "old" / VECTORS / "journal.jsonl"
    journal.write_bytes(b"damaged" + journal.read_bytes())
    status, output, _ = run("stats", "--env", "old")
    assert (status, "journal.jsonl is damaged at byte 0" in output) == (1, True)
    assert "knowledge_graph   default  file      10 + 10" in output


@pytest.mark.parametrize("kind", BackendType)
def test_an_exported_store_is_imported_as_it_was(run, config, kind):
    file = config / "backup.jsonl"
    status, output, _ = run("export", f"{kind}/default", "--env", "old", "--output", str(file))
    assert (status, output.startswith(f"{COUNTS[kind]} items of {kind}/default are in")) == (0, True)
    status, output, errors = run("import", f"{kind}/default", str(file), "--env", "new")
    assert (status, errors) == (0, "")
    assert f"{COUNTS[kind]} items were written, and all compared." in output
    assert held(config, "new", kind) == held(config, "old", kind)
    status, output, _ = run("import", f"{kind}/default", str(file), "--env", "new", "--json")
    assert (json.loads(output)["action"], json.loads(output)["equal"]) == ("nothing", True)


def test_export_goes_to_standard_output_and_import_reads_it(run, config, monkeypatch):
    status, output, errors = run("export", "vector_store", "--env", "old")
    assert (status, errors, output.count("\n")) == (0, "", len(IDS) + 2)
    assert run("export", "vector_store", "--env", "old", "--output", "-") == (0, output, "")

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(output.encode())))
    assert run("import", "vector_store", "-", "--env", "new")[0] == 0
    assert held(config, "new", VECTORS) == held(config, "old", VECTORS)


def test_an_export_that_fails_leaves_the_file_that_was_there(run, config):
    file = config / "backup.jsonl"
    file.write_text("the last good one")
    journal = config / "old" / VECTORS / "journal.jsonl"
    journal.write_bytes(b"damaged" + journal.read_bytes())
    assert run("export", "vector_store", "--env", "old", "-o", str(file))[0] == 1
    assert file.read_text() == "the last good one"
    assert [path.name for path in config.glob("backup*")] == ["backup.jsonl"]


@pytest.mark.parametrize(
    ("output", "reason"), [("/dev/full", "No space left on device"), ("nowhere/backup", "No such file or directory")]
)
def test_an_export_that_cannot_be_written_says_why(run, output, reason):
    status, _, errors = run("export", "vector_store", "--env", "old", "-o", output)
    assert (status, errors) == (1, f"error: {output} could not be written: {reason}.\n")


def test_a_copy_that_fails_midway_says_where_and_how_far_it_came(run, config):
    async def add_zero():
        async with store_of(VECTORS, "file", config / "old", metric="dot") as store:
            await store.add_many([(f"id-{number:04}", [1.0] * 4, None) for number in range(700)])
            await store.add("id-9999", [0.0] * 4)

    asyncio.run(add_zero())
    options = {"path": str(config / "old" / VECTORS), "metric": "dot"}
    environment(config, "old", vector_stores={"default": {"provider": "file", "options": options}})
    status, stores = move(run)
    assert status == 1
    assert (stores[VECTORS]["copied"], stores[VECTORS]["equal"]) == (500, None)
    assert "The vectors from 'id-0493' to '\U00010000' were not taken: The vector_store" in stores[VECTORS]["problem"]
    assert ": items[207]: The vector has length zero" in stores[VECTORS]["problem"]
    assert (stores[GRAPH]["equal"], stores[CHECKPOINTS]["equal"]) == (True, True)


def test_a_damaged_line_is_an_error_with_its_place_and_nothing_is_imported(run, config):
    file = config / "backup.jsonl"
    run("export", "vector_store", "--env", "old", "-o", str(file))
    lines = file.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"vector"', b'"vectro"')
    file.write_bytes(b"".join(lines))
    status, _, errors = run("import", "vector_store", str(file), "--env", "new")
    assert status == 1
    assert errors.startswith(f"error: {file}:5: a line has the keys id, vector, metadata")
    assert not held(config, "new", VECTORS)


def test_import_refuses_a_store_that_is_not_empty_unless_it_is_told(run, config):
    file = config / "backup.jsonl"
    run("export", "checkpoint_store", "--env", "old", "-o", str(file))
    write_else(config, CHECKPOINTS)
    status, _, errors = run("import", "checkpoint_store", str(file), "--env", "new")
    assert (status, "is not empty" in errors) == (1, True)
    status, output, _ = run("import", "checkpoint_store", str(file), "--env", "new", "--merge", "--json")
    assert (status, json.loads(output)["others"]) == (0, 1)
    assert run("import", "checkpoint_store", str(file), "--env", "new", "--replace")[0] == 0
    assert held(config, "new", CHECKPOINTS) == held(config, "old", CHECKPOINTS)


def test_a_file_that_is_not_there_is_an_error_with_its_name(run):
    status, _, errors = run("import", "vector_store", "nowhere.jsonl", "--env", "new")
    assert (status, errors) == (1, "error: nowhere.jsonl: No such file or directory.\n")


def test_a_reader_that_leaves_early_ends_the_export_quietly(config):
    command = f"{sys.executable} -m symphony_registry export vector_store --env old | head -n 1"
    variables = {**os.environ, "SYMPHONY_REGISTRY_CONFIG_DIR": str(config)}
    fill(config, "old", more=3000)  # more than a pipe holds
    done = subprocess.run(command, shell=True, env=variables, capture_output=True, text=True, check=False)
    assert done.stdout == '{"format":"symphony-registry","version":2,"type":"vector_store"}\n'
    assert done.stderr == ""


LEAKING = """
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Counts(InMemoryVectorStore):
    guarantees = Guarantees(survives="crash", lists_entities=True, restores_timestamps=True)

    async def count(self, metadata_filter=None):
        raise ConnectionResetError("hunter2")

class Scans(InMemoryKnowledgeGraph):
    guarantees = Guarantees(survives="crash", lists_entities=True, restores_timestamps=True)

    async def scan_entities(self, batch_size=1000):
        raise OSError("hunter2")
        yield

    scan_relations = scan_entities

class Closes(InMemoryCheckpointStore):
    guarantees = Guarantees(survives="crash", lists_entities=True, restores_timestamps=True)

    async def disconnect(self):
        await super().disconnect()
        raise RuntimeError("hunter2")
"""


@pytest.fixture
def leaking(config, monkeypatch):
    """The environment `leaking`, whose providers raise what their drivers say."""
    monkeypatch.syspath_prepend(config)
    (config / "leaking_stores.py").write_text(LEAKING)
    classes = zip(BackendType, ("Counts", "Scans", "Closes"), strict=True)
    sections = {kind.section: {"default": {"provider": f"leaking_stores:{name}"}} for kind, name in classes}
    (config / "leaking.yaml").write_text(json.dumps(sections))


def test_what_a_driver_says_is_not_shown_whatever_the_command(run, leaking, config):
    for words in (["stats"], ["export", "vector_store", "-o", str(config / "backup")], ["export", "knowledge_graph"]):
        status, output, errors = run(*words, "--env", "leaking")
        assert (status, "hunter2" in output + errors) == (1, False)
        assert "(Counts) failed: ConnectionResetError." in output + errors or "(Scans) failed: OSError." in errors
    assert not (config / "backup").exists()


def test_a_store_that_cannot_be_closed_is_counted_all_the_same(run, leaking):
    _, output, _ = run("stats", "checkpoint_store", "--env", "leaking", "--json")
    (counted,) = json.loads(output)
    assert counted["checkpoints"] == 0
    assert counted["problem"].startswith(
        'The checkpoint_store "default" (Closes) did not close: RuntimeError. Its text'
    )


def test_a_store_whose_driver_fails_does_not_keep_the_others_from_being_told(run, leaking):
    status, output, _ = run("migrate", "--from", "old", "--to", "leaking", "--json")
    problems = {each["type"]: each["problem"] for each in json.loads(output)["stores"]}
    assert status == 1
    assert [problem.partition(": ")[2].partition(". ")[0] for problem in problems.values()] == [
        "ConnectionResetError",
        "OSError",
        "RuntimeError",
    ]


@pytest.mark.parametrize("environment_given", [[], ["--env", "new"]])
def test_a_backup_is_not_overwritten_by_what_is_not_the_store_that_was_meant(run, config, environment_given):
    file = config / "backup.jsonl"
    run("export", "vector_store", "--env", "old", "-o", str(file))
    before = file.read_bytes()
    (config / "base.yaml").write_text("vector_stores: {default: {provider: memory}}")
    status, _, errors = run("export", "vector_store", "-o", str(file), *environment_given)
    assert (status, file.read_bytes()) == (1, before)
    assert "does not persist" in errors or "nothing was ever stored in it. Check the environment" in errors
    assert not (config / "new").exists()


def test_an_empty_store_takes_no_file_s_place(run, config):
    file = config / "backup.jsonl"
    run("check", "--env", "new")  # which makes the stores
    assert run("export", "vector_store", "--env", "new", "-o", str(file))[0] == 0
    status, _, errors = run("export", "vector_store", "--env", "new", "-o", str(file))
    assert (status, f"is empty: {file} is kept" in errors) == (1, True)


def test_nothing_is_replaced_by_a_source_that_was_never_there_or_is_empty(run, config):
    status, output, _ = run("migrate", "--from", "new", "--to", "old", "--replace")
    assert (status, output.count("is not there: nothing was ever stored in it")) == (1, 3)
    assert not (config / "new").exists()
    run("check", "--env", "new")
    status, output, _ = run("migrate", "--from", "new", "--to", "old", "--replace")
    assert (status, output.count("The source is empty")) == (1, 3)
    assert len(held(config, "old", VECTORS)) == COUNTS[VECTORS]


def test_a_file_that_replaces_another_has_its_mode_and_a_new_one_is_its_owner_s(run, config):
    file = config / "backup.jsonl"
    for mode in (0o600, 0o640):
        run("export", "vector_store", "--env", "old", "-o", str(file))
        assert file.stat().st_mode & 0o777 == mode
        file.chmod(0o640)
    assert [path.name for path in config.glob("backup*")] == ["backup.jsonl"]


def test_the_json_of_import_says_what_is_in_the_way(run, config):
    file = config / "backup.jsonl"
    file.write_text("hello\n")
    status, output, errors = run("import", "vector_store", str(file), "--env", "new", "--json")
    assert (status, errors) == (1, "")
    assert json.loads(output)["problem"].startswith(f"{file}:1: this is not JSON")


def test_a_timestamp_that_is_no_date_is_shown_as_a_number(run, config):
    async def save():
        async with store_of(CHECKPOINTS, "file", config / "new") as store:
            await store.restore_checkpoints([("a", {}, {}, -1e12), ("b", {}, {}, 1e18)])

    asyncio.run(save())
    _, output, _ = run("stats", "checkpoint_store", "--env", "new")
    assert output.splitlines()[2:] == ["    oldest: -1000000000000.0, 'a'", "    newest: 1e+18, 'b'"]


def test_no_type_of_an_entity_steers_the_terminal(run, config):
    async def add():
        async with store_of(GRAPH, "file", config / "new") as store:
            await store.add_entity("a", "\x1b[2JPer\nson")

    asyncio.run(add())
    assert r"    entity types: 1 \x1b[2JPer\nson" in run("stats", "knowledge_graph", "--env", "new")[1].splitlines()


def test_what_a_target_rounds_is_said_and_compared_as_it_keeps_it(run, config, postgres_url, new_schema):
    options = {"dsn": postgres_url, "schema": new_schema(), "storage": "halfvec"}
    environment(config, "new", vector_stores={"default": {"provider": "postgres", "options": options}})
    for action in ("would copy 10", "equal", "equal"):
        dry = ["--dry-run"] if action.startswith("would") else []
        status, output, errors = run("migrate", "--from", "old", "--to", "new", "--only", "vector_store", *dry)
        assert (status, action in output) == (0, True)
        assert "vectors are copied rounded" in output
        assert ("vectors are copied rounded" in errors) == (not dry)
