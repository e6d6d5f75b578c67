import gc
import weakref


class Thing:
    pass


t = Thing()
ref = weakref.ref(t, lambda _: print("gone"))
weakref.finalize(t, print, "finalized")
print(ref() is t)
del t
a, b = Thing(), Thing()
a.b, b.a = b, a
r = weakref.ref(a)
del a, b
gc.collect()
print(r(), ref())
