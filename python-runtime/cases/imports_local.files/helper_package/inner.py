def name():
    return "inner"
