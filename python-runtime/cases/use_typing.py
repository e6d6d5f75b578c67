from typing import Generic, Literal, NamedTuple, Optional, Protocol, TypedDict, TypeVar, get_type_hints, runtime_checkable

T = TypeVar("T")


class Stack(Generic[T]):
    def __init__(self) -> None:
        self.items: list[T] = []

    def push(self, item: T) -> "Stack[T]":
        self.items.append(item)
        return self


@runtime_checkable
class Sized(Protocol):
    def __len__(self) -> int: ...


class Row(TypedDict, total=False):
    id: int
    name: Optional[str]


class Pair(NamedTuple):
    a: int
    b: str = "x"


print(Stack[int]().push(1).push(2).items, isinstance([], Sized), Row(id=1), Pair(1), get_type_hints(Stack.push)["item"])
print(Literal["a", "b"].__args__, list[int].__origin__, int | None)
