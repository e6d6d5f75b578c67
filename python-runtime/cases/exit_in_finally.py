try:
    raise ValueError("x")
finally:
    print("cleanup")
