class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def dot(self, other):
        return self.x * other.x + self.y * other.y


def run():
    total, step = Vector(0, 0), Vector(1, 2)
    for _ in range(100000):
        total = total + step
    return total.dot(step)
