import json


def run():
    data = [{"id": n, "name": f"name {n}", "tags": ["a", "b", str(n)], "score": n / 7, "none": None} for n in range(1000)]
    for _ in range(12):
        text = json.dumps(data)
        again = json.loads(text)
    return len(text), again == data
