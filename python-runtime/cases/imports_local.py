import importlib

import helper_module
from helper_package import inner, value

print(helper_module.answer(), value, inner.name(), inner.__name__, helper_module.__file__.rpartition("/")[2])
print(importlib.reload(helper_module).answer())
try:
    import no_such_module
except ModuleNotFoundError as error:
    print(error, error.name)
