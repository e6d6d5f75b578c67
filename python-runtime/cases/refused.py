import importlib.util


def said(work):
    try:
        work()
    except (Exception, ImportError) as error:
        print(type(error).__name__, "|", error)


import os
import socket
import subprocess
import threading

said(lambda: __import__("_ssl"))
said(lambda: __import__("ctypes"))
said(lambda: __import__("numpy"))
said(lambda: subprocess.run(["ls"]))
said(lambda: os.system("ls"))
said(lambda: os.fork())
said(lambda: threading.Thread(target=print).start())
said(lambda: socket.create_connection(("example.com", 25)).recv(1))
said(lambda: __import__("multiprocessing").Pool())
print(importlib.util.find_spec("numpy"), importlib.util.find_spec("fcntl"), hasattr(os, "fork"))
