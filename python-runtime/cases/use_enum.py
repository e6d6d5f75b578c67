import enum


class Color(enum.Enum):
    RED = 1
    GREEN = enum.auto()

    @property
    def title(self):
        return self.name.title()


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


print(Color.GREEN, Color(1).title, [c.name for c in Color], Color["RED"] is Color.RED, (Access.READ | Access.WRITE).value)
print(Access.READ in Access(3), sorted(enum.IntEnum("N", "A B")))
