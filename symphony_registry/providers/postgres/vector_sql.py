"""The options of the vector store in PostgreSQL, and its statements."""

from typing import Literal

from pydantic import Field, model_validator

from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.tables import Layout

# pgvector's limits: numbers of a vector that it stores, and that it indexes; and candidates of a search.
LARGEST = 16_000
_LARGEST_INDEXED = {"vector": 2_000, "halfvec": 4_000}
LARGEST_EF = 1_000
OPERATORS = {"cosine": "<=>", "dot": "<#>", "euclidean": "<->"}
OPERATOR_CLASSES = {"cosine": "cosine_ops", "dot": "ip_ops", "euclidean": "l2_ops"}


class PostgresVectorOptions(PostgresOptions, HNSWOptions):
    """The options of a vector store in PostgreSQL."""

    storage: Literal["vector", "halfvec"] = Field(
        default="vector", description="vector keeps float32; halfvec rounds to float16, at half the size."
    )
    iterative_scan: Literal["off", "relaxed_order", "strict_order"] = Field(
        default="relaxed_order", description="hnsw: how to go on where a filter leaves too few."
    )

    @model_validator(mode="after")
    def _check_index(self) -> "PostgresVectorOptions":
        largest = LARGEST if self.index == "none" else _LARGEST_INDEXED[self.storage]
        if self.dimension is not None and self.dimension > largest:
            raise ValueError(f"with storage {self.storage} and index {self.index}, a dimension is at most {largest}")
        if self.index == "hnsw" and self.dimension is None:
            raise ValueError("an hnsw index needs the option dimension")
        if self.ef_construction < 2 * self.m:
            raise ValueError("ef_construction must be at least 2 * m")
        return self


LAYOUT = Layout(
    "vector_store",
    tables=("vectors",),
    create=(
        # a search reads every row: rows stay whole up to a page, and the columns that it reads come first
        """
        CREATE TABLE {vectors} (
            length double precision NOT NULL,
            outlier boolean NOT NULL,
            id text COLLATE "C" PRIMARY KEY,
            comparable jsonb NOT NULL,
            embedding {kind} NOT NULL,
            metadata json NOT NULL
        ) WITH (toast_tuple_target = 8160)
        """,
        "CREATE INDEX ON {vectors} USING gin (comparable jsonb_path_ops)",
        "CREATE INDEX ON {vectors} (id) WHERE outlier",
    ),
)
COLUMN = """
    SELECT typname, atttypmod FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = $1::regclass AND attname = 'embedding'
"""
HAS_INDEX = """
    SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = relam JOIN pg_opclass ON pg_opclass.oid = indclass[0]
    WHERE indrelid = $1::regclass AND indisvalid AND amname = 'hnsw' AND opcname = $2
"""
CLEAR = """
    UPDATE {registry} SET dimension = coalesce($2, (
        SELECT nullif(atttypmod, -1) FROM pg_attribute WHERE attrelid = $3::regclass AND attname = 'embedding'
    )) WHERE tables = $1
"""
DIMENSION = "SELECT dimension FROM {registry} WHERE tables = $1"
PUT = """
    INSERT INTO {vectors} (id, embedding, length, outlier, metadata, comparable)
    SELECT item.id, item.embedding, item.length, item.outlier,
        item.metadata::json, coalesce(item.comparable, item.metadata)::jsonb
    FROM {items} AS item(id, embedding, length, outlier, metadata, comparable), {registry} AS known
    WHERE known.tables = $7 AND known.dimension = $8
    ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, length = excluded.length,
        outlier = excluded.outlier, metadata = excluded.metadata, comparable = excluded.comparable
"""
ONE_ITEM = "(VALUES ($1::text, $2::{vector}, $3::double precision, $4::boolean, $5::text, $6::text))"
MANY_ITEMS = "unnest($1::text[], $2::{vector}[], $3::double precision[], $4::boolean[], $5::text[], $6::text[])"
UPDATE = "UPDATE {vectors} SET metadata = $2::text::json, comparable = coalesce($3, $2)::text::jsonb WHERE id = $1"
ITEMS = "SELECT id, embedding::{vector}, metadata FROM {vectors}"
# Outliers, whose squares leave float32, have no distance and come first. CASE keeps an index from being used. A dot
# product can exceed its float32 sum by the third parameter times the length: see docs/design/final-ranking.md.
EXACT = """
    SELECT id, embedding::{vector}, metadata,
        CASE WHEN NOT outlier THEN (embedding::{vector} {operator} $1::{vector}) {slack} END AS distance
    FROM {vectors} WHERE {where}{near} ORDER BY distance NULLS FIRST LIMIT $2
"""
DOT_SLACK = "- $3::double precision * length"
NEAR = " AND (outlier OR (embedding::{vector} {operator} $1::{vector}) {slack} <= {bound}::double precision)"
# The settings hold for this statement alone. The search refers to their row, so that they are made before it. Of its
# candidates, those that tie with the last are read as well: which of them are first by id is for the ranking to say.
BY_INDEX = """
    SELECT near.* FROM (
        SELECT set_config('hnsw.ef_search', $3, true) || set_config('hnsw.iterative_scan', $4, true) <> '' AS done
        {rows}
    ) AS setting, LATERAL (
        SELECT * FROM (
            SELECT id, embedding::{vector}, metadata, embedding {operator} $1::{vector}::{kind} AS distance
            FROM {vectors} WHERE NOT outlier AND {where} AND setting.done
            ORDER BY embedding {operator} $1::{vector}::{kind} LIMIT ({hidden} greatest($2, $3::text::bigint))
        ) AS candidate ORDER BY distance FETCH FIRST ({hidden} $2::bigint) ROWS WITH TIES
    ) AS near
    UNION ALL SELECT id, embedding::{vector}, metadata, NULL FROM {vectors} WHERE outlier AND {where}
"""
# Each filter needs a plan of its own. A generic plan does not know how many rows these functions return (one), so that
# it looks expensive and is never chosen. The limits are hidden, since the planner trusts the HNSW index too much beside
# a filter: now one that keeps less than a tenth is answered by the filter's own index, and exactly.
UNKNOWN_ROWS = "FROM " + ", ".join(f"generate_series(1, $5::integer) AS {name}" for name in "abc")
HIDDEN = "SELECT"
