import wardian

wardian.display({"a": 1}, "text")
try:
    wardian.display(b"not an image")
except ValueError as error:
    print(error)
