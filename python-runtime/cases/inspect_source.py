import ast
import inspect


def add(a: int, b=2, *, c, **rest) -> int:
    """Adds."""
    return a + b + c


print(inspect.signature(add), inspect.getdoc(add), inspect.getsource(add).splitlines()[0])
print("def loads" in inspect.getsource(__import__("json").loads), ast.unparse(ast.parse("x=[i*2 for i in y]")))
print(eval("1 + 2 * 3"), compile("a=1", "<s>", "exec").co_names, [n.id for n in ast.walk(ast.parse("p+q")) if isinstance(n, ast.Name)])
