"""What a slip template may do: enough to lay out a slip, too little to reach Python, or to take for ever.

Jinja2's own sandbox keeps templates from Python. It does not bound what they take: `{{ "x" * 10 ** 10 }}`, a width of
a billion, nested loops, or a macro that doubles a text thirty times stop a process. So a template is read before it is
compiled, and only what is named here may stand in it. Then every text has a largest size, every number too, lists do
not nest, there are no powers and no repetition of texts; and each turn of a loop and each call counts as many steps as
there are parts in its body. What is left takes half a second in the worst case; there is no clock in it, so a
template that works once works always.

Imported when the first template is compiled: Jinja2 takes longer to import than the agent to start.
"""

from collections.abc import Iterator
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from jinja2 import StrictUndefined, nodes
from jinja2.filters import do_title
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer
from msgspec import Struct

from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.steps import (
    DEPTH_LIMIT,
    LETTERS_PER_STEP,
    LOOP_LIMIT,
    MACRO_LIMIT,
    NUMBER_LIMIT,
    PART_LIMIT,
    STEPS,
    TEXT_LIMIT,
    clean,
    joined,
    replaced,
)

FILTERS: Final = (
    *("upper", "lower", "capitalize", "title", "trim", "truncate", "length", "count", "default", "d", "first", "last"),
    *("join", "replace", "int", "abs"),
)
METHODS: Final = (
    *("upper", "lower", "capitalize", "title", "strip", "lstrip", "rstrip", "startswith", "endswith", "split"),
)
"""Of texts."""
_PARTS: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple, nodes.List),
    *(nodes.CondExpr, nodes.If, nodes.For, nodes.Assign, nodes.AssignBlock, nodes.With, nodes.Macro, nodes.Call),
    *(nodes.Keyword, nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
_WORDS: Final = {
    nodes.Pow: "a power",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
    nodes.Block: "a block statement",
    nodes.CallBlock: "a call statement",
    nodes.FilterBlock: "a filter statement",
    nodes.Dict: "a dictionary",
    nodes.NSRef: "a namespace",
}
"""What people call the parts that there are none of."""
_NOT_NAMES: Final = ("varargs", "kwargs", "caller", "self")
"""Names that Jinja2 gives a meaning, and by which a macro could nest lists."""
BOUNDED: Final = "%bounded"
"""The filter that what `{% set %}` takes in goes through: a name that no template can write."""
_FIELDS: dict[type, frozenset[str]] = {}
"""What may be read of our structs without asking, by type; a template meets four of them."""


class _Missing(StrictUndefined):
    """Says what is not there in a designer's words: Python's name our classes."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint or self._undefined_obj is missing:
            return super()._undefined_message
        return f"{self._undefined_name!r} is no part of this"


def _name_of(nothing: _Missing) -> str | None:
    return nothing._undefined_name  # noqa: SLF001  # Jinja2 tells it in no other way


class Sandbox(ImmutableSandboxedEnvironment):
    """Asks no questions about what is ours: a slip's preview is made for every quote.

    `ours` are the types whose methods a template may call; `made` marks what a template prints as harmless.
    """

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%"))

    def __init__(self, ours: tuple[type, ...], made: type[str], finalize: Any) -> None:
        super().__init__(undefined=_Missing, finalize=finalize, autoescape=False)
        self.globals.clear()
        self.ours = ours
        self.made = made
        self.macros: dict[str, int] = {}
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.filters |= {"replace": replaced, "join": joined, "title": _titled, BOUNDED: _bounded}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Fields of our structs, their texts cleaned; else what Jinja2's sandbox allows."""
        kind = type(obj)
        if kind in _FIELDS:
            if attribute in _FIELDS[kind]:
                value = getattr(obj, attribute)
                return clean(value) if type(value) is str else value
        elif issubclass(kind, Struct):
            _FIELDS[kind] = frozenset(kind.__struct_fields__)
            return self.getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Of functions of slips, macros, `loop.cycle` and the like, and METHODS of texts; nothing else."""
        kind = type(obj)
        if kind is MethodType:
            owner = obj.__self__
            if isinstance(owner, self.ours):
                context.parent[STEPS].take(1)
                return _plainly(obj, args, kwargs)
            if owner is self:
                return obj(context, *args)
            if isinstance(owner, LoopContext):
                return super().call(context, obj, *args, **kwargs)
        elif kind is Macro:
            return self._macro(context, obj, args, kwargs)
        elif kind is BuiltinMethodType and type(obj.__self__) is str and obj.__name__ in METHODS:
            context.parent[STEPS].take(1)
            return _plainly(obj, args, kwargs)
        name = getattr(obj, "__name__", kind.__name__) if kind is not _Missing else _name_of(obj)
        raise SlipTemplateError(f"expected a function of slips or one of {', '.join(METHODS)}, not {name}")

    def _macro(self, context: Any, macro: Macro, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        context.parent[STEPS].take(self.macros.get(macro.name, PART_LIMIT))
        printed = super().call(context, macro, *args, **kwargs)
        if len(printed) > MACRO_LIMIT:
            raise SlipTemplateError(f"expected a macro to print at most {MACRO_LIMIT} letters")
        return self.made(printed)  # all that is in it was made harmless when it was printed

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Sums of numbers up to NUMBER_LIMIT, and two texts with + between them."""
        if operator == "+" and type(left) is str and type(right) is str:
            return (left + right)[:TEXT_LIMIT]
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            raise SlipTemplateError(f"expected numbers beside {operator}; texts are put together by ~")
        value = super().call_binop(context, operator, left, right)
        if abs(value) > NUMBER_LIMIT:
            raise SlipTemplateError(f"expected numbers up to {NUMBER_LIMIT}")
        return value

    def counted(self, context: Any, items: Any, parts: int) -> Any:
        """What a loop goes over, its steps taken."""
        context.parent[STEPS].take(parts * len(items))
        return items

    def together(self, _context: Any, *values: Any) -> str:
        """Texts and numbers put together by `~`."""
        return "".join([str(value) for value in values])[:TEXT_LIMIT]


def _titled(text: object) -> str:
    """The filter `title`, which takes 7 ms for what a macro may print."""
    return do_title(_bounded(text))


def _bounded(text: object) -> str:
    return str(text)[:TEXT_LIMIT]


def _plainly(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Without what Jinja2 adds in loops and blocks, for functions that ask for the context; ours don't."""
    if kwargs:
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
    return function(*args, **kwargs)


def compile_template(environment: Sandbox, source: str, name: str) -> Any:
    """The template, compiled. SlipTemplateError when it holds what it may not; Jinja2's errors for what is none."""
    tree = environment.parse(source, name=name)
    _check_all(tree, name)
    # What counts is put around the loops and texts once all was looked at, so that it is not looked at itself.
    for node, _ in list(_walk(tree)):
        if isinstance(node, nodes.Macro):
            environment.macros[node.name] = max(_size(node), environment.macros.get(node.name, 0))
        elif isinstance(node, nodes.For):
            counted = nodes.EnvironmentAttribute("counted", lineno=node.lineno)
            values: list[Any] = [node.iter, nodes.Const(_size(node), lineno=node.lineno)]
            node.iter = _called(counted, values, node.lineno)
        elif isinstance(node, nodes.AssignBlock):
            _bind(node)
    tree = _Together().visit(tree)
    tree.set_environment(environment)
    code = environment.compile(tree, name=name, filename=name)
    return environment.template_class.from_code(environment, code, environment.globals)


def _bind(node: nodes.AssignBlock) -> None:
    """Have what the block took in cut, before any filter of its own."""
    bounded = nodes.Filter(None, BOUNDED, [], [], None, None, lineno=node.lineno)
    last = node.filter
    while last is not None and isinstance(last.node, nodes.Filter):
        last = last.node
    if last is None:
        node.filter = bounded
    else:
        last.node = bounded


class _Together(NodeTransformer):
    """Makes of each `~` a call that bounds what it makes."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        return _called(nodes.EnvironmentAttribute("together", lineno=node.lineno), node.nodes, node.lineno)


def _check_all(tree: nodes.Template, name: str) -> None:
    loops = 0
    for parts, (node, depth) in enumerate(_walk(tree), 1):
        loops += isinstance(node, (nodes.For, nodes.Macro))
        wrong = _wrong(node)
        if wrong:
            place = f"{name}: line {node.lineno}" if node.lineno else name
            raise SlipTemplateError(f"{place}: {wrong}")
        if parts > PART_LIMIT:
            raise SlipTemplateError(f"{name}: expected at most {PART_LIMIT} parts")
        if depth > DEPTH_LIMIT:
            raise SlipTemplateError(f"{name}: line {node.lineno}: expected at most {DEPTH_LIMIT} parts within parts")
        if loops > LOOP_LIMIT:
            raise SlipTemplateError(f"{name}: expected at most {LOOP_LIMIT} loops and macros")


def _wrong(node: nodes.Node) -> str:
    """Why it may not stand in a template, or ""."""
    match node:
        case nodes.Filter() if node.name not in FILTERS:
            return f"expected one of the filters {', '.join(FILTERS)}, not {node.name!r}"
        case nodes.List() | nodes.Tuple(ctx="load") if any(not isinstance(item, nodes.Const) for item in node.items):
            return "expected a list of texts and numbers as they are, not of what is worked out"
        case nodes.For(recursive=True):
            return "expected a loop that is not recursive"
        case nodes.Const() if isinstance(node.value, str) and len(node.value) > TEXT_LIMIT:
            return f"expected a text of at most {TEXT_LIMIT} letters in quotes, not {len(node.value)}"
        case nodes.Call() | nodes.Filter() | nodes.Test() if node.dyn_args is not None or node.dyn_kwargs is not None:
            return "expected values one by one, not with *"
        case nodes.Name() if node.name in _NOT_NAMES:
            return f"expected another name than {node.name!r}"
        case _ if not isinstance(node, _PARTS):
            return f"expected what a slip needs, not {_WORDS.get(type(node), type(node).__name__)}"
        case _:
            return ""


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    """Every node and how deep it is, without recursion: a template may be nested deeper than Python's stack."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((each, depth + 1) for each in node.iter_child_nodes())


def _size(node: nodes.Node) -> int:
    """Steps of a body: its parts, and more for long texts that stand in it as they are."""
    return sum([1 + _letters(each) // LETTERS_PER_STEP for each, _ in _walk(node)])


def _letters(node: nodes.Node) -> int:
    return len(node.data) if isinstance(node, nodes.TemplateData) else 0


def _called(function: nodes.Expr, values: list[Any], line: int) -> nodes.Call:
    return nodes.Call(function, values, [], None, None, lineno=line)
