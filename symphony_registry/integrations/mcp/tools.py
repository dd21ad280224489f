"""How an async method becomes a tool of a server: its docstring is what a model reads."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from inspect import getdoc
from traceback import format_tb
from typing import Annotated, Any, TypeAlias

import orjson
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from symphony_registry.errors import RegistryError, public_text

Method: TypeAlias = Callable[..., Awaitable[Mapping[str, Any]]]

logger = logging.getLogger(__name__)

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
SAVE = WRITE.model_copy(update={"idempotent_hint": False})

Store = Annotated[str, Field(description="The name of a store of this type, as list_stores has it.")]
Limit = Annotated[int, Field(ge=1, description="At most so many items. An answer may hold fewer, and says so.")]
Prefix = Annotated[str, Field(description="Only ids that begin with this.")]
After = Annotated[str, Field(description="Only ids after this one, in the order of code points.")]
Skip = Annotated[int, Field(ge=0, description="Leave so many of the first results out, to see those that follow.")]
Filter = Annotated[
    dict[str, Any] | None,
    Field(
        description='Only what matches: {"lang": "en", "year": {"$gte": 2020}}. Operators: $eq $ne $gt $gte $lt $lte '
        "$in $nin $exists $contains (an element of a list), $and $or $not; dots descend into objects."
    ),
]


def as_tool(method: Method, annotations: ToolAnnotations) -> Tool:
    """Return a method as a tool, whose errors have the text that a model may see, and the log no other."""

    @wraps(method)
    async def call(**arguments: Any) -> CallToolResult:
        try:
            answer = dict(await method(**arguments))
        except RegistryError as error:
            raise ToolError(public_text(error)) from None  # a driver's error is its cause
        except Exception as error:
            where = "".join(format_tb(error.__traceback__))
            logger.error("%s: %s\n%s", tool.name, public_text(error), where)  # noqa: TRY400 - no text of its own
            raise ToolError("It failed for a reason that only the server's log has. Go on without it.") from None
        return CallToolResult(
            content=[TextContent(type="text", text=orjson.dumps(answer).decode())], structured_content=answer
        )

    tool = Tool.from_function(call, description=getdoc(method), annotations=annotations)
    model = tool.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"  # a misspelt filter selects everything
    model.model_rebuild(force=True)
    tool.parameters = model.model_json_schema()
    return tool
