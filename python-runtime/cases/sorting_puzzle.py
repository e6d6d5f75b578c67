import heapq
from bisect import bisect_left, insort

graph = {"A": {"B": 1, "C": 4}, "B": {"C": 2, "D": 5}, "C": {"D": 1}, "D": {}}
queue, best = [(0, "A", ["A"])], {}
while queue:
    cost, node, path = heapq.heappop(queue)
    if node in best:
        continue
    best[node] = (cost, path)
    for other, weight in graph[node].items():
        heapq.heappush(queue, (cost + weight, other, path + [other]))
print(best)
values = [1, 3, 5]
insort(values, 4)
print(values, bisect_left(values, 4), heapq.nsmallest(2, [3, 1, 2]), sorted([(2, "b"), (1, "z")], key=lambda p: p[1]))
