"""How an async method becomes a tool of a server: its docstring is what a model reads."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial, wraps
from inspect import getdoc
from traceback import format_tb
from typing import Annotated, Any, TypeAlias

import orjson
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from typing_extensions import override

from symphony_registry.backends.values import check_bound, check_id
from symphony_registry.errors import InvalidValueError, RegistryError, hint, public_text
from symphony_registry.integrations.mcp.answers import shortened

Method: TypeAlias = Callable[..., Awaitable[Mapping[str, Any]]]

logger = logging.getLogger(__name__)

_MOST_PROBLEMS = 5  # that are told of a call

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
SAVE = WRITE.model_copy(update={"idempotent_hint": False})

_LONGEST_NAME = 100  # bytes of a name of the caller's that an error repeats


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it must be an integer, not a boolean.")  # noqa: TRY004 - pydantic's
    return value


def brief(name: str) -> str:
    """Return a name of the caller's as an error repeats it."""
    short: str = shortened(name, _LONGEST_NAME)
    return short


Store = Annotated[str, Field(description="The name of a store of this type, as list_stores has it.")]
Integer = Annotated[int, BeforeValidator(_no_bool)]
Limit = Annotated[Integer, Field(ge=1, description="At most so many items. An answer may hold fewer, and says so.")]
Id = Annotated[str, AfterValidator(check_id)]
Bound = Annotated[str, AfterValidator(partial(check_bound, what="id"))]
"""An id, or nothing."""

Prefix = Annotated[Bound, Field(description="Only ids that begin with this.")]
After = Annotated[Bound, Field(description="Only ids after this one, in the order of code points.")]
Skip = Annotated[Integer, Field(ge=0, description="Leave so many of the first results out, to see those that follow.")]
Filter = Annotated[
    dict[str, Any] | None,
    Field(
        description='Only what matches: {"lang": "en", "year": {"$gte": 2020}}. Operators: $eq $ne $gt $gte $lt $lte '
        "$in $nin $exists $contains (an element of a list), $and $or $not; dots descend into objects."
    ),
]


def check_chosen(ids: list[str] | None, **selection: object) -> None:
    """Refuse to delete what nobody chose, or what was chosen in two ways, in terms of the tool's arguments."""
    names = ", ".join(selection)
    if ids is None and not any(selection.values()):
        raise InvalidValueError(
            f"Nothing says what to delete: pass ids, or some of {names}. No tool deletes everything."
        )
    if ids is not None and any(selection.values()):
        raise InvalidValueError(f"Pass either ids, or some of {names}, not both.")


def log_unexpected(where: str, error: Exception) -> None:
    """Log the class of an error and the lines of code, without its text, which may hold a secret."""
    logger.error("%s: %s\n%s", where, public_text(error), "".join(format_tb(error.__traceback__)))


class _Tool(Tool):
    """A tool that says in plain words what is wrong with its arguments."""

    @override
    async def run(self, arguments: dict[str, Any], context: Any, convert_result: bool = False) -> Any:
        try:
            return await super().run(arguments, context, convert_result)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(_said(error.__cause__, self.parameters["properties"])) from None
            raise


def _said(error: ValidationError, known: Iterable[str]) -> str:
    """Return what is wrong with arguments."""
    names = list(known)
    problems = error.errors(include_url=False, include_input=False)
    said = []
    for each in problems[:_MOST_PROBLEMS]:
        where, message = brief(".".join(map(str, each["loc"]))), each["msg"]
        if each["type"] == "extra_forbidden":
            said.append(f"There is no argument `{where}`. {hint(where, names)}")
        elif each["type"] == "missing":
            said.append(f"{where} is missing.")
        elif each["type"] == "value_error":
            said.append(f"{where}: {message.removeprefix('Value error, ')}")
        else:
            rule = message.partition(" should ")[2].replace(" after validation", "")
            said.append(f"{where} must {rule}.")
    if len(problems) > _MOST_PROBLEMS:
        said.append(f"There are {len(problems) - _MOST_PROBLEMS:,} more problems.")
    return " ".join(said)


def as_tool(method: Method, annotations: ToolAnnotations) -> Tool:
    """Return a method as a tool, whose errors have the text that a model may see, and the log no other."""

    @wraps(method)
    async def call(**arguments: Any) -> CallToolResult:
        try:
            answer = dict(await method(**arguments))
        except RegistryError as error:
            raise ToolError(public_text(error)) from None  # a driver's error is its cause
        except Exception as error:
            log_unexpected(tool.name, error)
            raise ToolError("It failed for a reason that only the server's log has. Go on without it.") from None
        return CallToolResult(
            content=[TextContent(type="text", text=orjson.dumps(answer).decode())], structured_content=answer
        )

    tool = _Tool.from_function(call, description=getdoc(method), annotations=annotations)
    model = tool.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"  # a misspelt filter selects everything
    model.model_rebuild(force=True)
    tool.parameters = model.model_json_schema()
    return tool
