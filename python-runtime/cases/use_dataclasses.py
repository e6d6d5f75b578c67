from dataclasses import asdict, dataclass, field, replace


@dataclass(order=True, frozen=True)
class Item:
    price: float
    name: str = field(compare=False)
    tags: list = field(default_factory=list, compare=False, repr=False)


items = sorted([Item(3.5, "pear"), Item(1.25, "apple", ["red"]), Item(2, "fig")])
print(items)
print(asdict(items[0]), replace(items[1], price=9))
try:
    items[0].price = 1
except Exception as error:
    print(type(error).__name__, error)
