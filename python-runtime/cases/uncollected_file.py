file = open("left-open.txt", "w")
file.write("kept")
held = [file]
import atexit

atexit.register(lambda: print("at exit"))
