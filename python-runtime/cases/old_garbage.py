"""An object in a ring, which has seen a collection, is told that it goes when the program ends."""

import gc


class Node:
    def __init__(self):
        self.me = self

    def __del__(self):
        print("gone")


node = Node()
gc.collect()
print("end")
