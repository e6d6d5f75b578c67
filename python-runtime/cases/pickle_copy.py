import copy
import pickle


class Node:
    def __init__(self, value):
        self.value, self.next = value, None

    def __getstate__(self):
        return {"value": self.value, "next": self.next}


a = Node(1)
a.next = Node([2])
b = pickle.loads(pickle.dumps(a, protocol=5))
c = copy.deepcopy(a)
c.next.value.append(3)
print(b.next.value, a.next.value, c.next.value, copy.copy(a).next is a.next, type(b) is Node)
