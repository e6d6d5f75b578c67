import json

data = json.loads('{"name": "x", "tags": ["a", "b"], "n": 1.50, "big": 12345678901234567890, "u": "\\u00e9"}')
data["tags"].append(None)
data["nested"] = {"t": True, "list": [1, [2, [3]]]}
print(json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False))
print(json.dumps(data, separators=(",", ":")))
try:
    json.loads('{"a": }')
except json.JSONDecodeError as error:
    print(error.lineno, error.colno, error.msg)
