"""What the knowledge graph in PostgreSQL asks of the server: walks are one statement each."""

from symphony_registry.engines.postgres.tables import Plan

PLAN = Plan(
    "knowledge_graph",
    tables=("entities", "relations"),
    create=(
        """
        CREATE TABLE {entities} (
            id text COLLATE "C" PRIMARY KEY,
            type text COLLATE "C" NOT NULL,
            properties json NOT NULL,
            comparable jsonb NOT NULL
        )
        """,
        "CREATE INDEX ON {entities} (type, id)",
        "CREATE INDEX ON {entities} USING gin (comparable jsonb_path_ops)",
        """
        CREATE TABLE {relations} (
            from_id text COLLATE "C" NOT NULL REFERENCES {entities} ON DELETE CASCADE,
            to_id text COLLATE "C" NOT NULL REFERENCES {entities} ON DELETE CASCADE,
            type text COLLATE "C" NOT NULL,
            properties json NOT NULL,
            PRIMARY KEY (from_id, type, to_id)
        )
        """,
        "CREATE INDEX ON {relations} (to_id, type, from_id)",
    ),
)
PUT_ENTITIES = """
    INSERT INTO {entities} (id, type, properties, comparable)
    SELECT id, type, properties::json, coalesce(comparable, properties)::jsonb
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS item(id, type, properties, comparable)
    ON CONFLICT (id) DO UPDATE SET type = excluded.type, properties = excluded.properties,
        comparable = excluded.comparable
"""
# Relations are locked in one order, whoever of their ends is deleted first.
DELETE_ENTITY = """
    WITH locked AS MATERIALIZED (
        SELECT 1 FROM {relations} WHERE from_id = $1 OR to_id = $1 ORDER BY from_id, type, to_id FOR UPDATE
    )
    DELETE FROM {entities} WHERE id = $1 AND (SELECT count(*) FROM locked) >= 0
"""
PUT_RELATIONS = """
    INSERT INTO {relations} (from_id, to_id, type, properties)
    SELECT from_id, to_id, type, properties::json
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS item(from_id, to_id, type, properties)
    ON CONFLICT (from_id, type, to_id) DO UPDATE SET properties = excluded.properties
"""
MISSING = """
    SELECT number FROM unnest($1::text[]) WITH ORDINALITY AS item(id, number)
    WHERE NOT EXISTS (SELECT FROM {entities} AS entity WHERE entity.id = item.id) ORDER BY number LIMIT 1
"""
ENTITY = "SELECT id, type, properties FROM {entities} WHERE id = $1"
RELATION = "SELECT from_id, to_id, type, properties FROM {relations}"
SIDES = {"outgoing": "from_id = $1", "incoming": "to_id = $1", "both": "(from_id = $1 OR to_id = $1)"}

# The working table of a recursive query is one level; UNION keeps each level distinct.
QUERY = """
    WITH RECURSIVE walk(id, step) AS (
        SELECT id, 0 FROM {entities} WHERE id = $1
        UNION
        SELECT relation.to_id, walk.step + 1 FROM walk JOIN {relations} AS relation
        ON relation.from_id = walk.id AND relation.type = ($2::text[])[walk.step + 1]
    )
    SELECT id, type, properties FROM {entities}
    WHERE id IN (SELECT id FROM walk WHERE step = cardinality($2::text[])) ORDER BY id LIMIT $3
"""
STEPS = {
    "outgoing": "SELECT to_id AS id FROM {relations} WHERE from_id = walk.id{of_type}",
    "incoming": "SELECT from_id AS id FROM {relations} WHERE to_id = walk.id{of_type}",
}
NEIGHBORS = """
    WITH RECURSIVE walk(id, step) AS (
        SELECT $1::text COLLATE "C", 0
        UNION
        SELECT near.id, walk.step + 1 FROM walk, LATERAL ({steps}) AS near WHERE walk.step < $2
    )
    SELECT id, type, properties FROM {entities}
    WHERE id IN (SELECT id FROM walk) AND id <> $1 ORDER BY id LIMIT $3
"""
# How far the goal is; the entities at each distance on the way; those of them that lead to it, from the goal back;
# and from the start on, the smallest each time.
SHORTEST_PATH = """
    WITH RECURSIVE search(id, step) AS (
        SELECT id, 0 FROM {entities} WHERE id = $1
        UNION
        SELECT relation.to_id, search.step + 1 FROM search JOIN {relations} AS relation
        ON relation.from_id = search.id{of_type} WHERE search.step < $3
    ), goal AS MATERIALIZED (
        SELECT step FROM search WHERE id = $2 LIMIT 1
    ), walk(id, step) AS (
        SELECT $1::text COLLATE "C", 0
        UNION
        SELECT relation.to_id, walk.step + 1 FROM walk JOIN {relations} AS relation
        ON relation.from_id = walk.id{of_type} WHERE walk.step < (SELECT step FROM goal) - 1
    ), back(id, step) AS (
        SELECT $2::text COLLATE "C", step FROM goal
        UNION
        SELECT walk.id, walk.step FROM back JOIN {relations} AS relation ON relation.to_id = back.id{of_type}
        JOIN walk ON walk.id = relation.from_id AND walk.step = back.step - 1
    ), path(id, step) AS (
        SELECT id, step FROM back WHERE step = 0
        UNION
        SELECT next.id, path.step + 1 FROM path, LATERAL (
            SELECT relation.to_id AS id FROM {relations} AS relation
            JOIN back ON back.id = relation.to_id AND back.step = path.step + 1
            WHERE relation.from_id = path.id{of_type} ORDER BY relation.to_id LIMIT 1
        ) AS next
    )
    SELECT entity.id, entity.type, entity.properties FROM path JOIN {entities} AS entity ON entity.id = path.id
    ORDER BY path.step
"""
