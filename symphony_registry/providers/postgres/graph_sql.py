"""The statements of the knowledge graph in PostgreSQL; each walk is one. See docs/design/walks.md."""

from symphony_registry.providers.postgres.tables import Layout

LAYOUT = Layout(
    "knowledge_graph",
    tables=("entities", "relations"),
    create=(
        """
        CREATE TABLE {entities} (
            id text COLLATE "C" PRIMARY KEY,
            type text COLLATE "C" NOT NULL,
            comparable jsonb NOT NULL,
            properties json NOT NULL
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
    ON CONFLICT (id)
"""
OVER = "DO UPDATE SET type = excluded.type, properties = excluded.properties, comparable = excluded.comparable"
WHERE_ABSENT = "DO NOTHING"
# Relations, then entities are locked in the same order whoever deletes them, so that two deletions cannot deadlock.
DELETE_ENTITIES = """
    WITH chosen(ids) AS MATERIALIZED (
        SELECT array(SELECT id FROM {entities} WHERE {where})
    ), relations AS MATERIALIZED (
        SELECT 1 FROM {relations} WHERE from_id = ANY ((SELECT ids FROM chosen)::text[])
        OR to_id = ANY ((SELECT ids FROM chosen)::text[]) ORDER BY from_id, type, to_id FOR UPDATE
    ), entities AS MATERIALIZED (
        SELECT id FROM {entities} WHERE {where} AND (SELECT count(*) FROM relations) >= 0 ORDER BY id FOR UPDATE
    )
    DELETE FROM {entities} WHERE id IN (SELECT id FROM entities)
"""
PUT_RELATIONS = """
    INSERT INTO {relations} (from_id, to_id, type, properties)
    SELECT from_id, to_id, type, properties::json
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS item(from_id, to_id, type, properties)
    ON CONFLICT (from_id, type, to_id) DO UPDATE SET properties = excluded.properties
"""
DELETE_RELATION = "DELETE FROM {relations} WHERE from_id = $1 AND to_id = $2 AND type = $3"
DELETE_RELATIONS = """
    DELETE FROM {relations} AS relation USING unnest($1::text[], $2::text[], $3::text[]) AS key(from_id, to_id, type)
    WHERE (relation.from_id, relation.to_id, relation.type) = (key.from_id, key.to_id, key.type)
"""
OF_TYPES = "type = ANY($1::text[])"
MISSING = """
    SELECT number FROM unnest($1::text[]) WITH ORDINALITY AS item(id, number)
    WHERE NOT EXISTS (SELECT FROM {entities} AS entity WHERE entity.id = item.id) ORDER BY number LIMIT 1
"""
ENTITY = "SELECT id, type, properties FROM {entities}"
RELATION = "SELECT from_id, to_id, type, properties FROM {relations}"
SIDES = {"outgoing": "from_id = $1", "incoming": "to_id = $1", "both": "(from_id = $1 OR to_id = $1)"}

# The working table of the recursive query is one level, in which UNION keeps each entity once.
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
    "outgoing": "SELECT to_id AS id FROM {relations} WHERE from_id = start.id{of_type}",
    "incoming": "SELECT from_id AS id FROM {relations} WHERE to_id = start.id{of_type}",
}
# A row for each level: the entities first reached there, and all reached so far. It ends when none is new. Without the
# OFFSET 0 the planner copies the subquery to each use of its level, and computes it three times.
NEIGHBORS = """
    WITH RECURSIVE walk(step, level, seen) AS (
        SELECT 0, ARRAY[$1::text COLLATE "C"], ARRAY[$1::text COLLATE "C"]
        UNION ALL
        SELECT walk.step + 1, next.level, walk.seen || next.level
        FROM walk, LATERAL (
            SELECT array(
                SELECT near.id FROM unnest(walk.level) AS start(id), LATERAL ({steps}) AS near
                EXCEPT SELECT unnest(walk.seen)
            ) AS level OFFSET 0
        ) AS next
        WHERE walk.step < $2 AND cardinality(next.level) > 0
    )
    SELECT id, type, properties FROM {entities}
    WHERE id IN (SELECT unnest(level) FROM walk) AND id <> $1 ORDER BY id LIMIT $3
"""
# The levels as above, until there are enough entities; then these, the nearest first, and the relations among them. The
# planner, who cannot know how few they are, would read whole tables without LATERAL and OFFSET 0.
SUBGRAPH = """
    WITH RECURSIVE walk(step, level, seen) AS (
        SELECT 0, ids, ids FROM (
            SELECT array(SELECT id FROM {entities} WHERE id = ANY($1::text[])) AS ids OFFSET 0
        ) AS start
        UNION ALL
        SELECT walk.step + 1, next.level, walk.seen || next.level
        FROM walk, LATERAL (
            SELECT array(
                SELECT near.id FROM unnest(walk.level) AS start(id), LATERAL ({steps}) AS near
                EXCEPT SELECT unnest(walk.seen)
            ) AS level OFFSET 0
        ) AS next
        WHERE walk.step < $2 AND cardinality(walk.seen) < $3 AND cardinality(next.level) > 0
    ), chosen(step, id) AS MATERIALIZED (
        SELECT step, each.id FROM walk, unnest(level) AS each(id) ORDER BY step, each.id LIMIT $3
    )
    SELECT chosen.step, entity.id AS from_id, NULL AS to_id, entity.type, entity.properties
    FROM chosen, LATERAL (SELECT * FROM {entities} WHERE id = chosen.id OFFSET 0) AS entity
    UNION ALL
    SELECT NULL, relation.from_id, relation.to_id, relation.type, relation.properties
    FROM chosen, LATERAL (SELECT * FROM {relations} WHERE from_id = chosen.id{of_types} OFFSET 0) AS relation
    WHERE relation.to_id IN (SELECT id FROM chosen)
    ORDER BY step NULLS LAST, from_id, to_id, type
"""
# The levels until the goal is reached; from the goal back, those of each level that lead to it; from the start on, the
# smallest of these each time.
SHORTEST_PATH = """
    WITH RECURSIVE walk(step, level, seen) AS (
        SELECT 0, ARRAY[id], ARRAY[id] FROM {entities} WHERE id = $1
        UNION ALL
        SELECT walk.step + 1, next.level, walk.seen || next.level
        FROM walk, LATERAL (
            SELECT array(
                SELECT relation.to_id FROM unnest(walk.level) AS start(id)
                JOIN {relations} AS relation ON relation.from_id = start.id{of_type}
                EXCEPT SELECT unnest(walk.seen)
            ) AS level OFFSET 0
        ) AS next
        WHERE walk.step < $3 AND $2 <> ALL(walk.level) AND cardinality(next.level) > 0
    ), ahead(step, level) AS MATERIALIZED (
        SELECT step, level FROM walk
    ), back(step, level) AS (
        SELECT step, ARRAY[$2::text COLLATE "C"] FROM ahead WHERE $2 = ANY(level)
        UNION ALL
        SELECT ahead.step, array(
            SELECT relation.from_id FROM unnest(back.level) AS goal(id)
            JOIN {relations} AS relation ON relation.to_id = goal.id{of_type}
            INTERSECT SELECT unnest(ahead.level)
        )
        FROM back JOIN ahead ON ahead.step = back.step - 1
    ), path(step, id) AS (
        SELECT 0, $1::text COLLATE "C" FROM back WHERE step = 0
        UNION ALL
        SELECT back.step, next.id FROM path JOIN back ON back.step = path.step + 1, LATERAL (
            SELECT relation.to_id AS id FROM {relations} AS relation
            WHERE relation.from_id = path.id AND relation.to_id = ANY(back.level){of_type}
            ORDER BY relation.to_id LIMIT 1
        ) AS next
    )
    SELECT entity.id, entity.type, entity.properties FROM path JOIN {entities} AS entity ON entity.id = path.id
    ORDER BY path.step
"""
