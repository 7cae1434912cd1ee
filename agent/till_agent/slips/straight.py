"""Compiles the packaged template to straight Python: fields are read and functions called with nothing in between.

Only for a template that came with this code; see `till_agent.slips.packaged` for why. Imported when it is first
compiled: Jinja2 takes longer to import than the agent to start.
"""

from typing import Any

from jinja2 import Environment, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame

from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.steps import joined


class _Straight(CodeGenerator):
    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802 - Jinja2's name, as the others
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                continue
            if not isinstance(child, nodes.Call) or not isinstance(child.node, nodes.Name):
                raise SlipTemplateError(f"line {child.lineno}: expected a template that prints blocks alone")
            self.newline(child)
            self.visit(child, frame)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - its name in Jinja
        self.visit(node.node, frame)
        self.write(f".{node.attr}")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: ARG002, N802 - its signature
        self.visit(node.node, frame)
        self.write("(")
        for value in (*node.args, *node.kwargs):
            self.visit(value, frame)
            self.write(", ")
        self.write(")")


class _Environment(Environment):
    code_generator_class = _Straight

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        self.globals.clear()
        self.filters = {"join": joined}


def compile_straight(source: str, name: str, makers: frozenset[str]) -> Any:
    """The template, whose every output is a call of one of `makers`. SlipTemplateError when one is not."""
    environment = _Environment()
    tree = environment.parse(source, name=name)
    for output in tree.find_all(nodes.Output):
        for call in output.nodes:
            if isinstance(call, nodes.Call) and isinstance(call.node, nodes.Name) and call.node.name not in makers:
                raise SlipTemplateError(f"{name}: line {call.lineno}: expected a block, not {call.node.name}")
    code = environment.compile(tree, name=name, filename=name)
    return environment.template_class.from_code(environment, code, environment.globals)
