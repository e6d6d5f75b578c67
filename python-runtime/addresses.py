"""Writes into the code where things are.

The libraries of the component are linked when it starts: each asks a global variable where its data is, and where each
function or datum of another library is. Once memory is kept as it is, all of that is decided, and so `global.get` becomes
`i32.const`. The engine then computes nothing at run time that it can know when it compiles.
"""

import wasm

CORE_MODULE, CORE_INSTANCE, ALIAS = 1, 2, 6
IMPORT, GLOBAL, EXPORT, START, CODE = 2, 6, 7, 8, 10

GLOBAL_GET, GLOBAL_SET, I32_CONST, I32_ADD, END = 0x23, 0x24, 0x41, 0x6A, 0x0B
I32, SORT_GLOBAL, SORT_MODULE, SORT_INSTANCE = 0x7F, 3, 0x11, 0x12


def written_in(component):
    """The same component with addresses in place of global variables that hold them."""
    parts = list(wasm.sections(component))
    modules = [Module(content) for kind, content in parts if kind == CORE_MODULE]
    _resolve(parts, modules)
    changed = set()
    for module in modules:
        changed |= module.changed()
    number = 0
    for at, (kind, content) in enumerate(parts):
        if kind == CORE_MODULE:
            parts[at] = kind, modules[number].with_constants(content, changed)
            number += 1
    return wasm.joined(component[:8], parts)


class Module:
    """A core module: what it has of global variables."""

    def __init__(self, binary):
        self.imports = []
        # (type, whether it changes, initial value or None), in order, after those that are imported.
        self.own = []
        self.exports = {}
        # By index: which module's, and which there, as `_resolve` finds out.
        self.origin = []
        self.starts = False
        self._code = b""
        for kind, content in wasm.sections(binary):
            if kind == IMPORT:
                self.imports = list(_imported_globals(content))
            elif kind == GLOBAL:
                self._globals = content
                self.own = list(_globals(content))
            elif kind == EXPORT:
                self.exports, self._any_exports = _exported_globals(content)
            elif kind == START:
                self.starts = True
            elif kind == CODE:
                self._code = content

    _any_exports = False

    def changed(self):
        """The global variables, of any module, that this one's code writes to. A module that nobody can call is left over
        from before memory was kept."""
        if not self.starts and not self._any_exports:
            return set()
        found = set()
        for start, end in _bodies(self._code):
            position = _after_locals(self._code, start)
            while position < end:
                if self._code[position] == GLOBAL_SET:
                    index, _ = wasm.number(self._code, position + 1)
                    found.add(self.origin[index])
                position = wasm.after(self._code, position)
        return found

    def with_constants(self, binary, changed):
        constants = self._constants(changed)
        parts = [
            (kind, _rewritten(content, constants) if kind == CODE else content) for kind, content in wasm.sections(binary)
        ]
        return wasm.joined(binary[:8], parts)

    def _constants(self, changed):
        """Global variables by index, and the instruction that stands for each."""
        constants = {}
        for index, origin in enumerate(self.origin):
            if origin is None or origin in changed:
                continue
            module, at = origin
            kind, _, value = module.own[at]
            if kind == I32 and value is not None:
                constants[index] = value
        return constants


def _resolve(parts, modules):
    """Finds out for each module's global variables where they come from."""
    instances, globals_ = [], []
    modules_seen = 0
    for kind, content in parts:
        if kind == CORE_MODULE:
            modules_seen += 1
        elif kind == CORE_INSTANCE:
            count, position = wasm.number(content, 0)
            for _ in range(count):
                instance, position = _instance(content, position, globals_)
                if isinstance(instance, tuple):
                    instance = _instantiated(*instance, modules, instances)
                instances.append(instance)
        elif kind == ALIAS:
            count, position = wasm.number(content, 0)
            for _ in range(count):
                position = _alias(content, position, instances, globals_)
    if modules_seen != len(modules):
        raise wasm.Unknown("modules that come from elsewhere")


def _instantiated(number, arguments, modules, instances):
    """What the instance exports of global variables, by name."""
    module = modules[number]
    imported = [instances[arguments[name]].get(field) for name, field in module.imports]
    origin = imported + [(module, at) for at in range(len(module.own))]
    # An instance of a module that there are several of has no one place for its variables.
    module.origin = [None] * len(origin) if module.origin else origin
    _evaluate(module)
    return {name: module.origin[index] for name, index in module.exports.items()}


def _evaluate(module):
    """Initial values that follow from those of other, constant variables."""
    for at, (kind, is_variable, value) in enumerate(module.own):
        if callable(value):
            module.own[at] = kind, is_variable, value(module)


def _instance(content, position, globals_):
    form = content[position]
    count_or_number, position = wasm.number(content, position + 1)
    if form == 0:
        arguments = {}
        count, position = wasm.number(content, position)
        for _ in range(count):
            name, position = wasm.text(content, position)
            if content[position] != SORT_INSTANCE:
                raise wasm.Unknown("an argument that is no instance")
            arguments[name], position = wasm.number(content, position + 1)
        return (count_or_number, arguments), position
    exports = {}
    for _ in range(count_or_number):
        name, position = wasm.text(content, position)
        sort = content[position]
        index, position = wasm.number(content, position + 1)
        if sort == SORT_GLOBAL:
            exports[name] = globals_[index]
    return exports, position


def _alias(content, position, instances, globals_):
    is_core = content[position] == 0
    sort = content[position + 1] if is_core else None
    position += 2 if is_core else 1
    target = content[position]
    first, position = wasm.number(content, position + 1)
    if target == 2:
        if sort == SORT_MODULE:
            raise wasm.Unknown("modules that come from elsewhere")
        _, position = wasm.number(content, position)
        return position
    name, position = wasm.text(content, position)
    if sort == SORT_GLOBAL:
        globals_.append(instances[first].get(name))
    return position


def _imported_globals(content):
    count, position = wasm.number(content, 0)
    for _ in range(count):
        module, position = wasm.text(content, position)
        field, position = wasm.text(content, position)
        kind = content[position]
        position += 1
        if kind == 0:
            _, position = wasm.number(content, position)
        elif kind in (1, 2):
            flags = content[position + (kind == 1)]
            _, position = wasm.number(content, position + 1 + (kind == 1))
            if flags & 1:
                _, position = wasm.number(content, position)
        elif kind == SORT_GLOBAL:
            position += 2
            yield module, field
        else:
            raise wasm.Unknown(f"an import of kind {kind}")


def _globals(content):
    count, position = wasm.number(content, 0)
    for _ in range(count):
        kind, is_variable = content[position], content[position + 1] == 1
        start = position = position + 2
        while content[position] != END:
            position = wasm.after(content, position)
        expression = content[start:position]
        position += 1
        yield kind, is_variable, _value(expression)


def _value(expression):
    """Of `i32.const` itself, or what finds it once the module's imports are known."""
    if expression[0] == I32_CONST and wasm.after(expression, 0) == len(expression):
        return wasm.signed(expression, 1)[0]

    def evaluate(module):
        stack, position = [], 0
        while position < len(expression):
            operation = expression[position]
            if operation == I32_CONST:
                stack.append(wasm.signed(expression, position + 1)[0])
            elif operation == GLOBAL_GET:
                origin = module.origin[wasm.number(expression, position + 1)[0]]
                known = origin and origin[0].own[origin[1]]
                if not known or known[1] or not isinstance(known[2], int):
                    return None
                stack.append(known[2])
            elif operation == I32_ADD:
                stack.append(_wrapped(stack.pop() + stack.pop()))
            else:
                return None
            position = wasm.after(expression, position)
        return stack[0] if len(stack) == 1 else None

    return evaluate


def _exported_globals(content):
    count, position = wasm.number(content, 0)
    exports = {}
    for _ in range(count):
        name, position = wasm.text(content, position)
        kind = content[position]
        index, position = wasm.number(content, position + 1)
        if kind == SORT_GLOBAL:
            exports[name] = index
    return exports, count > 0


def _bodies(content):
    """Where each function's body begins and ends."""
    if not content:
        return
    count, position = wasm.number(content, 0)
    for _ in range(count):
        size, start = wasm.number(content, position)
        position = start + size
        yield start, position


def _after_locals(code, position):
    groups, position = wasm.number(code, position)
    for _ in range(groups):
        _, position = wasm.number(code, position)
        position += 1
    return position


def _rewritten(content, constants):
    if not constants:
        return content
    count, _ = wasm.number(content, 0)
    bodies = [wasm.encoded(count)]
    for start, end in _bodies(content):
        body = _body(content, start, end, constants)
        bodies += (wasm.encoded(len(body)), body)
    return b"".join(bodies)


def _body(code, start, end, constants):
    # What was written already up to there, and constants that stand last in it, not yet written.
    position = copied = start
    result, pending = [], []

    def write(until):
        result.append(code[copied:until])

    position = _after_locals(code, start)
    while position < end:
        operation = code[position]
        following = wasm.after(code, position)
        if operation == GLOBAL_GET and (value := constants.get(wasm.number(code, position + 1)[0])) is not None:
            if copied < position:
                _flush(result, pending)
                write(position)
            pending.append(value)
            copied = following
        elif operation == I32_CONST and pending and copied == position:
            pending.append(wasm.signed(code, position + 1)[0])
            copied = following
        elif operation == I32_ADD and len(pending) >= 2 and copied == position:
            pending[-2:] = [_wrapped(pending[-2] + pending[-1])]
            copied = following
        elif pending:
            _flush(result, pending)
        position = following
    _flush(result, pending)
    result.append(code[copied:end])
    return b"".join(result)


def _flush(result, pending):
    for value in pending:
        result.append(bytes([I32_CONST]) + wasm.encoded_signed(value))
    pending.clear()


def _wrapped(value):
    """As a number of 32 bits with a sign."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
