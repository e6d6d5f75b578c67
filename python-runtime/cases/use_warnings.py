import warnings

warnings.warn("look out")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("old", DeprecationWarning)
print(len(caught), caught[0].category.__name__)
